package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
)

// fuse joins ops that one kernel computes: the score's terms, softmax and weighted mean to one attention, and a product with the element-wise ops after it
// (bias, activation, residual) to one gemm.
func fuse(p *ir.Program) error {
	for _, r := range p.Regions {
		if err := fuseAttention(r); err != nil {
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
		if err := fuseLinear(r); err != nil {
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
		if err := fuseEmbed(r); err != nil {
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
	}
	return nil
}

// fuseLinear turns each product of the batch's rows into a gemm, with the activation and the residual that follow it.
func fuseLinear(r *ir.Region) error {
	rowsOf := func(v *ir.Value) bool { return v != nil && len(v.Type.Shape) == 2 && !v.Type.Shape[0].Const() }
	for i := 0; i < len(r.Nodes); i++ {
		n := r.Nodes[i]
		if n.Op != "linear" || !rowsOf(n.In[0]) {
			continue
		}
		count := uses(r)
		last, at := n, i
		var act string
		var residual *ir.Value
		if next, k := onlyReader(r, count, last.Out[0]); next != nil && len(next.In) == 1 && len(next.Out) == 1 && appliesInStore(next.Op) {
			act, last, at = next.Op, next, k
		} else if next != nil && next.Op == "add" && next.In[0] != next.In[1] && next.In[0].Type.Equal(next.In[1].Type) {
			residual = next.In[0]
			if residual == last.Out[0] {
				residual = next.In[1]
			}
			last, at = next, k
		}
		e := edit(r)
		rest := append([]*ir.Node(nil), r.Nodes[at+1:]...)
		r.Nodes = without(r.Nodes[:at+1], n, last)
		w, bias := n.In[1], n.In[2]
		name := stem(w)
		panels := e.Name(e.Op("panels", n.Pos, n.Note, nil, w), name+".panels")
		if bias == nil { // kernels always add a bias
			bias = e.Op("zeros", n.Pos, n.Note, []ir.Attr{{Key: "shape", Value: []int{w.Type.Shape[0].N}}})
		}
		bias = e.Name(e.Op("pad", n.Pos, n.Note, nil, bias), name+".bias16")
		attrs := []ir.Attr{{Key: "k", Value: w.Type.Shape[1].N}, {Key: "n", Value: w.Type.Shape[0].N}}
		if act != "" {
			attrs = append(attrs, ir.Attr{Key: "act", Value: act})
		}
		out := e.Op("gemm", n.Pos, n.Note, attrs, n.In[0], panels, bias, residual)
		if e.Err() != nil {
			return e.Err()
		}
		gemm := out.Def
		// The gemm takes the place and the output value of the last node that it covers, so that names and readers do not change.
		gemm.Out = last.Out
		last.Out[0].Def = gemm
		e.Name(last.Out[0], name)
		r.Nodes = append(r.Nodes, rest...)
		i--
	}
	return nil
}

// without returns a copy of the list of nodes without some of them.
func without(nodes []*ir.Node, drop ...*ir.Node) []*ir.Node {
	var out []*ir.Node
	for _, n := range nodes {
		if !slices.Contains(drop, n) {
			out = append(out, n)
		}
	}
	return out
}

// appliesInStore reports whether a product can apply an op in its last store. It can apply activations, which have a family of kernels.
func appliesInStore(op string) bool { return slices.Contains(ir.Lookup(op).Kernels, "act") }

// onlyReader returns the node that reads v, if it is the only one and no output reads v.
func onlyReader(r *ir.Region, count map[*ir.Value]int, v *ir.Value) (*ir.Node, int) {
	if count[v] != 1 {
		return nil, 0
	}
	for i, n := range r.Nodes {
		for _, in := range n.In {
			if in == v {
				return n, i
			}
		}
	}
	return nil, 0
}

// fuseEmbed makes a lookup whose rows are added to other rows do the addition itself, in the memory of those rows.
func fuseEmbed(r *ir.Region) error {
	for i := 0; i < len(r.Nodes); i++ {
		n := r.Nodes[i]
		if n.Op != "add" || slices.Contains(r.Out, n.Out[0]) {
			continue
		}
		count := uses(r)
		for k, v := range n.In {
			plus := n.In[1-k]
			if v.Def == nil || v.Def.Op != "embed" || v.Def.In[0] == nil || len(v.Def.In) > 2 || count[v] != 1 || count[plus] != 1 || plus.Kind != ir.Temp {
				continue
			}
			rest := append([]*ir.Node(nil), r.Nodes[i+1:]...)
			r.Nodes = without(r.Nodes[:i+1], n, v.Def)
			e := edit(r)
			sum := e.Op("embed", v.Def.Pos, v.Def.Note, v.Def.Attrs, v.Def.In[0], v.Def.In[1], plus)
			if e.Err() != nil {
				return e.Err()
			}
			sum.Def.Out = n.Out
			n.Out[0].Def = sum.Def
			r.Nodes = append(r.Nodes, rest...)
			i--
			break
		}
	}
	return nil
}
