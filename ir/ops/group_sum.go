package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// groupIn is the operand that divides numbers into groups.
var groupIn = ir.Operand{Name: "group", DType: ir.I32, Doc: "[M] the group of each number, in 0 … M-1"}

// groupShape checks the operands of ops that work on groups, and returns the type of the result.
func groupShape(n *ir.Node) ([]ir.Type, error) {
	rows, err := numbers(n, 0)
	return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, rows))
}

// groups returns the numbers of the entries of each group.
func groups(group *ir.Array) ([][]int, error) {
	out := make([][]int, len(group.I))
	for i, g := range group.I {
		if g < 0 || int(g) >= len(out) {
			return nil, fmt.Errorf("group[%d] is %d, where there are %d numbers: it must be in 0 … %d", i, g, len(out), len(out)-1)
		}
		out[g] = append(out[g], i)
	}
	return out, nil
}

var _ = ir.Define(ir.Op{
	Name: "group_sum", Class: ir.Reduction,
	Doc:   "The sum of the numbers of each group, in all places of the group: y[i] = Σ x[k] over the k with group[k] = group[i], [M], [M] → [M].",
	In:    []ir.Operand{float("x", "[M]"), groupIn},
	Shape: groupShape,
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := groups(in[1])
		x, y := in[0].Floats(), ir.NewArray(in[0].Shape...)
		for _, g := range list {
			sum := 0.0
			for _, i := range g {
				sum += x[i]
			}
			for _, i := range g {
				y.F[i] = sum
			}
		}
		return []*ir.Array{y}, err
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "group_sum", nil, dy[0], n.In[1]), nil}, b.Err()
	},
	NoLower: forTraining,
	Sample:  samples(sample(nil, normal(ir.T), below(3, ir.T))),
})

var _ = ir.Define(ir.Op{
	Name: "log_softmax_groups", Class: ir.Reduction,
	Doc:   "The logarithm of the softmax over the numbers of each group: x[i] - log Σ_k exp x[k] over the k with group[k] = group[i], [M], [M] → [M].",
	In:    []ir.Operand{float("x", "[M]"), groupIn},
	Shape: groupShape,
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := groups(in[1])
		x, y := in[0].Floats(), ir.NewArray(in[0].Shape...)
		for _, g := range list {
			logSoftmax(y.F, x, len(g), func(k int) int { return g[k] })
		}
		return []*ir.Array{y}, err
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g := graph{b, n}
		return []*ir.Value{g.sub(dy[0], g.mul(g.op("exp", nil, n.Out[0]), g.op("group_sum", nil, dy[0], n.In[1]))), nil}, b.Err()
	},
	Cost:    softmaxCost,
	NoLower: forTraining,
	Sample:  samples(sample(nil, normal(ir.T), below(3, ir.T))),
})
