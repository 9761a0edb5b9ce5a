package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// bf16Weights rounds the operands of products with weights to bfloat16, if the target asks for such weights: the weights when they are packed, the rows before
// the first product of the region that reads them. Sums, norms and attention are float32.
func bf16Weights(p *ir.Program) error {
	if p.Meta.Weights != "bf16" {
		return nil
	}
	for _, r := range p.Regions {
		if err := bf16Region(r); err != nil {
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
	}
	return nil
}

// bf16Region changes the products of a region.
func bf16Region(r *ir.Region) error {
	rows, weights := map[*ir.Value]*ir.Value{}, map[*ir.Value]*ir.Value{}
	e, old := edit(r), r.Nodes
	r.Nodes = nil
	for _, n := range old {
		if n.Op == "gemm" && n.In[1].Def != nil && n.In[1].Def.Op == "panels" {
			x, w := n.In[0], n.In[1]
			if rows[x] == nil {
				rows[x] = e.Op("bf16_pairs", n.Pos, n.Note, nil, x)
			}
			if weights[w] == nil {
				weights[w] = e.Name(e.Op("panels_bf16", w.Def.Pos, w.Def.Note, nil, w.Def.In[0]), w.Name+"16")
			}
			n.Op, n.In[0], n.In[1] = "gemm_bf16", rows[x], weights[w]
			n.Set("k", rows[x].Type.Shape[1].N)
		}
		r.Nodes = append(r.Nodes, n)
	}
	unused(r)
	return e.Err()
}

// unused removes the panels that no node reads any more.
func unused(r *ir.Region) {
	read := uses(r)
	var kept []*ir.Node
	for _, n := range r.Nodes {
		if n.Op != "panels" || read[n.Out[0]] > 0 {
			kept = append(kept, n)
		}
	}
	r.Nodes = kept
}
