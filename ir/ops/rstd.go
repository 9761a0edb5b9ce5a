package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "rstd", Class: ir.Rowwise,
	Doc:   "1 / sqrt(variance + eps) of each row, biased variance, [M, H] → [M].",
	In:    []ir.Operand{float("x", "[M, H]")},
	Attrs: []ir.AttrDef{epsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		return []ir.Type{f32(rows)}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		_, r := normalized(in[0], n.Float("eps"))
		return []*ir.Array{r}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g := graph{b, n} // -rstd²·hat/H
		h, r := n.In[0].Type.Shape[1].N, n.Out[0]
		d := g.scale(g.mul(dy[0], g.mul(r, r)), -1/float64(h))
		hat := g.op("normalize", attrs("eps", n.Float("eps")), n.In[0])
		return []*ir.Value{g.mul(hat, g.op("spread", attrs("n", h), d))}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 4 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	NoLower: forTraining,
	Sample:  samples(sample(attrs("eps", 0.125), normal(ir.T, ir.N(5)))),
})
