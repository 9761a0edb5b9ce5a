package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "log", doc: "The natural logarithm of x, or of the floor where x is below it.", flops: 10,
	f: func(n *ir.Node, x float64) float64 { return math.Log(math.Max(x, n.Float("floor"))) },
	lower: func(n *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr {
		return loop.Fn("log", loop.Fn("max", x, loop.F(n.Float("floor"))))
	},
	grad: func(g graph, n *ir.Node, dy *ir.Value) *ir.Value { return g.op("div", nil, dy, n.In[0]) },
	attrs: []ir.AttrDef{{Name: "floor", Type: ir.AttrFloat, Required: true,
		Doc: "the least number whose logarithm is taken, above 0; the gradient is that of the logarithm everywhere"}},
	sample: attrs("floor", 1e-30),
	domain: positive,
}.define()
