package ir

import "fmt"

// Array is a value in the oracle: row-major numbers. Exactly one of F, F32 and I is set (all may be empty if an extent is 0). Arrays are
// never changed once made, so that ops may share memory.
type Array struct {
	Shape []int
	F     []float64 // float32 values, computed with in float64
	F32   []float32 // weights as a checkpoint holds them, widened where they are used
	I     []int32
}

// NewArray makes an array of zeros in float64.
func NewArray(shape ...int) *Array {
	return &Array{Shape: append([]int(nil), shape...), F: make([]float64, elements(shape))}
}

// NewInts makes an array of integer zeros.
func NewInts(shape ...int) *Array {
	return &Array{Shape: append([]int(nil), shape...), I: make([]int32, elements(shape))}
}

// elements returns the product of the extents.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Len returns the number of elements that the shape asks for.
func (t *Array) Len() int { return elements(t.Shape) }

// DType returns the element type.
func (t *Array) DType() DType {
	if t.I != nil {
		return I32
	}
	return F32
}

// Floats returns the numbers in float64: F itself, or a widened copy of F32. It must not be changed.
func (t *Array) Floats() []float64 {
	if t.F != nil || t.F32 == nil {
		return t.F
	}
	out := make([]float64, len(t.F32))
	for i, x := range t.F32 {
		out[i] = float64(x)
	}
	return out
}

// Single returns the numbers rounded to float32: F32 itself, or a rounded copy of F. It must not be changed.
func (t *Array) Single() []float32 {
	if t.F32 != nil || t.F == nil {
		return t.F32
	}
	out := make([]float32, len(t.F))
	for i, x := range t.F {
		out[i] = float32(x)
	}
	return out
}

// Row copies row r, the elements after the first extent, to dst in float64.
func (t *Array) Row(r int, dst []float64) {
	n := len(dst)
	if t.F != nil {
		copy(dst, t.F[r*n:(r+1)*n])
		return
	}
	for i, x := range t.F32[r*n : (r+1)*n] {
		dst[i] = float64(x)
	}
}

// Rearrange makes an array of the given shape whose element i is element from(i) of t, or 0 where from returns -1. The numbers keep the form that they have in
// t, so a table in float32 is never widened.
func (t *Array) Rearrange(shape []int, from func(i int) int) *Array {
	out := &Array{Shape: append([]int(nil), shape...)}
	n := elements(shape)
	switch {
	case t.I != nil:
		out.I = moved(t.I, n, from)
	case t.F32 != nil:
		out.F32 = moved(t.F32, n, from)
	default:
		out.F = moved(t.F, n, from)
	}
	return out
}

// moved gathers n elements, 0 where from returns -1.
func moved[E any](src []E, n int, from func(i int) int) []E {
	out := make([]E, n)
	for i := range out {
		if k := from(i); k >= 0 {
			out[i] = src[k]
		}
	}
	return out
}

// Valid reports whether the numbers are as many as the shape asks for.
func (t *Array) Valid() error {
	for _, d := range t.Shape {
		if d < 0 {
			return fmt.Errorf("extent %d in shape %v", d, t.Shape)
		}
	}
	got, kinds := 0, 0
	if t.F != nil {
		got, kinds = len(t.F), kinds+1
	}
	if t.F32 != nil {
		got, kinds = len(t.F32), kinds+1
	}
	if t.I != nil {
		got, kinds = len(t.I), kinds+1
	}
	if kinds > 1 {
		return fmt.Errorf("an array of shape %v holds its numbers in %d forms", t.Shape, kinds)
	}
	if want := t.Len(); got != want {
		return fmt.Errorf("%d numbers for shape %v, which has %d", got, t.Shape, want)
	}
	return nil
}

// Fits reports whether the array is of a type whose symbols have the given sizes.
func (t *Array) Fits(typ Type, s Sizes) error {
	if err := t.Valid(); err != nil {
		return err
	}
	if len(t.Shape) != len(typ.Shape) {
		return fmt.Errorf("shape %v where %s is due", t.Shape, typ)
	}
	for i, d := range typ.Shape {
		if t.Shape[i] != s.Dim(d) {
			return fmt.Errorf("shape %v where %s is due: extent %d is %d, not %d", t.Shape, typ, i, t.Shape[i], s.Dim(d))
		}
	}
	if t.Len() > 0 && t.DType() != typ.DType {
		return fmt.Errorf("%s numbers where %s is due", t.DType(), typ)
	}
	return nil
}
