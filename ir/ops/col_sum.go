package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "col_sum", Class: ir.Reduction,
	Doc: "The sum of each column, [M, N] → [N].",
	In:  []ir.Operand{float("x", "[M, N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, c, err := matrix(n, 0)
		return []ir.Type{f32(ir.N(c))}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		c := in[0].Shape[1]
		y := ir.NewArray(c)
		for i, v := range in[0].Floats() {
			y.F[i%c] += v
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "repeat_rows", nil, dy[0], n.In[0])}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))}
	},
	NoLower: forTraining,
	Sample:  samples(sample(nil, normal(ir.T, ir.N(5)))),
})
