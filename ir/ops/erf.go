package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "erf", doc: "The error function 2/√π ∫₀ˣ exp(-t²) dt, element by element.", flops: 10,
	f:     func(_ *ir.Node, x float64) float64 { return math.Erf(x) },
	lower: func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return loop.Fn("erf", x) },
	grad: func(g graph, n *ir.Node, dy *ir.Value) *ir.Value {
		x := n.In[0]
		bell := g.op("exp", nil, g.scale(g.mul(x, x), -1))
		return g.mul(dy, g.scale(bell, 2/math.Sqrt(math.Pi)))
	},
}.define()
