package compiler

import (
	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// tile chooses the layout in memory of activations and of the weights of row-wise kernels. Kernels read whole vectors of 16 floats, so the rows of activations
// are padded to a multiple of 16, and so are tables and vectors of weights. The padding is written but never read as data.
func tile(p *ir.Program) error {
	if err := tieTables(p); err != nil {
		return err
	}
	for _, r := range p.Regions {
		if err := padWeights(r); err != nil {
			return err
		}
		eachValue(r, stride)
	}
	return nil
}

// eachValue calls f with the inputs of a region and with the results of its nodes.
func eachValue(r *ir.Region, f func(v *ir.Value)) {
	for _, v := range r.In {
		f(v)
	}
	for _, n := range r.Nodes {
		for _, v := range n.Out {
			f(v)
		}
	}
}

// stride sets the row distance of an activation. Other values have no row distance.
func stride(v *ir.Value) {
	s := v.Type.Shape
	if (v.Type.DType == ir.F32 || v.Def != nil && v.Def.Op == "bf16_pairs") && len(s) == 2 && !s[0].Const() && s[1].Const() {
		v.LD = kernel.LD(s[1].N)
		if v.Kind == ir.Batch { // it lies in the caller's memory, without padding
			v.LD = s[1].N
		}
	}
}

// tieTables lets lookups read a table in panels if a product has the table in panels: a head that is tied to the token table then needs no second copy of it.
func tieTables(p *ir.Program) error {
	tied := multiplied(p, "panels")
	for _, r := range p.Regions {
		nodes := r.Nodes
		r.Nodes = nil
		e := edit(r)
		for _, n := range nodes {
			if n.Op == "embed" && n.In[0].Kind == ir.Tensor && tied[n.In[0].Name] {
				n.In[0] = e.Name(e.Op("panels", n.Pos, n.Note, nil, n.In[0]), stem(n.In[0])+".panels")
				n.Op = "embed_panels"
				n.Attrs = nil // a frozen row is for gradients
			}
			r.Nodes = append(r.Nodes, n)
		}
		if e.Err() != nil {
			return e.Err()
		}
	}
	return nil
}

// multiplied returns the tensors of the checkpoint whose panels, which an op makes, products read.
func multiplied(p *ir.Program, panels string) map[string]bool {
	names := map[string]bool{}
	for _, r := range p.Regions {
		for _, n := range r.Nodes {
			if n.Op == panels && n.In[0].Kind == ir.Tensor {
				names[n.In[0].Name] = true
			}
		}
	}
	return names
}

// padWeights pads the vectors and tables that row-wise kernels read.
func padWeights(r *ir.Region) error {
	nodes := r.Nodes
	r.Nodes = nil
	e := edit(r)
	padded := map[*ir.Value]*ir.Value{}
	for _, n := range nodes {
		if n.Out[0].Batched() && (n.Op == "layernorm" || n.Op == "embed") {
			for i, v := range n.In {
				if v == nil || v.Type.DType != ir.F32 || v.Batched() {
					continue
				}
				cols := v.Type.Shape[len(v.Type.Shape)-1].N
				if cols%kernel.PanelWidth == 0 {
					continue
				}
				if padded[v] == nil {
					padded[v] = e.Name(e.Op("pad", n.Pos, n.Note, nil, v), stem(v)+suffix(v))
				}
				n.In[i] = padded[v]
				if n.Op == "embed" {
					n.Set("width", cols)
				}
			}
		}
		r.Nodes = append(r.Nodes, n)
	}
	return e.Err()
}

// suffix returns the end of a tensor's name, which tells a gain from a shift.
func suffix(v *ir.Value) string {
	for _, s := range []string{".weight", ".bias"} {
		if len(v.Name) > len(s) && v.Name[len(v.Name)-len(s):] == s {
			return s
		}
	}
	return ".table"
}
