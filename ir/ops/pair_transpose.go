package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "pair_transpose", Class: ir.Pairs,
	Doc: "Each sequence's block transposed: y[a, ji] = x[a, ij], [A, P] → [A, P].",
	In:  []ir.Operand{float("x", "[A, P]"), startsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, err := pairShape(n, 0)
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[1], int(in[1].I[len(in[1].I)-1]))
		if err != nil {
			return nil, err
		}
		x, y := in[0].Floats(), ir.NewArray(in[0].Shape...)
		for h := 0; h < in[0].Shape[0]; h++ {
			for _, b := range list {
				at := h*in[0].Shape[1] + b.pair
				copy(y.F[at:], transposed(x[at:at+b.n*b.n], b.n, b.n))
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pair_transpose", nil, dy[0], n.In[1]), nil}, b.Err()
	},
	Cost:    func(*ir.Node, ir.Sizes) ir.Cost { return ir.Cost{} },
	NoLower: fusedGrad,
	Sample:  samples(sample(nil, normal(ir.N(2), ir.P), starts())),
})
