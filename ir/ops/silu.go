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
	grad: func(g graph, n *ir.Node, dy *ir.Value) *ir.Value {
		s, y := g.op("sigmoid", nil, n.In[0]), n.Out[0] // y' = s + y·(1-s)
		return g.mul(dy, g.add(s, g.sub(y, g.mul(y, s))))
	},
}.define()
