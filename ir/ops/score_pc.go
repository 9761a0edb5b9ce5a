package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "score_pc", Class: ir.Pairs,
	Doc: "position→content: s[a, ij] = k_j·qr[index[pos(i)-pos(j)]] over the columns of head a (DeBERTa, equation 4, with the sign of the released " +
		"weights; flip selects the paper's sign), [T, A·D], [R, A·D] → [A, P].",
	In: []ir.Operand{float("k", "[T, A·D]"), float("qr", "[R, A·D]"), indexIn, startsIn, posIn},

	Attrs: []ir.AttrDef{headsAttr, flipAttr},
	Shape: shapeOffset,
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		return refOffset(n, in, func(_, j int) int { return j })
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		a, at := n.Int("heads"), n.In[2:5]
		turned := b.Like(n, "pair_transpose", nil, dy[0], at[1])
		return []*ir.Value{
			b.Like(n, "weigh_rows", flipped(n, "heads", a), turned, n.In[1], at[0], at[1], at[2]),
			b.Like(n, "collect_rows", flipped(n, "heads", a, "rows", n.In[1].Type.Shape[0].N), turned, n.In[0], at[0], at[1], at[2]),
			nil, nil, nil,
		}, b.Err()
	},
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return pairWork(s, n.In[0].Type.Shape[1].N) },
	NoLower: fusedFirst,
	Sample:  samples(offsetSample(false), offsetSample(true), holes(offsetSample(true))),
})
