package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// precisionPass is the name of the pass bf16Products.
const precisionPass = "precision"

// bf16Products rounds the operands of products with weights to bfloat16, in the forward and in the backward pass. It runs when the gradients are there: they
// are those of the products without rounding, of operands that are rounded. Each operand is rounded once, before the first product of the region that reads it.
func bf16Products(p *ir.Program) error {
	for _, r := range p.Regions {
		if err := roundProducts(r); err != nil {
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
	}
	return nil
}

// rounded is a matrix in pairs, of rows or of columns.
type rounded struct {
	value *ir.Value
	rows  bool
}

// roundProducts changes the products of a region.
func roundProducts(r *ir.Region) error {
	pairs := map[rounded]*ir.Value{}
	e, old := edit(r), r.Nodes
	r.Nodes = nil
	round := func(n *ir.Node, v *ir.Value, rows bool) *ir.Value {
		key := rounded{v, rows}
		if pairs[key] == nil {
			var attrs []ir.Attr
			if rows {
				attrs = []ir.Attr{ir.A("rows", true)}
			}
			pairs[key] = e.Op("bf16_pairs", n.Pos, n.Note, attrs, v)
		}
		return pairs[key]
	}
	for _, n := range old {
		switch {
		case gradientOfWeights(n):
			in := []*ir.Value{round(n, n.In[0], true), round(n, n.In[1], true)}
			n.Op, n.Attrs, n.In = "product_tn_bf16", nil, append(in, n.In[2:]...)
		case withWeights(n):
			in := []*ir.Value{round(n, n.In[0], false), n.In[1], nil, nil}
			if n.Op == "linear" {
				copy(in[2:], n.In[2:])
			} else {
				in[3] = operandOf(n, 2)
			}
			tb := n.Op == "linear" || n.Flag("tb")
			if n.Op, n.Attrs, n.In = "product_bf16", nil, in; tb {
				n.Attrs = []ir.Attr{ir.A("tb", true)}
			}
			for len(n.In) > 2 && n.In[len(n.In)-1] == nil {
				n.In = n.In[:len(n.In)-1]
			}
		}
		r.Nodes = append(r.Nodes, n)
	}
	return e.Err()
}

// withWeights reports whether a node is the product of rows with weights: a tensor of the checkpoint, or what follows from one, such as the weights of a
// convolution in another order. These are the only second matrices of a fixed size.
func withWeights(n *ir.Node) bool {
	if n.Op != "linear" && n.Op != "matmul" || n.Flag("ta") {
		return false
	}
	s := n.In[1].Type.Shape
	return s[0].Const() && s[1].Const()
}

// gradientOfWeights reports whether a node is the product of two matrices over their rows, whose result has a fixed size: the gradient of weights.
func gradientOfWeights(n *ir.Node) bool {
	return n.Op == "matmul" && n.Flag("ta") && !n.Flag("tb") && n.Out[0].Type.Shape[0].Const()
}
