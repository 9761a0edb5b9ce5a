package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "sigmoid", doc: "1 / (1 + exp(-x)).", flops: 12, act: true,
	f:     func(_ *ir.Node, x float64) float64 { return sigmoid(x) },
	lower: func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return sigmoidOf(x) },
	slope: func(x float64) float64 { return sigmoid(x) * sigmoid(-x) },
	slopeOf: func(b *loop.Builder, x loop.Expr) loop.Expr {
		s := b.Let("s", sigmoidOf(x))
		return loop.Mul(s, loop.Sub(loop.F(1), s))
	},
}.define()

// sigmoidOf returns the sigmoid in a loop nest. The result is 0 where exp overflows.
func sigmoidOf(x loop.Expr) loop.Expr {
	return loop.Div(loop.F(1), loop.Add(loop.F(1), loop.Fn("exp", loop.Sub(loop.F(0), x))))
}
