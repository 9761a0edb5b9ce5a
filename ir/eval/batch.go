package eval

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
)

// StoreOf returns a store with all parts of a valid batch. If the batch lacks positions or token types, the store has those that a call without them uses.
// columns is the number of columns of a part for which models decide it.
func StoreOf(b *ragged.Batch, columns int) Store {
	full := *b
	full.Positions = make([]int32, b.Tokens())
	b.FillPositions(full.Positions)
	if len(b.Types) == 0 {
		full.Types = make([]int32, b.Tokens())
	}
	s := Store{}
	for p := range ragged.Part(ragged.Parts) {
		r := p.Row()
		a := &ir.Array{Shape: []int{p.Len(&full)}}
		if n := r.Columns; n != 0 {
			if n == ragged.ByLimit {
				n = columns
			}
			a.Shape = []int{p.Len(&full) / max(1, n), n}
		}
		if r.Floats() {
			a.F32 = *p.Float32s(&full)
		} else {
			a.I = *p.Ints(&full)
		}
		s[r.Operand] = a
	}
	return s
}

// sizesOf takes the extents of the batch from those of its values that the schedule reads. Extents that follow from several values are computed from these.
func sizesOf(p *ir.Program, s Store) (ir.Sizes, error) {
	var b ragged.Batch
	var z ragged.Sizes
	known := map[ragged.Extent]bool{}
	for _, c := range p.Run {
		for _, v := range c.Region.In {
			a := s[v.Name]
			if v.Kind != ir.Batch || a == nil || len(v.Type.Shape) == 0 || len(a.Shape) == 0 {
				continue
			}
			d := v.Type.Shape[0]
			e, ok := d.Extent()
			if !ok {
				continue
			}
			n, at := a.Shape[0]-d.N, z.At(e)
			if known[e] && *at != n {
				return ir.Sizes{}, fmt.Errorf("%s has %d %s, another value of the batch has %d", v.Name, n, e.Row().Many, *at)
			}
			*at, known[e] = n, true
		}
	}
	for part := range ragged.Part(ragged.Parts) {
		if a := s[part.Row().Operand]; a != nil && a.I != nil && !part.Row().Floats() {
			*part.Ints(&b) = a.I
		}
	}
	for e := range ragged.Extent(ragged.Extents) {
		if !known[e] && e.Follows() {
			*z.At(e) = b.Size(e)
		}
	}
	return ir.Sizes(z), nil
}
