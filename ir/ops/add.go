package ops

import "github.com/debertac/debertac/ir"

var _ = binary{
	name: "add", doc: "a + b, element by element.", op: "+",
	f:      func(a, b float64) float64 { return a + b },
	grad:   func(_ graph, _ *ir.Node, dy *ir.Value) []*ir.Value { return []*ir.Value{dy, dy} },
	second: normal,
}.define()
