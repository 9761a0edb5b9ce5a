package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// countedIn is the operand by which mean and share leave out rows.
var countedIn = ir.Operand{Name: "target", DType: ir.I32, Optional: true,
	Doc: "[M] a row with a number below 0 does not count; missing: all rows count"}

// counted returns how many of m rows count. The target may be missing.
func counted(target *ir.Array, m int) int {
	if target == nil {
		return m
	}
	n := 0
	for _, t := range target.I {
		if t >= 0 {
			n++
		}
	}
	return n
}

// counts reports whether a row counts. The target may be missing.
func counts(target *ir.Array, i int) bool { return target == nil || target.I[i] >= 0 }

var _ = ir.Define(ir.Op{
	Name: "mean", Class: ir.Reduction,
	Doc: "The mean of the numbers that count, which are those whose target is not below 0; 0 if no number counts, [M], [M] → [1].",
	In:  []ir.Operand{float("x", "[M]"), countedIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, err := numbers(n, 0)
		return []ir.Type{f32(ir.N(1))}, first(err, shaped(n, 1, rows))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y, target, m := ir.NewArray(1), data(in, 1), in[0].Shape[0]
		for i, x := range in[0].Floats() {
			if counts(target, i) {
				y.F[0] += x
			}
		}
		y.F[0] /= float64(max(1, counted(target, m)))
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "share", nil, dy[0], n.In[0], in(n, 1)), nil}[:len(n.In)], b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))}
	},
	NoLower: forTraining,
	Sample:  samples(sample(nil, normal(ir.T)), sample(nil, normal(ir.T), targets(2, ir.T)), sample(nil, normal(ir.B), targets(1, ir.B))),
})

var _ = ir.Define(ir.Op{
	Name: "share", Class: ir.Rowwise,
	Doc: "The gradient of mean: the number divided by how many rows count, for each row that counts, and 0 for the others, [1], [M], [M] → [M]. The " +
		"numbers of like are not read.",
	In: []ir.Operand{float("x", "[1]"), float("like", "[M]"), countedIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, err := numbers(n, 1)
		return []ir.Type{f32(rows)}, first(err, shaped(n, 0, ir.N(1)), shaped(n, 2, rows))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, target := in[1].Shape[0], data(in, 2)
		each := in[0].Floats()[0] / float64(max(1, counted(target, m)))
		y := ir.NewArray(m)
		for i := range y.F {
			if counts(target, i) {
				y.F[i] = each
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "mean", nil, dy[0], in(n, 2)), nil, nil}[:len(n.In)], b.Err()
	},
	NoLower: forTraining,
	Sample:  samples(sample(nil, normal(ir.N(1)), normal(ir.T)), sample(nil, normal(ir.N(1)), normal(ir.T), targets(2, ir.T))),
})

// numbers returns the extent of an operand with one extent.
func numbers(n *ir.Node, i int) (ir.Dim, error) {
	s := n.In[i].Type.Shape
	if len(s) != 1 {
		return ir.Dim{}, fmt.Errorf("%s is %s, not a vector", operand(n, i), n.In[i].Type)
	}
	return s[0], nil
}
