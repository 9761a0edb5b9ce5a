package compiler

import (
	"fmt"
	"math/bits"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/diag"
)

// maxElements is the greatest number of elements of one tensor, or of one step's result in the largest call: 16 TiB of floats. Larger sizes are mistakes. Sums
// over all layers stay within 64 bits.
const maxElements int64 = 1 << 42

// SizeError is the error for a program with a tensor that is too large.
type SizeError struct{ Fault *diag.Diag }

// Error returns the message.
func (e *SizeError) Error() string { return e.Fault.Message }

// product multiplies numbers that are not negative. It returns false if the result is more than maxElements or overflows.
func product(factors ...int) (int, bool) {
	n := uint64(1)
	for _, f := range factors {
		hi, lo := bits.Mul64(n, uint64(f))
		if f < 0 || hi != 0 {
			return 0, false
		}
		n = lo
	}
	return int(n), n <= uint64(maxElements)
}

// weightSizes returns an error if a tensor that packing reads or makes has more than maxElements elements.
func weightSizes(p *ir.Program) error {
	for _, r := range p.Regions {
		for _, n := range r.Nodes {
			for _, v := range append(append([]*ir.Value(nil), n.In...), n.Out...) {
				if v == nil {
					continue
				}
				extents, fixed := make([]int, len(v.Type.Shape)), true
				for i, d := range v.Type.Shape {
					extents[i] = d.N
					fixed = fixed && d.Sym == ""
				}
				if !fixed {
					continue
				}
				if _, ok := product(extents...); !ok {
					return &SizeError{diag.Errorf("too-large", n.Pos, "%s of shape %v has more than %d numbers, the most that a tensor may have", v.Name,
						extents, maxElements)}
				}
			}
		}
	}
	return nil
}

// callSizes returns an error if the result of a step of the largest call has more than maxElements elements.
func callSizes(p *ir.Program) error {
	if p.Plan == nil {
		return nil
	}
	most := p.Bounds.Sizes()
	for _, b := range p.Plan.Buffers {
		for _, part := range b.Parts() {
			rows := []int{most.Dim(part.Rows)}
			if e, ok := part.Rows.Extent(); ok && e.Follows() { // the number in Sizes may have overflowed
				rows = []int{p.Bounds.Tokens, p.Bounds.Length}
			}
			if _, ok := product(append(rows, part.Floats)...); ok {
				continue
			}
			at := diag.Span{}
			if n := nodeOf(p, b); n != nil {
				at = n.Pos
			}
			return &SizeError{diag.Errorf("too-large", at, "a call of %d tokens makes %v rows of %d numbers here, more than %d: lower the target's tokens "+
				"and batch, or seq",
				p.Bounds.Tokens, fmt.Sprint(rows), part.Floats, maxElements)}
		}
	}
	return nil
}
