package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "row_sum", Class: ir.Rowwise,
	Doc: "The sum of each row, [M, N] → [M].",
	In:  []ir.Operand{float("x", "[M, N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		return []ir.Type{f32(rows)}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, c, x := in[0].Shape[0], in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(m)
		for i := range x {
			y.F[i/c] += x[i]
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "spread", attrs("n", n.In[0].Type.Shape[1].N), dy[0])}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the sum of row i of x, m rows.", "x m", func(b *nest) {
			b.all("ys", "y", loop.V("m"))
			b.rows(func(i loop.Expr) {
				b.row("xi", "x", i)
				b.Store("ys", i, sumOf(b.Builder, "s", b.cols["x"], of("xi")))
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T, ir.N(5)))),
})
