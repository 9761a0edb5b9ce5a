package ops

import "github.com/debertac/debertac/ir"

var _ = binary{
	name: "div", doc: "a / b, element by element.", op: "/",
	f: func(a, b float64) float64 { return a / b },
	grad: func(g graph, n *ir.Node, dy *ir.Value) []*ir.Value {
		da := g.op("div", nil, dy, n.In[1])
		return []*ir.Value{da, g.scale(g.mul(da, n.Out[0]), -1)}
	},
	second: positive,
}.define()
