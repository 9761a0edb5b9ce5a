package compiler

import (
	"slices"

	"github.com/debertac/debertac/ir"
)

// dead drops nodes, outputs, inputs and calls that no output of the program needs. It walks the schedule backwards with the set of store names that are still
// needed. A region that runs once per layer needs its own outputs for the next layer.
func dead(p *ir.Program) error {
	want := map[string]bool{}
	for _, o := range slices.Concat(p.Outputs, p.Keep) {
		want[o] = true
	}
	need := map[*ir.Region]map[string]bool{} // outputs that some call of the region must write
	for _, calls := range [][]ir.Call{p.Run, p.Pack} {
		for c := len(calls) - 1; c >= 0; c-- {
			call := calls[c]
			if need[call.Region] == nil {
				need[call.Region] = map[string]bool{}
			}
			for l := call.First + call.Count - 1; l >= call.First; l-- {
				live := map[*ir.Value]bool{}
				for _, o := range call.Region.Out {
					if want[ir.At(o.Name, l)] {
						need[call.Region][o.Name] = true
						live[o] = true
					}
				}
				if len(live) == 0 {
					continue
				}
				for _, o := range call.Region.Out {
					if live[o] {
						delete(want, ir.At(o.Name, l))
					}
				}
				markLive(call.Region, live)
				for _, in := range call.Region.In {
					if live[in] && (in.Kind == ir.State || in.Kind == ir.Packed) {
						want[ir.At(in.Name, l)] = true
					}
				}
			}
		}
	}
	for _, r := range p.Regions {
		prune(r, need[r])
	}
	keep := func(calls []ir.Call) []ir.Call {
		var out []ir.Call
		for _, c := range calls {
			if len(c.Region.Out) > 0 {
				out = append(out, c)
			}
		}
		return out
	}
	p.Run, p.Pack = keep(p.Run), keep(p.Pack)
	var regions []*ir.Region
	for _, r := range p.Regions {
		if len(r.Out) > 0 {
			regions = append(regions, r)
		}
	}
	p.Regions = regions
	return nil
}

// markLive adds all values from which live values are computed.
func markLive(r *ir.Region, live map[*ir.Value]bool) {
	for i := len(r.Nodes) - 1; i >= 0; i-- {
		n := r.Nodes[i]
		used := false
		for _, o := range n.Out {
			used = used || live[o]
		}
		if !used {
			continue
		}
		for _, in := range n.In {
			if in != nil {
				live[in] = true
			}
		}
	}
}

// prune keeps the outputs named in need and the values from which they are computed.
func prune(r *ir.Region, need map[string]bool) {
	live := map[*ir.Value]bool{}
	var out []*ir.Value
	for _, o := range r.Out {
		if need[o.Name] {
			out = append(out, o)
			live[o] = true
		}
	}
	r.Out = out
	markLive(r, live)
	var nodes []*ir.Node
	for _, n := range r.Nodes {
		for _, o := range n.Out {
			if live[o] {
				nodes = append(nodes, n)
				break
			}
		}
	}
	r.Nodes = nodes
	var in []*ir.Value
	for _, v := range r.In {
		if live[v] {
			in = append(in, v)
		}
	}
	r.In = in
}
