package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "log_softmax_tokens", Class: ir.Sequencewise,
	Doc: "The logarithm of the softmax over the tokens of each sequence, column by column: x[t, c] - log Σ_u exp x[u, c] over the rows u of the " +
		"sequence of t, [T, N] → [T, N].",
	In: []ir.Operand{float("x", "[T, N]"), startsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, err := tokenRows(n, 0)
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := filled(in[1], in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[0].Shape...)
		for _, b := range list {
			for c := range w {
				logSoftmax(y.F, x, b.n, func(k int) int { return (b.row+k)*w + c })
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g, sum := graph{b, n}, attrs("rows", "sum")
		total := g.op("put", sum, g.op("take", sum, dy[0], n.In[1]), n.In[1])
		return []*ir.Value{g.sub(dy[0], g.mul(g.op("exp", nil, n.Out[0]), total)), nil}, b.Err()
	},
	Cost: softmaxCost,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the logarithm of the softmax of each column over n rows.", "x n", func(b *nest) {
			all := func(write func(i loop.Expr)) {
				b.each("i", loop.V("n"), func(i loop.Expr) {
					b.row("xi", "x", i)
					write(i)
				})
			}
			b.each("c", loop.I(b.cols["x"]), func(c loop.Expr) {
				b.row("x0", "x", loop.I(0))
				top, sum := b.Let("top", loop.At("x0", c)), b.Let("sum", loop.F(0))
				all(func(loop.Expr) { b.Assign(top, loop.Fn("max", top, loop.At("xi", c))) })
				all(func(loop.Expr) { b.AddTo(sum, loop.Fn("exp", loop.Sub(loop.At("xi", c), top))) })
				total := b.Let("total", loop.Add(top, loop.Fn("log", sum)))
				all(func(i loop.Expr) {
					b.row("yi", "y", i)
					b.Store("yi", c, loop.Sub(loop.At("xi", c), total))
				})
			})
		})
	},
	Launches: sequenceLaunches,
	Sample:   samples(sample(nil, normal(ir.T, ir.N(2)), starts())),
})
