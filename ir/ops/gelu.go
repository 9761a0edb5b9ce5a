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
	grad: func(g graph, n *ir.Node, dy *ir.Value) *ir.Value {
		x := n.In[0] // Φ(x) + x·φ(x)
		phi := g.scale(g.op("exp", nil, g.scale(g.mul(x, x), -0.5)), 1/math.Sqrt(2*math.Pi))
		cdf := g.scale(g.offset(g.op("erf", nil, g.scale(x, 1/math.Sqrt2)), 1), 0.5)
		return g.mul(dy, g.add(cdf, g.mul(x, phi)))
	},
}.define()
