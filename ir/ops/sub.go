package ops

import "github.com/debertac/debertac/ir"

var _ = binary{
	name: "sub", doc: "a - b, element by element.", op: "-",
	f:      func(a, b float64) float64 { return a - b },
	grad:   func(g graph, _ *ir.Node, dy *ir.Value) []*ir.Value { return []*ir.Value{dy, g.scale(dy, -1)} },
	second: normal,
}.define()
