package compiler

import (
	"strings"

	"github.com/debertac/debertac/ir"
)

// againSuffix ends the names of regions that compute again what a layer of the forward pass has not kept.
const againSuffix = "_again"

// lightSuffix ends the names of regions that are a layer of the forward pass which keeps nothing.
const lightSuffix = "_light"

// recompute lets the first layers of the forward pass keep nothing but their results (Chen et al. 2016, "Training deep nets with sublinear memory cost"). What
// the backward pass reads of such a layer is computed again, from the rows that enter the layer, directly before it is read first. So the activations of at
// most one of these layers are in memory at a time, for the price of a second forward pass through them. The numbers are the same bits: the second pass has
// the same nodes, and drops the same elements.
func recompute(p *ir.Program, layers int) {
	plain, again := map[*ir.Region]*ir.Region{}, map[string]*ir.Region{} // again: by the names in the store of what was kept
	made := map[*ir.Region]*ir.Region{}
	var run []ir.Call
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			if a := again[ir.At(v.Name, l)]; a != nil {
				run = append(run, ir.Call{Region: a, First: l, Count: 1})
				for _, v := range a.Out {
					delete(again, ir.At(v.Name, l))
				}
			}
		}
		if kept := keptOf(r); l < layers && len(kept) > 0 {
			if plain[r] == nil {
				plain[r], made[r] = parted(r, kept)
				p.Regions = append(p.Regions, plain[r], made[r])
			}
			for name := range kept {
				again[ir.At(name, l)] = made[r]
			}
			r = plain[r]
		}
		if n := len(run); n > 0 && run[n-1].Region == r && run[n-1].First+run[n-1].Count == l {
			run[n-1].Count++
			continue
		}
		run = append(run, ir.Call{Region: r, First: l, Count: 1})
	}
	p.Run = run
}

// keptOf returns the names of what a region of one layer keeps for the backward pass, if its results are named by the layer.
func keptOf(r *ir.Region) map[string]bool {
	kept := map[string]bool{}
	for _, v := range r.Out {
		if strings.HasPrefix(v.Name, keptPrefix) && hasLayer(v.Name) {
			kept[v.Name] = true
		}
	}
	return kept
}

// parted returns two parts of a region: what computes its results, and what computes the values that are kept.
func parted(r *ir.Region, kept map[string]bool) (plain, again *ir.Region) {
	same := func(name string) string { return name }
	plain, again = copyRegion(r, r.Name+lightSuffix, same), copyRegion(r, r.Name+againSuffix, same)
	again.Doc = again.Name + " computes again what the backward pass reads of " + r.Name + "."
	results := map[string]bool{}
	for _, v := range r.Out {
		results[v.Name] = !kept[v.Name]
	}
	prune(plain, results)
	prune(again, kept)
	return plain, again
}

// Again returns how many layers of the forward pass a training program computes a second time, see Train.Memory in package spec.
func Again(p *ir.Program) int {
	layers := map[int]bool{}
	for r, l := range ir.Steps(p.Run) {
		if strings.HasSuffix(r.Name, againSuffix) {
			layers[l] = true
		}
	}
	return len(layers)
}
