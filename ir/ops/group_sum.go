package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// groupIn is the operand that divides numbers into groups.
var groupIn = ir.Operand{Name: "group", DType: ir.I32, Optional: true, Whole: true,
	Doc: "[M] the group of each number, in 0 … M-1; missing: all numbers are one group"}

// groupShape checks the operands of ops that work on groups, and returns the type of the result.
func groupShape(n *ir.Node) ([]ir.Type, error) {
	rows, err := numbers(n, 0)
	return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, rows))
}

// groups returns the numbers of the entries of each group of m entries. The groups may be missing.
func groups(group *ir.Array, m int) ([][]int, error) {
	if group == nil {
		all := make([]int, m)
		for i := range all {
			all[i] = i
		}
		return [][]int{all}, nil
	}
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
	In:    []ir.Operand{whole(float("x", "[M]")), groupIn},
	Shape: groupShape,
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := groups(data(in, 1), in[0].Shape[0])
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
		return []*ir.Value{b.Like(n, "group_sum", nil, dy[0], in(n, 1)), nil}[:len(n.In)], b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the sum of the group of number at+i, m numbers.", argumentsOf(n, 1, "m at xRows"), func(b *nest) {
			b.grouped(n, func(each func(do func(k loop.Expr))) loop.Expr {
				sum := b.Let("sum", loop.F(0))
				each(func(k loop.Expr) { b.AddTo(sum, loop.At("xs", k)) })
				return sum
			}, func(i, sum loop.Expr) { b.Store("ys", i, sum) })
		})
	},
	Sample: samples(sample(nil, normal(ir.T), below(3, ir.T)), sample(nil, normal(ir.T))),
})

var _ = ir.Define(ir.Op{
	Name: "group_mean", Class: ir.Reduction,
	Doc:   "The mean of the numbers of each group, in all places of the group, [M], [M] → [M].",
	In:    []ir.Operand{whole(float("x", "[M]")), groupIn},
	Shape: groupShape,
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := groups(data(in, 1), in[0].Shape[0])
		x, y := in[0].Floats(), ir.NewArray(in[0].Shape...)
		for _, g := range list {
			for _, i := range g {
				for _, k := range g {
					y.F[i] += x[k] / float64(len(g))
				}
			}
		}
		return []*ir.Array{y}, err
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "group_mean", nil, dy[0], in(n, 1)), nil}[:len(n.In)], b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the mean of the group of number at+i, m numbers.", argumentsOf(n, 1, "m at xRows"), func(b *nest) {
			b.grouped(n, func(each func(do func(k loop.Expr))) loop.Expr {
				sum, count := b.Let("sum", loop.F(0)), b.Let("count", loop.F(0))
				each(func(k loop.Expr) {
					b.AddTo(sum, loop.At("xs", k))
					b.AddTo(count, loop.F(1))
				})
				return loop.Div(sum, count)
			}, func(i, mean loop.Expr) { b.Store("ys", i, mean) })
		})
	},
	Sample: samples(sample(nil, normal(ir.T), below(3, ir.T)), sample(nil, normal(ir.T))),
})

var _ = ir.Define(ir.Op{
	Name: "log_softmax_groups", Class: ir.Reduction,
	Doc:   "The logarithm of the softmax over the numbers of each group: x[i] - log Σ_k exp x[k] over the k with group[k] = group[i], [M], [M] → [M].",
	In:    []ir.Operand{whole(float("x", "[M]")), groupIn},
	Shape: groupShape,
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := groups(data(in, 1), in[0].Shape[0])
		x, y := in[0].Floats(), ir.NewArray(in[0].Shape...)
		for _, g := range list {
			logSoftmax(y.F, x, len(g), func(k int) int { return g[k] })
		}
		return []*ir.Array{y}, err
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g := graph{b, n}
		return []*ir.Value{g.sub(dy[0], g.mul(g.op("exp", nil, n.Out[0]), g.op("group_sum", nil, dy[0], in(n, 1)))), nil}[:len(n.In)], b.Err()
	},
	Cost: softmaxCost,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		const doc = "y[i] = the logarithm of the softmax of number at+i in its group, m numbers."
		return portable(n, doc, argumentsOf(n, 1, "m at xRows"), func(b *nest) {
			b.grouped(n, func(each func(do func(k loop.Expr))) loop.Expr {
				top, sum := b.Let("top", loop.F(-math.MaxFloat32)), b.Let("sum", loop.F(0))
				each(func(k loop.Expr) { b.Assign(top, loop.Fn("max", top, loop.At("xs", k))) })
				each(func(k loop.Expr) { b.AddTo(sum, loop.Fn("exp", loop.Sub(loop.At("xs", k), top))) })
				return b.Let("total", loop.Add(top, loop.Fn("log", sum)))
			}, func(i, total loop.Expr) { b.Store("ys", i, loop.Sub(loop.At("xs", loop.Add(loop.V("at"), i)), total)) })
		})
	},
	Sample: samples(sample(nil, normal(ir.T), below(3, ir.T)), sample(nil, normal(ir.T))),
})

// grouped writes a loop over the m numbers from number at on. of writes what is computed of the numbers of a group, over which it can loop with each; write
// writes what follows from that for number at+i. A single group is computed once.
func (b *nest) grouped(n *ir.Node, of func(each func(do func(k loop.Expr))) loop.Expr, write func(i, of loop.Expr)) {
	all := func(do func(k loop.Expr)) { b.each("k", loop.V("xRows"), do) }
	b.all("xs", "x", loop.V("xRows"))
	b.all("ys", "y", loop.V("m"))
	if in(n, 1) == nil {
		one := of(all)
		b.rows(func(i loop.Expr) { write(i, one) })
		return
	}
	b.all("of", "group", loop.V("xRows"))
	b.rows(func(i loop.Expr) {
		own := b.Let("own", loop.At("of", loop.Add(loop.V("at"), i)))
		write(i, of(func(do func(k loop.Expr)) {
			all(func(k loop.Expr) { b.If(loop.Bin{Op: "==", X: loop.At("of", k), Y: own}, func() { do(k) }, nil) })
		}))
	})
}
