package engine

import "unsafe"

// At returns p moved by n elements. Generated code passes the address of a row or a panel to kernels this way. The plan promises that the
// address lies in the same block of memory.
func At[E float32 | int32](p *E, n int) *E {
	return (*E)(unsafe.Add(unsafe.Pointer(p), n*int(unsafe.Sizeof(*p))))
}
