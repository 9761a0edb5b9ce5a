package runtime

import "unsafe"

// At moves a pointer by n elements. Generated code hands kernels the address of a row or a panel this way; the plan promises that it lies in
// the same block of memory.
func At[E float32 | int32](p *E, n int) *E {
	return (*E)(unsafe.Add(unsafe.Pointer(p), n*int(unsafe.Sizeof(*p))))
}
