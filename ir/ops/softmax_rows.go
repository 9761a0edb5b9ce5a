package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "softmax_rows", Class: ir.Rowwise,
	Doc: "exp(x_j - max x) / Σ_k exp(x_k - max x) over each row, [., N] → [., N].",
	In:  []ir.Operand{float("x", "[., N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, _, err := matrix(n, 0)
		return []ir.Type{n.In[0].Type}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[0].Shape...)
		for i := 0; i < len(x); i += w {
			top, sum := math.Inf(-1), 0.0
			for _, v := range x[i : i+w] {
				top = math.Max(top, v)
			}
			for j := i; j < i+w; j++ {
				y.F[j] = math.Exp(x[j] - top)
				sum += y.F[j]
			}
			for j := i; j < i+w; j++ {
				y.F[j] /= sum
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g := graph{b, n}
		y := n.Out[0]
		dot := g.op("row_sum", nil, g.mul(dy[0], y))
		return []*ir.Value{g.mul(y, g.sub(dy[0], g.op("spread", attrs("n", y.Type.Shape[1].N), dot)))}, b.Err()
	},
	Cost: softmaxCost,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		cols, ldx, err := row(n.In[0])
		_, ldy, err2 := row(n.Out[0])
		if err := first(err, err2); err != nil {
			return nil, err
		}
		args := append(loop.Floats("y", "x"), loop.Counts("m")...)
		b := loop.New(fmt.Sprintf("y = the softmax of each of m rows of %d.", cols), args...)
		b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
			b.Slice("xi", "x", loop.Mul(i, loop.I(ldx)), loop.I(cols))
			b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
			each := func(f func(j loop.Expr)) { b.For("j", loop.I(0), loop.I(cols), 1, f) }
			top := b.Let("top", loop.At("xi", loop.I(0)))
			each(func(j loop.Expr) { b.Assign(top, loop.Fn("max", top, loop.At("xi", j))) })
			sum := b.Let("sum", loop.F(0))
			each(func(j loop.Expr) {
				e := b.Let("e", loop.Fn("exp", loop.Sub(loop.At("xi", j), top)))
				b.Store("yi", j, e)
				b.AddTo(sum, e)
			})
			each(func(j loop.Expr) { b.Store("yi", j, loop.Div(loop.At("yi", j), sum)) })
		})
		return b.Nest()
	},
	Sample: samples(sample(nil, normal(ir.T, ir.N(19))), sample(nil, normal(ir.B, ir.N(2)))),
})

// softmaxCost is the cost of a softmax, or of its logarithm: an exponential and a few sums for each number.
func softmaxCost(n *ir.Node, s ir.Sizes) ir.Cost {
	return ir.Cost{FLOPs: 13 * float64(s.Elements(n.In[0].Type.Shape))}
}
