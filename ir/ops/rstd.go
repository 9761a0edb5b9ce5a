package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "rstd", Class: ir.Rowwise,
	Doc:   "1 / sqrt(variance + eps) of each row, biased variance, [M, H] → [M].",
	In:    []ir.Operand{float("x", "[M, H]")},
	Attrs: []ir.AttrDef{epsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		return []ir.Type{f32(rows)}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		_, r := normalized(in[0], n.Float("eps"))
		return []*ir.Array{r}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g := graph{b, n} // -rstd²·hat/H
		h, r := n.In[0].Type.Shape[1].N, n.Out[0]
		d := g.scale(g.mul(dy[0], g.mul(r, r)), -1/float64(h))
		hat := g.op("normalize", attrs("eps", n.Float("eps")), n.In[0])
		return []*ir.Value{g.mul(hat, g.op("spread", attrs("n", h), d))}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 4 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, fmt.Sprintf("y = 1/sqrt(variance + %g) of each of m rows.", n.Float("eps")), "x m", func(b *nest) {
			b.all("ys", "y", loop.V("m"))
			b.rows(func(i loop.Expr) {
				b.row("xi", "x", i)
				_, rstd := b.moments(n, b.cols["x"])
				b.Store("ys", i, rstd)
			})
		})
	},
	Sample: samples(sample(attrs("eps", 0.125), normal(ir.T, ir.N(5)))),
})

// moments writes the mean of the window xi of h columns, and 1 / sqrt(variance + eps).
func (b *nest) moments(n *ir.Node, h int) (mean, rstd loop.Var) {
	mean = b.Let("mean", loop.Mul(sumOf(b.Builder, "s", h, of("xi")), loop.F(1/float64(h))))
	square := sumOf(b.Builder, "q", h, func(j loop.Expr) loop.Expr {
		d := loop.Sub(loop.At("xi", j), mean)
		return loop.Mul(d, d)
	})
	return mean, b.Let("rstd", loop.Div(loop.F(1), loop.Fn("sqrt", loop.Add(loop.Mul(square, loop.F(1/float64(h))), loop.F(n.Float("eps"))))))
}
