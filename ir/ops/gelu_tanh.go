package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// The constants of the tanh form of GELU: tanh(a·(x + b·x³)).
const (
	geluA = 0.7978845608028653558798921198687637369517 // √(2/π)
	geluB = 0.044715
)

var _ = unary{
	name: "gelu_tanh", doc: "0.5 · x · (1 + tanh(√(2/π) · (x + 0.044715·x³))), the tanh form of GELU (Hendrycks and Gimpel 2016).", flops: 20, act: true,
	f: func(_ *ir.Node, x float64) float64 {
		return x / (1 + math.Exp(-2*geluA*(x+geluB*x*x*x))) // (1 + tanh u)/2 = sigmoid(2u)
	},
	lower: func(_ *ir.Node, _ *loop.Builder, x loop.Expr) loop.Expr {
		u := loop.Mul(loop.F(2*geluA), x, loop.Add(loop.F(1), loop.Mul(loop.F(geluB), x, x)))
		return loop.Mul(x, sigmoidOf(u))
	},
	slope: func(x float64) float64 { // s + x·s·(1-s)·u' with s = sigmoid(u), u' = 2a·(1 + 3b·x²)
		s := sigmoid(2 * geluA * (x + geluB*x*x*x))
		return s + x*s*(1-s)*2*geluA*(1+3*geluB*x*x)
	},
	slopeOf: func(b *loop.Builder, x loop.Expr) loop.Expr {
		s := b.Let("s", sigmoidOf(loop.Mul(loop.F(2*geluA), x, loop.Add(loop.F(1), loop.Mul(loop.F(geluB), x, x)))))
		du := loop.Mul(loop.F(2*geluA), loop.Add(loop.F(1), loop.Mul(loop.F(3*geluB), x, x)))
		return loop.Add(s, loop.Mul(x, s, loop.Sub(loop.F(1), s), du))
	},
}.define()
