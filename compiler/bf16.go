package compiler

import (
	"fmt"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// bf16Weights rounds the operands of products to bfloat16, if the target asks for such weights: weights, tables and projected relative tables when they are
// packed, the rows before the first product of the region that reads them, and queries, keys, values and probabilities within an attention. Sums, norms and the
// softmax are float32. An attention that mixes heads stays in float32.
func bf16Weights(p *ir.Program) error {
	if p.Meta.Weights != "bf16" {
		return nil
	}
	for _, r := range p.Regions {
		if err := bf16Region(r); err != nil {
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
	}
	tied := multiplied(p, "panels_bf16")
	for _, r := range p.Regions {
		if err := bf16Tables(r, tied); err != nil {
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
	}
	return nil
}

// bf16Tables changes the look-ups of a region in tables of the checkpoint. If products read a table too, look-ups read the panels of these products.
func bf16Tables(r *ir.Region, tied map[string]bool) error {
	e, old := edit(r), r.Nodes
	r.Nodes = nil
	for _, n := range old {
		if n.Op == "embed" && n.In[0].Kind == ir.Tensor && n.In[1].Batched() {
			table, cols := n.In[0], n.In[0].Type.Shape[1].N
			if tied[table.Name] {
				n.In[0] = e.Name(e.Op("panels_bf16", n.Pos, n.Note, nil, table), stem(table)+".panels16")
			} else {
				x := table
				if cols%kernel.PanelWidth > 0 {
					x = e.Op("pad", n.Pos, n.Note, nil, table)
				}
				n.In[0] = e.Name(e.Op("bf16_pairs", n.Pos, n.Note, nil, x), stem(table)+".pairs16")
			}
			n.Op, n.Attrs = "embed_bf16", nil // a frozen row is for gradients
			n.Set("width", cols)
		}
		r.Nodes = append(r.Nodes, n)
	}
	return e.Err()
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
		if n.Op == "attention" && !ops.AttentionMixes(n) {
			roundAttention(e, n)
		}
		r.Nodes = append(r.Nodes, n)
	}
	unused(r)
	return e.Err()
}

// roundAttention rounds the operands of an attention. Its tables are packed as pairs.
func roundAttention(e editor, n *ir.Node) {
	for which := range 2 {
		if t := n.In[ops.AttnKR+which]; t != nil {
			for len(n.In) <= ops.AttnKRPairs+which {
				n.In = append(n.In, nil)
			}
			n.In[ops.AttnKR+which] = nil
			n.In[ops.AttnKRPairs+which] = e.Name(e.Op("head_panels_bf16", t.Def.Pos, t.Def.Note, t.Def.Attrs, t.Def.In[0]), t.Name+"16")
		}
	}
	n.Set("bf16", true)
}

// unused removes the panels of float32 that no node reads any more.
func unused(r *ir.Region) {
	read := uses(r)
	var kept []*ir.Node
	for _, n := range r.Nodes {
		if n.Op != "panels" && n.Op != "head_panels" || read[n.Out[0]] > 0 {
			kept = append(kept, n)
		}
	}
	r.Nodes = kept
}
