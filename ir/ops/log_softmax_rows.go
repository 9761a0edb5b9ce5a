package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "log_softmax_rows", Class: ir.Rowwise,
	Doc: "The logarithm of the softmax of each row: x_j - max x - log Σ_k exp(x_k - max x), [., N] → [., N].",
	In:  []ir.Operand{float("x", "[., N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, _, err := matrix(n, 0)
		return []ir.Type{n.In[0].Type}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[0].Shape...)
		for i := 0; i < len(x); i += w {
			total := logSumExp(w, func(j int) float64 { return x[i+j] })
			for j := i; j < i+w; j++ {
				y.F[j] = x[j] - total
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g := graph{b, n}
		sum := g.op("spread", attrs("n", n.Out[0].Type.Shape[1].N), g.op("row_sum", nil, dy[0]))
		return []*ir.Value{g.sub(dy[0], g.mul(g.op("exp", nil, n.Out[0]), sum))}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 13 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	NoLower: forTraining,
	Sample:  samples(sample(nil, normal(ir.T, ir.N(19))), sample(nil, normal(ir.B, ir.N(2)))),
})

// logSumExp returns max x + log Σ_k exp(x_k - max x) of n numbers, which no difference between them overflows.
func logSumExp(n int, x func(k int) float64) float64 {
	top, sum := math.Inf(-1), 0.0
	for k := range n {
		top = math.Max(top, x(k))
	}
	for k := range n {
		sum += math.Exp(x(k) - top)
	}
	return top + math.Log(sum)
}
