package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "gelu", doc: "x · Φ(x) with the normal distribution function Φ (the erf form, Hendrycks and Gimpel 2016).", flops: 14, act: true,
	f: func(_ *ir.Node, x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) },
	lower: func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr {
		// erfc keeps the negative tail exact to the last place; 1 + erf would cancel there.
		return loop.Mul(loop.F(0.5), x, loop.Fn("erfc", loop.Mul(x, loop.F(-1/math.Sqrt2))))
	},
	slope: func(x float64) float64 {
		return 0.5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi) // Φ(x) + x·φ(x)
	},
	slopeOf: func(_ *loop.Builder, x loop.Expr) loop.Expr {
		bell := loop.Fn("exp", loop.Mul(loop.F(-0.5), x, x))
		return loop.Add(loop.Mul(loop.F(0.5), loop.Fn("erfc", loop.Mul(x, loop.F(-1/math.Sqrt2)))), loop.Mul(x, loop.F(1/math.Sqrt(2*math.Pi)), bell))
	},
}.define()
