package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "tanh", doc: "The hyperbolic tangent, element by element.", flops: 10, act: true,
	f:     func(_ *ir.Node, x float64) float64 { return math.Tanh(x) },
	lower: func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return loop.Fn("tanh", x) },
	slope: func(x float64) float64 { return 1 / (math.Cosh(x) * math.Cosh(x)) },
	slopeOf: func(b *loop.Builder, x loop.Expr) loop.Expr {
		y := b.Let("t", loop.Fn("tanh", x))
		return loop.Sub(loop.F(1), loop.Mul(y, y))
	},
}.define()
