package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "score_bias", Class: ir.Pairs,
	Doc:   "A lookup: s[a, ij] = table[a, index[pos(i)-pos(j)]], [A, R] → [A, P].",
	In:    []ir.Operand{float("table", "[A, R]"), indexIn, startsIn, posIn},
	Attrs: []ir.AttrDef{flipAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		a, _, err := fixed(n, 0)
		return []ir.Type{f32(ir.N(a), ir.P)}, first(err, lookupShape(n, 1))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[2], in[3].Shape[0])
		if err != nil {
			return nil, err
		}
		a, rows := in[0].Shape[0], in[0].Shape[1]
		table, s := in[0].Floats(), ir.NewArray(a, pairCount(list))
		err = lookupOf(n, in, 1, rows).each(list, func(_, _, p, r int) {
			for h := 0; h < a; h++ {
				s.F[h*s.Shape[1]+p] = table[h*rows+r]
			}
		})
		return []*ir.Array{s}, err
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		a := attrs("flip", n.Flag("flip"), "rows", n.In[0].Type.Shape[1].N)
		return []*ir.Value{b.Like(n, "collect_bias", a, dy[0], n.In[1], n.In[2], n.In[3]), nil, nil, nil}, b.Err()
	},
	NoLower: fusedFirst,
	Sample: samples(
		sample(nil, normal(ir.N(2), ir.N(7)), index(7), starts(), positions()),
		holes(sample(attrs("flip", true), normal(ir.N(2), ir.N(7)), index(7), starts(), positions())),
	),
})
