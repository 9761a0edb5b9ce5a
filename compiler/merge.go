package compiler

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// merges lists the matrices of a program that have adapters, in the order of its tensors.
func merges(p *ir.Program, l *spec.Lora) (list []ir.Merge) {
	if l == nil {
		return nil
	}
	names := Parameters(p)
	for _, down := range names {
		base, ok := strings.CutSuffix(down, adapterDown)
		if !ok {
			continue
		}
		a := ir.Merge{Of: base + ".weight", Down: down, Up: base + adapterUp, By: l.Alpha / float64(l.Rank)}
		if !slices.Contains(names, a.Of) { // in_proj.query is a part of in_proj
			at := strings.LastIndex(base, ".")
			a.Of, a.Part, a.Parts = base[:at]+".weight", joinedParts[base[at+1:]], len(joinedParts)
			a.Heads = headsOf(p, a.Of)
		}
		list = append(list, a)
	}
	return list
}

// headsOf returns the number of heads whose parts lie together in a tensor.
func headsOf(p *ir.Program, tensor string) int {
	for r, l := range ir.Steps(p.Run) {
		for _, n := range r.Nodes {
			if n.Op == "head_part" && ir.At(n.In[0].Name, l) == tensor {
				return n.Int("heads")
			}
		}
	}
	return 0
}
