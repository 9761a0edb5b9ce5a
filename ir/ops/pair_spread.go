package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "pair_spread", Class: ir.Pairs,
	Doc: "The number of each query, copied to all its keys: y[a, ij] = x[a, i], [A, T] → [A, P].",
	In:  []ir.Operand{float("x", "[A, T]"), startsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s := n.In[0].Type.Shape
		if len(s) != 2 || !s[0].Const() || s[1] != ir.T {
			return nil, fmt.Errorf("x is %s, not [heads, T]", n.In[0].Type)
		}
		return []ir.Type{f32(s[0], ir.P)}, shaped(n, 1, ir.Bound)
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[1], in[0].Shape[1])
		if err != nil {
			return nil, err
		}
		x, y := in[0].Floats(), ir.NewArray(in[0].Shape[0], pairCount(list))
		for h := 0; h < in[0].Shape[0]; h++ {
			eachPair(list, func(i, _, p int) { y.F[h*y.Shape[1]+p] = x[h*in[0].Shape[1]+i] })
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pair_sum", nil, dy[0], n.In[1]), nil}, b.Err()
	},
	NoLower: fusedGrad,
	Sample:  samples(sample(nil, normal(ir.N(2), ir.T), starts())),
})
