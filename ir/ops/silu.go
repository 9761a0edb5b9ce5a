package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "silu", doc: "x · sigmoid(x), also called swish.", flops: 13, act: true,
	f:     func(_ *ir.Node, x float64) float64 { return x / (1 + math.Exp(-x)) },
	lower: func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return loop.Mul(x, sigmoidOf(x)) },
	slope: func(x float64) float64 { return sigmoid(x) * (1 + x*sigmoid(-x)) },
	slopeOf: func(b *loop.Builder, x loop.Expr) loop.Expr {
		s := b.Let("s", sigmoidOf(x))
		return loop.Mul(s, loop.Add(loop.F(1), loop.Mul(x, loop.Sub(loop.F(1), s))))
	},
}.define()
