package ir

import "fmt"

// Array is a value in the oracle: numbers in row-major order. Exactly one of F, F32 and I is set; it may be empty if an extent is 0. An array never changes
// after it is made, so ops may share its memory.
type Array struct {
	Shape []int
	F     []float64 // float32 values, held and computed in float64
	F32   []float32 // weights as the checkpoint holds them; they are widened where they are used
	I     []int32
}

// NewArray returns an array of zeros in float64.
func NewArray(shape ...int) *Array {
	return &Array{Shape: append([]int(nil), shape...), F: make([]float64, elements(shape))}
}

// NewInts returns an array of integer zeros.
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

// Len returns the number of elements of the shape.
func (t *Array) Len() int { return elements(t.Shape) }

// DType returns the element type.
func (t *Array) DType() DType {
	if t.I != nil {
		return I32
	}
	return F32
}

// Floats returns the numbers in float64: F itself, or a widened copy of F32. The caller must not change them.
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

// Single returns the numbers rounded to float32: F32 itself, or a rounded copy of F. The caller must not change them.
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

// Row copies row r to dst in float64. A row holds all elements that have the same first index.
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

// Rearrange returns an array of the given shape. Its element i is element from(i) of t, or 0 where from returns -1. The numbers keep the form that they have in
// t, so a float32 table is never widened.
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

// moved gathers n elements; an element is 0 where from returns -1.
func moved[E any](src []E, n int, from func(i int) int) []E {
	out := make([]E, n)
	for i := range out {
		if k := from(i); k >= 0 {
			out[i] = src[k]
		}
	}
	return out
}

// Valid returns an error unless the numbers are in one form and there are as many as the shape has elements.
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

// Fits returns an error unless the array has type typ, whose symbols have the sizes s.
func (t *Array) Fits(typ Type, s Sizes) error {
	if err := t.Valid(); err != nil {
		return err
	}
	if len(t.Shape) != len(typ.Shape) {
		return fmt.Errorf("shape %v, want %s", t.Shape, typ)
	}
	for i, d := range typ.Shape {
		if t.Shape[i] != s.Dim(d) {
			return fmt.Errorf("shape %v, want %s: extent %d is %d, not %d", t.Shape, typ, i, t.Shape[i], s.Dim(d))
		}
	}
	if t.Len() > 0 && t.DType() != typ.DType {
		return fmt.Errorf("%s numbers, want %s", t.DType(), typ)
	}
	return nil
}
