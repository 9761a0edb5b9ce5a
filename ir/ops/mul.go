package ops

import "github.com/debertac/debertac/ir"

var _ = binary{
	name: "mul", doc: "a · b, element by element.", op: "*",
	f: func(a, b float64) float64 { return a * b },
	grad: func(g graph, n *ir.Node, dy *ir.Value) []*ir.Value {
		return []*ir.Value{g.mul(dy, n.In[1]), g.mul(dy, n.In[0])}
	},
	second: normal,
}.define()
