package engine

import "golang.org/x/sys/unix"

// adviseHuge asks for huge pages. Activations and weights are streamed, and with 4 KiB pages the
// hardware prefetcher stops at the end of each page.
func adviseHuge(b []byte) {
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // kernels without huge pages refuse, which does no harm
}
