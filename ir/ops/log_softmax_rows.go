package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "log_softmax_rows", Class: ir.Rowwise,
	Doc: "The logarithm of the softmax of each row: x_j - max x - log Σ_k exp(x_k - max x), [., N] → [., N].",
	In:  []ir.Operand{float("x", "[., N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, _, err := matrix(n, 0)
		return []ir.Type{n.In[0].Type}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[0].Shape...)
		for i := 0; i < len(x); i += w {
			logSoftmax(y.F, x, w, func(j int) int { return i + j })
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g := graph{b, n}
		sum := g.op("spread", attrs("n", n.Out[0].Type.Shape[1].N), g.op("row_sum", nil, dy[0]))
		return []*ir.Value{g.sub(dy[0], g.mul(g.op("exp", nil, n.Out[0]), sum))}, b.Err()
	},
	Cost: softmaxCost,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the logarithm of the softmax of each of m rows.", "x m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.both(i)
				total := b.Let("total", b.logSum(b.cols["x"], of("xi")))
				b.set("yi", b.cols["x"], func(j loop.Expr) loop.Expr { return loop.Sub(loop.At("xi", j), total) })
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T, ir.N(19))), sample(nil, normal(ir.B, ir.N(2)))),
})

// logSoftmax writes the logarithm of the softmax of n numbers of x to y. at returns the place of each in both.
func logSoftmax(y, x []float64, n int, at func(k int) int) {
	total := logSumExp(n, func(k int) float64 { return x[at(k)] })
	for k := range n {
		y[at(k)] = x[at(k)] - total
	}
}

// logSumExp returns max x + log Σ_k exp(x_k - max x) of n numbers, which no difference between them overflows.
func logSumExp(n int, x func(k int) float64) float64 {
	top, sum := math.Inf(-1), 0.0
	for k := range n {
		top = math.Max(top, x(k))
	}
	for k := range n {
		sum += math.Exp(x(k) - top)
	}
	return top + math.Log(sum)
}
