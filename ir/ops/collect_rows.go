package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "collect_rows", Class: ir.Reduction,
	Doc: "t_r = Σ p[a, ij]·x_i over the pairs whose row index[pos(i)-pos(j)] is r, over the columns of head a, [A, P], [T, A·D] → [rows, A·D].",
	In:  []ir.Operand{float("p", "[A, P]"), float("x", "[T, A·D]"), indexIn, startsIn, posIn},

	Attrs: []ir.AttrDef{headsAttr, flipAttr, {Name: "rows", Type: ir.AttrInt, Required: true, Doc: "R, rows of the result"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		a, err := pairShape(n, 0)
		if err != nil {
			return nil, err
		}
		w, err := tokenRows(n, 1)
		if err != nil {
			return nil, err
		}
		h, err := heads(n, w)
		if err == nil && h != a {
			err = fmt.Errorf("p has %d heads, the attribute heads is %d", a, h)
		}
		if n.Int("rows") < 1 {
			return nil, fmt.Errorf("a result of %d rows", n.Int("rows"))
		}
		return []ir.Type{f32(ir.N(n.Int("rows")), ir.N(w))}, first(err, lookupShape(n, 2))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[3], in[1].Shape[0])
		if err != nil {
			return nil, err
		}
		a, w := in[0].Shape[0], in[1].Shape[1]
		d := w / a
		p, x, t := in[0].Floats(), in[1].Floats(), ir.NewArray(n.Int("rows"), w)
		err = lookupOf(n, in, 2, n.Int("rows")).each(list, func(i, _, at, r int) {
			for h := 0; h < a; h++ {
				addScaled(t.F[r*w+h*d:][:d], x[i*w+h*d:][:d], p[h*in[0].Shape[1]+at])
			}
		})
		return []*ir.Array{t}, err
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		at, a := n.In[2:5], attrs("heads", n.Int("heads"), "flip", n.Flag("flip"))
		return []*ir.Value{
			b.Like(n, "score_cp", a, n.In[1], dy[0], at[0], at[1], at[2]),
			b.Like(n, "weigh_rows", a, n.In[0], dy[0], at[0], at[1], at[2]),
			nil, nil, nil,
		}, b.Err()
	},
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return pairWork(s, n.In[1].Type.Shape[1].N) },
	NoLower: fusedGrad,
	Sample: samples(
		sample(attrs("heads", 2, "rows", 7), normal(ir.N(2), ir.P), normal(ir.T, ir.N(6)), index(7), starts(), positions()),
		holes(sample(attrs("heads", 2, "rows", 7, "flip", true), normal(ir.N(2), ir.P), normal(ir.T, ir.N(6)), index(7), starts(), positions())),
	),
})
