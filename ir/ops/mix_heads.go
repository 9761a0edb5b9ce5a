package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "mix_heads", Class: ir.Pairs,
	Doc: "Talking heads: y[g, ij] = Σ_a w[g, a]·s[a, ij], the scores or the probabilities of all heads mixed by a learned matrix (Shazeer et al., " +
		"Talking-Heads Attention, 2020), [A, P], [A, A] → [A, P].",
	In: []ir.Operand{float("s", "[A, P]"), float("w", "[A, A], row g has the weights of head g")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		a, err := pairShape(n, 0)
		return []ir.Type{f32(ir.N(a), ir.P)}, first(err, shaped(n, 1, ir.N(a), ir.N(a)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		a, pairs := in[0].Shape[0], in[0].Shape[1]
		if len(in[1].Shape) != 2 || in[1].Shape[0] != a {
			return nil, fmt.Errorf("w is %v for %d heads", in[1].Shape, a)
		}
		s, w, y := in[0].Floats(), in[1].Floats(), ir.NewArray(a, pairs)
		for g := range a {
			for h := range a {
				addScaled(y.F[g*pairs:][:pairs], s[h*pairs:][:pairs], w[g*a+h])
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		turned := b.Like(n, "transpose", nil, n.In[1])
		return []*ir.Value{b.Like(n, "mix_heads", nil, dy[0], turned), b.Like(n, "matmul", attrs("tb", true), dy[0], n.In[0])}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		a := float64(n.In[1].Type.Shape[0].N)
		return ir.Cost{FLOPs: 2 * a * a * float64(s.P)}
	},
	NoLower: fusedFirst,
	Sample:  samples(sample(nil, normal(ir.N(3), ir.P), normal(ir.N(3), ir.N(3)))),
})
