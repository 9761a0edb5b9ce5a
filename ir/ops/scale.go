package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "scale", doc: "x · by.", flops: 1,
	f:      func(n *ir.Node, x float64) float64 { return x * n.Float("by") },
	lower:  func(n *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return loop.Mul(x, loop.F(n.Float("by"))) },
	grad:   func(g graph, n *ir.Node, dy *ir.Value) *ir.Value { return g.scale(dy, n.Float("by")) },
	attrs:  []ir.AttrDef{{Name: "by", Type: ir.AttrFloat, Required: true, Doc: "the factor"}},
	sample: attrs("by", -0.375),
}.define()
