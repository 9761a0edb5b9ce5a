package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = unary{
	name: "step", doc: "1 where x > 0, else 0.", flops: 1,
	f:     func(_ *ir.Node, x float64) float64 { return stepAt(x) },
	lower: func(_ *ir.Node, b *loop.Builder, x loop.Expr) loop.Expr { return stepOf(b, x) },
}.define()

// stepAt returns 1 where x > 0, else 0.
func stepAt(x float64) float64 {
	if x > 0 {
		return 1
	}
	return 0
}

// stepOf writes the step in a loop nest.
func stepOf(b *loop.Builder, x loop.Expr) loop.Expr {
	s := b.Let("s", loop.F(0))
	b.If(loop.Less(loop.F(0), x), func() { b.Assign(s, loop.F(1)) }, nil)
	return s
}
