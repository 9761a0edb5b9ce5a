package measure

import (
	"cmp"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/diag"
)

// Line is what a training step computes, moves and keeps because of one statement of the spec. Nodes that belong to no statement, such as those of optimizers,
// have a line without a place.
type Line struct {
	At        diag.Span
	Statement string
	Forward   Load
	Backward  Load
	Kept      float64 // bytes of activations that the forward pass computes and the backward pass reads
}

// Lines returns the lines of a training step up to its gradients, as [Work] counts, in the order of their places in the files of the spec.
func Lines(p *ir.Program, sizes ir.Sizes) []Line {
	held, parts := heldOf(p), p.PartsOfStep()
	found := map[diag.Span]*Line{}
	line := func(at diag.Span, note string) *Line {
		at.EndCol = 0
		if found[at] == nil {
			found[at] = &Line{At: at}
		}
		if l := found[at]; l.Statement == "" {
			l.Statement = strings.Join(strings.Fields(note), " ")
		}
		return found[at]
	}
	read, i := map[string]bool{}, 0 // by the backward pass
	for r, l := range ir.Steps(p.Run) {
		if parts[i] == ir.PartBackward {
			for _, v := range r.In {
				read[ir.At(v.Name, l)] = true
			}
		}
		i++
	}
	i = -1
	for r, l := range ir.Steps(p.Run) {
		if i++; parts[i] != ir.PartForward && parts[i] != ir.PartBackward {
			continue
		}
		for _, n := range r.Nodes {
			to := &line(n.Pos, n.Note).Forward
			if parts[i] == ir.PartBackward {
				to = &line(n.Pos, n.Note).Backward
			}
			to.Add(work(n, sizes, held))
		}
		for _, v := range r.Out {
			if parts[i] == ir.PartForward && v.Def != nil && read[ir.At(v.Name, l)] {
				line(v.Def.Pos, v.Def.Note).Kept += floatBytes * float64(ir.SpaceOf(v).Floats(sizes))
			}
		}
	}
	var list []Line
	for _, l := range found {
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Col, b.At.Col))
	})
	return list
}

// floatBytes is the size of a number.
const floatBytes = 4
