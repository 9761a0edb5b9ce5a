package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// countedIn is the operand by which mean and share leave out rows.
var countedIn = ir.Operand{Name: "target", DType: ir.I32, Optional: true, Whole: true,
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
	In:  []ir.Operand{whole(float("x", "[M]")), countedIn},
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
	Lower:  lowerMean,
	Sample: samples(sample(nil, normal(ir.T)), sample(nil, normal(ir.T), targets(2, ir.T)), sample(nil, normal(ir.B), targets(1, ir.B))),
})

var _ = ir.Define(ir.Op{
	Name: "share", Class: ir.Rowwise,
	Doc: "The gradient of mean: the number divided by how many rows count, for each row that counts, and 0 for the others, [1], [M], [M] → [M]. The " +
		"numbers of like are not read.",
	In: []ir.Operand{whole(float("x", "[1]")), float("like", "[M]"), countedIn},
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
	Lower:  lowerShare,
	Sample: samples(sample(nil, normal(ir.N(1)), normal(ir.T)), sample(nil, normal(ir.N(1)), normal(ir.T), targets(2, ir.T))),
})

// numbers returns the extent of an operand with one extent.
func numbers(n *ir.Node, i int) (ir.Dim, error) {
	s := n.In[i].Type.Shape
	if len(s) != 1 {
		return ir.Dim{}, fmt.Errorf("%s is %s, not a vector", operand(n, i), n.In[i].Type)
	}
	return s[0], nil
}

// lowerMean returns the portable form, with the arguments (y, x, target, xRows). Without a target it has no such argument.
func lowerMean(n *ir.Node) (*loop.Nest, error) {
	rows := loop.V("xRows")
	args := "x xRows"
	if in(n, 1) != nil {
		args = "x target xRows"
	}
	return portable(n, "y[0] = the mean of the numbers that count.", args, func(b *nest) {
		b.all("ys", "y", loop.I(1))
		b.all("xs", "x", rows)
		term := of("xs")
		if in(n, 1) != nil {
			term = func(i loop.Expr) loop.Expr {
				v := b.Let("v", loop.F(0))
				b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: loop.At("to", i)}, func() { b.Assign(v, loop.At("xs", i)) }, nil)
				return v
			}
		}
		count := b.counted(n, rows)
		sum := b.total(rows, term)
		b.Store("ys", loop.I(0), loop.Div(sum, count))
	})
}

// lowerShare returns the portable form for m rows, with the arguments (y, x, target, m, at, likeRows). Without a target it has no argument at.
func lowerShare(n *ir.Node) (*loop.Nest, error) {
	args := "x m likeRows"
	if in(n, 2) != nil {
		args = "x target m at likeRows"
	}
	return portable(n, "y[i] = x divided by the number of rows that count, or 0 for a row that does not count, m rows.", args, func(b *nest) {
		b.all("one", "x", loop.I(1))
		b.all("ys", "y", loop.V("m"))
		count := b.counted(n, loop.V("likeRows"))
		each := b.Let("each", loop.Div(loop.At("one", loop.I(0)), count))
		b.rows(func(i loop.Expr) {
			v := b.Let("v", each)
			if in(n, 2) != nil {
				b.If(loop.Less(loop.At("to", loop.Add(loop.V("at"), i)), loop.I(0)), func() { b.Assign(v, loop.F(0)) }, nil)
			}
			b.Store("ys", i, v)
		})
	})
}

// counted writes the number of rows that count, at least 1, as a float. If the node has a target, it makes a window of it, which is named to.
func (b *nest) counted(n *ir.Node, rows loop.Expr) loop.Expr {
	if n.In[len(n.In)-1] == nil || n.In[len(n.In)-1].Type.DType != ir.I32 {
		return loop.Fn("float", loop.Fn("max", loop.I(1), rows))
	}
	b.all("to", "target", rows)
	count := b.Let("count", loop.I(0))
	b.each("k", rows, func(k loop.Expr) {
		b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: loop.At("to", k)}, func() { b.AddTo(count, loop.I(1)) }, nil)
	})
	return loop.Fn("float", loop.Fn("max", loop.I(1), count))
}
