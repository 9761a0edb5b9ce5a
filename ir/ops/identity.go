package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "identity", doc: "The operand, unchanged: a value of a region gets the name of an output.",
	f:     func(_ *ir.Node, x float64) float64 { return x },
	lower: func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return x },
	grad:  func(_ graph, _ *ir.Node, dy *ir.Value) *ir.Value { return dy },
}.define()
