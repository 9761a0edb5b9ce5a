package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "pair_sum", Class: ir.Pairs,
	Doc: "The sum over the keys: y[a, i] = Σ_j x[a, ij], [A, P] → [A, T].",
	In:  []ir.Operand{float("x", "[A, P]"), startsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		a, err := pairShape(n, 0)
		return []ir.Type{f32(ir.N(a), ir.T)}, first(err, shaped(n, 1, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		rows := int(in[1].I[len(in[1].I)-1])
		list, err := blocks(in[1], rows)
		if err != nil {
			return nil, err
		}
		x, y := in[0].Floats(), ir.NewArray(in[0].Shape[0], rows)
		for h := 0; h < in[0].Shape[0]; h++ {
			eachPair(list, func(i, _, p int) { y.F[h*rows+i] += x[h*in[0].Shape[1]+p] })
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pair_spread", nil, dy[0], n.In[1]), nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))}
	},
	NoLower: fusedGrad,
	Sample:  samples(sample(nil, normal(ir.N(2), ir.P), starts())),
})
