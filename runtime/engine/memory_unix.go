//go:build unix

package engine

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/debertac/debertac/runtime/resource"
)

// block returns size bytes, zeroed and aligned to at least Alignment, and a function that frees them. It is an error if the
// system refuses the memory. Big blocks lie outside Go's heap, so they neither change the garbage collector's goal nor wait
// for it. They start at a huge-page boundary, so that the kernel can use huge pages.
func block(size int) ([]byte, func(), error) {
	if size < hugePage {
		return goBlock(size), func() {}, nil
	}
	raw, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, &resource.Error{What: "memory", For: "this work", Need: int64(size), Have: resource.Memory()}
	}
	skip := (hugePage - int(uintptr(unsafe.Pointer(&raw[0]))%hugePage)) % hugePage
	b := raw[skip : skip+size : skip+size]
	adviseHuge(b)
	return b, func() { _ = unix.Munmap(raw) }, nil // cannot fail: it unmaps what Mmap returned
}
