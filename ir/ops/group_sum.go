package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// groupIn is the operand that divides numbers into groups.
var groupIn = ir.Operand{Name: "group", DType: ir.I32, Whole: true, Doc: "[M] the group of each number, in 0 … M-1"}

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
	In:    []ir.Operand{whole(float("x", "[M]")), groupIn},
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
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the sum of the group of number at+i, m numbers.", "x group m at xRows", func(b *nest) {
			b.grouped(func(i loop.Expr, each func(do func(k loop.Expr))) {
				sum := b.Let("sum", loop.F(0))
				each(func(k loop.Expr) { b.AddTo(sum, loop.At("xs", k)) })
				b.Store("ys", i, sum)
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T), below(3, ir.T))),
})

var _ = ir.Define(ir.Op{
	Name: "log_softmax_groups", Class: ir.Reduction,
	Doc:   "The logarithm of the softmax over the numbers of each group: x[i] - log Σ_k exp x[k] over the k with group[k] = group[i], [M], [M] → [M].",
	In:    []ir.Operand{whole(float("x", "[M]")), groupIn},
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
	Cost: softmaxCost,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the logarithm of the softmax of number at+i in its group, m numbers.", "x group m at xRows", func(b *nest) {
			b.grouped(func(i loop.Expr, each func(do func(k loop.Expr))) {
				x := b.Let("x0", loop.At("xs", loop.Add(loop.V("at"), i)))
				top, sum := b.Let("top", x), b.Let("sum", loop.F(0))
				each(func(k loop.Expr) { b.Assign(top, loop.Fn("max", top, loop.At("xs", k))) })
				each(func(k loop.Expr) { b.AddTo(sum, loop.Fn("exp", loop.Sub(loop.At("xs", k), top))) })
				b.Store("ys", i, loop.Sub(x, loop.Add(top, loop.Fn("log", sum))))
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T), below(3, ir.T))),
})

// grouped writes a loop over the m numbers from number at on. In it, write can loop over the numbers of the group of number at+i with each.
func (b *nest) grouped(write func(i loop.Expr, each func(do func(k loop.Expr)))) {
	b.all("xs", "x", loop.V("xRows"))
	b.all("of", "group", loop.V("xRows"))
	b.all("ys", "y", loop.V("m"))
	b.rows(func(i loop.Expr) {
		own := b.Let("own", loop.At("of", loop.Add(loop.V("at"), i)))
		write(i, func(do func(k loop.Expr)) {
			b.each("k", loop.V("xRows"), func(k loop.Expr) {
				b.If(loop.Bin{Op: "==", X: loop.At("of", k), Y: own}, func() { do(k) }, nil)
			})
		})
	})
}
