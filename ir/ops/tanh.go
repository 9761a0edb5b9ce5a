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
	grad: func(g graph, n *ir.Node, dy *ir.Value) *ir.Value {
		y := n.Out[0]
		return g.sub(dy, g.mul(dy, g.mul(y, y)))
	},
}.define()
