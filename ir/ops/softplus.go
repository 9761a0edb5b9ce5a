package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "softplus", doc: "log(1 + exp x), computed as max(x, 0) + log(1 + exp(-|x|)), which does not overflow.", flops: 22,
	f:     func(_ *ir.Node, x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) },
	lower: func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return softplusOf(x) },
	grad:  func(g graph, n *ir.Node, dy *ir.Value) *ir.Value { return g.mul(dy, g.op("sigmoid", nil, n.In[0])) },
}.define()

// softplusOf returns the softplus of a variable in a loop nest.
func softplusOf(x loop.Expr) loop.Expr {
	small := loop.Sub(loop.F(0), loop.Fn("max", x, loop.Sub(loop.F(0), x)))
	return loop.Add(loop.Fn("max", x, loop.F(0)), loop.Fn("log", loop.Add(loop.F(1), loop.Fn("exp", small))))
}
