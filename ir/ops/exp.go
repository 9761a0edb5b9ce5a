package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "exp", doc: "The exponential function, element by element.", flops: 10,
	f:     func(_ *ir.Node, x float64) float64 { return math.Exp(x) },
	lower: func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return loop.Fn("exp", x) },
	grad:  func(g graph, n *ir.Node, dy *ir.Value) *ir.Value { return g.mul(dy, n.Out[0]) },
}.define()
