package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "weigh_rows", Class: ir.Attention,
	Doc:   "o_i = Σ_j p[a, ij]·table[index[pos(i)-pos(j)]] over the columns of head a, [A, P], [R, A·D] → [T, A·D].",
	In:    []ir.Operand{float("p", "[A, P]"), float("table", "[R, A·D]"), indexIn, startsIn, posIn},
	Attrs: []ir.AttrDef{headsAttr, flipAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		a, err := pairShape(n, 0)
		if err != nil {
			return nil, err
		}
		_, w, err := fixed(n, 1)
		if err != nil {
			return nil, err
		}
		h, err := heads(n, w)
		if err == nil && h != a {
			err = fmt.Errorf("p has %d heads, the attribute heads is %d", a, h)
		}
		return []ir.Type{f32(ir.T, ir.N(w))}, first(err, lookupShape(n, 2))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[3], in[4].Shape[0])
		if err != nil {
			return nil, err
		}
		a, w := in[0].Shape[0], in[1].Shape[1]
		d := w / a
		p, table, o := in[0].Floats(), in[1].Floats(), ir.NewArray(in[4].Shape[0], w)
		err = lookupOf(n, in, 2, in[1].Shape[0]).each(list, func(i, _, at, r int) {
			for h := 0; h < a; h++ {
				addScaled(o.F[i*w+h*d:][:d], table[r*w+h*d:][:d], p[h*in[0].Shape[1]+at])
			}
		})
		return []*ir.Array{o}, err
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		at, a, flip := n.In[2:5], n.Int("heads"), n.Flag("flip")
		return []*ir.Value{
			b.Like(n, "score_cp", attrs("heads", a, "flip", flip), dy[0], n.In[1], at[0], at[1], at[2]),
			b.Like(n, "collect_rows", attrs("heads", a, "flip", flip, "rows", n.In[1].Type.Shape[0].N), n.In[0], dy[0], at[0], at[1], at[2]),
			nil, nil, nil,
		}, b.Err()
	},
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return pairWork(s, n.In[1].Type.Shape[1].N) },
	NoLower: fusedGrad,
	Sample: samples(
		sample(attrs("heads", 2), normal(ir.N(2), ir.P), normal(ir.N(7), ir.N(6)), index(7), starts(), positions()),
		sample(attrs("heads", 2, "flip", true), normal(ir.N(2), ir.P), normal(ir.N(7), ir.N(6)), index(7), starts(), positions()),
	),
})
