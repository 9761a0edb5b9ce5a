package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "score_cc", Class: ir.Pairs,
	Doc:   "content·content: s[a, ij] = q_i·k_j over the columns of head a, [T, A·D], [T, A·D] → [A, P].",
	In:    []ir.Operand{float("q", "[T, A·D]"), float("k", "[T, A·D]"), startsIn},
	Attrs: []ir.AttrDef{headsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		if err != nil {
			return nil, err
		}
		if !n.In[0].Type.Equal(n.In[1].Type) {
			return nil, fmt.Errorf("q is %s, k is %s: they must have one shape", n.In[0].Type, n.In[1].Type)
		}
		a, err := heads(n, w)
		return []ir.Type{f32(ir.N(a), ir.P)}, first(err, shaped(n, 2, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[2], in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		a, w := n.Int("heads"), in[0].Shape[1]
		d := w / a
		q, k, s := in[0].Floats(), in[1].Floats(), ir.NewArray(a, pairCount(list))
		for h := 0; h < a; h++ {
			eachPair(list, func(i, j, p int) {
				s.F[h*s.Shape[1]+p] = dot(q[i*w+h*d:][:d], k[j*w+h*d:][:d])
			})
		}
		return []*ir.Array{s}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		h := attrs("heads", n.Int("heads"))
		turned := b.Like(n, "pair_transpose", nil, dy[0], n.In[2])
		return []*ir.Value{b.Like(n, "weigh", h, dy[0], n.In[1], n.In[2]), b.Like(n, "weigh", h, turned, n.In[0], n.In[2]), nil}, b.Err()
	},
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return pairWork(s, n.In[0].Type.Shape[1].N) },
	NoLower: fusedFirst,
	Sample:  samples(sample(attrs("heads", 2), normal(ir.T, ir.N(6)), normal(ir.T, ir.N(6)), starts())),
})
