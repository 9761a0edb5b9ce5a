package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "offset", doc: "x + by.", flops: 1,
	f:      func(n *ir.Node, x float64) float64 { return x + n.Float("by") },
	lower:  func(n *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return loop.Add(x, loop.F(n.Float("by"))) },
	grad:   func(_ graph, _ *ir.Node, dy *ir.Value) *ir.Value { return dy },
	attrs:  []ir.AttrDef{{Name: "by", Type: ir.AttrFloat, Required: true, Doc: "the summand"}},
	sample: attrs("by", 1.5),
}.define()
