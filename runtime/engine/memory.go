package engine

import "unsafe"

const (
	// Alignment is the boundary, in bytes, at which packed tensors and arena buffers start: a cache
	// line, which is also the width of an AVX-512 register.
	Alignment = 64

	hugePage = 2 << 20
)

// goBlock returns size bytes of Go memory, zeroed, aligned to Alignment.
func goBlock(size int) []byte {
	raw := make([]byte, size+Alignment)
	skip := (Alignment - int(uintptr(unsafe.Pointer(&raw[0]))%Alignment)) % Alignment
	return raw[skip : skip+size : skip+size]
}

func aligned(b []byte) bool {
	return len(b) == 0 || uintptr(unsafe.Pointer(&b[0]))%Alignment == 0
}

// roundUp returns n ≥ 0, rounded up to a multiple of step.
func roundUp[T int | int64](n, step T) T { return (n + step - 1) / step * step }

// int32Bytes returns the memory of v as bytes. Callers have checked that the machine is
// little-endian.
func int32Bytes(v []int32) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v))
}
