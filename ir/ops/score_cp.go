package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "score_cp", Class: ir.Pairs,
	Doc: "content→position: s[a, ij] = q_i·kr[index[pos(i)-pos(j)]] over the columns of head a (DeBERTa, equation 4), [T, A·D], [R, A·D] → [A, P].",
	In:  []ir.Operand{float("q", "[T, A·D]"), float("kr", "[R, A·D]"), indexIn, startsIn, posIn},

	Attrs: []ir.AttrDef{headsAttr, flipAttr},
	Shape: shapeOffset,
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		return refOffset(n, in, func(i, _ int) int { return i })
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		a, flip := n.Int("heads"), n.Flag("flip")
		at := n.In[2:5]
		return []*ir.Value{
			b.Like(n, "weigh_rows", attrs("heads", a, "flip", flip), dy[0], n.In[1], at[0], at[1], at[2]),
			b.Like(n, "collect_rows", attrs("heads", a, "flip", flip, "rows", n.In[1].Type.Shape[0].N), dy[0], n.In[0], at[0], at[1], at[2]),
			nil, nil, nil,
		}, b.Err()
	},
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return pairWork(s, n.In[0].Type.Shape[1].N) },
	NoLower: fusedFirst,
	Sample:  samples(offsetSample(false), offsetSample(true), holes(offsetSample(false))),
})

// offsetSample returns a sample of score_cp and score_pc.
func offsetSample(flip bool) ir.Sample {
	return sample(attrs("heads", 2, "flip", flip), normal(ir.T, ir.N(6)), normal(ir.N(7), ir.N(6)), index(7), starts(), positions())
}

// shapeOffset checks score_cp and score_pc and returns their result's type.
func shapeOffset(n *ir.Node) ([]ir.Type, error) {
	w, err := tokenRows(n, 0)
	if err != nil {
		return nil, err
	}
	_, cols, err := fixed(n, 1)
	if err != nil {
		return nil, err
	}
	if cols != w {
		return nil, fmt.Errorf("%s has %d columns, %s has %d: they must be equal", operand(n, 0), w, operand(n, 1), cols)
	}
	a, err := heads(n, w)
	return []ir.Type{f32(ir.N(a), ir.P)}, first(err, lookupShape(n, 2))
}

// refOffset computes score_cp and score_pc: row side(i, j) of x times the row of the table that the offset selects.
func refOffset(n *ir.Node, in []*ir.Array, side func(i, j int) int) ([]*ir.Array, error) {
	list, err := blocks(in[3], in[0].Shape[0])
	if err != nil {
		return nil, err
	}
	a, w := n.Int("heads"), in[0].Shape[1]
	d := w / a
	x, table, s := in[0].Floats(), in[1].Floats(), ir.NewArray(a, pairCount(list))
	err = lookupOf(n, in, 2, in[1].Shape[0]).each(list, func(i, j, p, r int) {
		for h := 0; h < a; h++ {
			s.F[h*s.Shape[1]+p] = dot(x[side(i, j)*w+h*d:][:d], table[r*w+h*d:][:d])
		}
	})
	return []*ir.Array{s}, err
}
