package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "col_sum", Class: ir.Reduction,
	Doc: "The sum of each column, [M, N] → [N].",
	In:  []ir.Operand{whole(float("x", "[M, N]"))},
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
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = Σ x over all rows, m columns from column at on.", "x m at xRows", func(b *nest) {
			b.columns("xRows", func(i loop.Expr) func(j loop.Expr) loop.Expr {
				b.Slice("xi", "x", loop.Add(loop.Mul(i, loop.I(b.ld["x"])), loop.V(ir.CountAt)), loop.V(ir.CountRows))
				return of("xi")
			})
		})
	},
	Kernels: []string{"col_sum"},
	Sample:  samples(sample(nil, normal(ir.T, ir.N(5)))),
})
