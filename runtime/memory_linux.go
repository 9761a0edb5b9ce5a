package runtime

import "golang.org/x/sys/unix"

// adviseHuge asks for huge pages: activations and weights are streamed, and with
// 4 KiB pages hardware prefetch stops at each page's end.
func adviseHuge(b []byte) {
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // kernels without them refuse, which is no fault
}
