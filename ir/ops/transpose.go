package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "transpose", Class: ir.Layout,
	Doc: "[M, N] → [N, M].",
	In:  []ir.Operand{whole(float("x", "[M, N]"))},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, cols, err := fixed(n, 0)
		return []ir.Type{f32(ir.N(cols), ir.N(rows))}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, c := in[0].Shape[0], in[0].Shape[1]
		return []*ir.Array{in[0].Rearrange([]int{c, m}, func(i int) int { return i%m*c + i/m })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "transpose", nil, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = columns of x, m columns from number at on.", "x m at", func(b *nest) {
			rows, cols, ld := b.cols["y"], b.cols["x"], b.ld["x"]
			b.Slice("xs", "x", loop.I(0), loop.I((rows-1)*ld+cols))
			b.rows(func(i loop.Expr) {
				c := b.Let("c", loop.Add(loop.V("at"), i))
				b.row("yi", "y", i)
				b.set("yi", rows, func(j loop.Expr) loop.Expr { return loop.At("xs", loop.Add(loop.Mul(j, loop.I(ld)), c)) })
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.N(5), ir.N(3)))),
})
