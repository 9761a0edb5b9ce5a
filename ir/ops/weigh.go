package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "weigh", Class: ir.Attention,
	Doc:   "o_i = Σ_j p[a, ij]·v_j over the columns of head a, [A, P], [T, A·D] → [T, A·D].",
	In:    []ir.Operand{float("p", "[A, P]"), float("v", "[T, A·D]"), startsIn},
	Attrs: []ir.AttrDef{headsAttr},
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
		return []ir.Type{n.In[1].Type}, first(err, shaped(n, 2, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[2], in[1].Shape[0])
		if err != nil {
			return nil, err
		}
		a, w := in[0].Shape[0], in[1].Shape[1]
		d := w / a
		p, v, o := in[0].Floats(), in[1].Floats(), ir.NewArray(in[1].Shape...)
		for h := 0; h < a; h++ {
			eachPair(list, func(i, j, at int) {
				addScaled(o.F[i*w+h*d:][:d], v[j*w+h*d:][:d], p[h*in[0].Shape[1]+at])
			})
		}
		return []*ir.Array{o}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		h := attrs("heads", n.Int("heads"))
		turned := b.Like(n, "pair_transpose", nil, n.In[0], n.In[2])
		return []*ir.Value{b.Like(n, "score_cc", h, dy[0], n.In[1], n.In[2]), b.Like(n, "weigh", h, turned, dy[0], n.In[2]), nil}, b.Err()
	},
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return pairWork(s, n.In[1].Type.Shape[1].N) },
	NoLower: fusedFirst,
	Sample:  samples(sample(attrs("heads", 2), probabilities(2), normal(ir.T, ir.N(6)), starts())),
})

// addScaled adds x·by to y.
func addScaled(y, x []float64, by float64) {
	for i, v := range x {
		y[i] += v * by
	}
}
