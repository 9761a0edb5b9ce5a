package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "repeat_rows", Class: ir.Rowwise,
	Doc: "A matrix with as many rows as like; each row is the vector, [N], [M, N] → [M, N]. The numbers of like are not read.",
	In:  []ir.Operand{whole(float("x", "[N]")), float("like", "[M, N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, c, err := matrix(n, 1)
		return []ir.Type{n.In[1].Type}, first(err, vector(n, 0, c))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		c := in[0].Shape[0]
		return []*ir.Array{in[0].Rearrange(in[1].Shape, func(i int) int { return i % c })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "col_sum", nil, dy[0]), nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = x, m rows.", "x m", func(b *nest) {
			b.all("xs", "x", loop.I(b.cols["y"]))
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				b.set("yi", b.cols["y"], of("xs"))
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.N(5)), normal(ir.T, ir.N(5)))),
})
