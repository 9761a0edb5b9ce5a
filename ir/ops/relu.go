package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "relu", doc: "max(x, 0).", flops: 1, act: true,
	f:       func(_ *ir.Node, x float64) float64 { return max(x, 0) },
	lower:   func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr { return loop.Fn("max", x, loop.F(0)) },
	slope:   stepAt,
	slopeOf: stepOf,
}.define()
