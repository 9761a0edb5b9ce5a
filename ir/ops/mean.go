package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// countedIn is the operand by which mean and share leave out rows.
var countedIn = ir.Operand{Name: "target", DType: ir.I32, Optional: true, Whole: true,
	Doc: "[M] a row with a number below 0 does not count; missing: all rows count"}

// wholeIn is the operand by which mean and share compute their part of the mean over a larger batch, of which this one is a part.
var wholeIn = ir.Operand{Name: "of", DType: ir.I32, Optional: true, Whole: true,
	Doc: "[1] how many rows count in the whole batch; missing: this batch is the whole one"}

// sumAttr makes a sum of a mean.
var sumAttr = ir.AttrDef{Name: "sum", Type: ir.AttrBool, Doc: "the sum is not divided; then there is no operand of"}

// sumShape checks that a sum is not to be divided by the rows of a whole batch, which are operand i.
func sumShape(n *ir.Node, i int) error {
	if n.Flag("sum") && in(n, i) != nil {
		return fmt.Errorf("a sum, and the number of rows %s by which to divide it", operand(n, i))
	}
	return nil
}

// divisor returns the number by which a node divides a sum over m rows. The target and the number of rows of the whole batch may be missing.
func divisor(n *ir.Node, target, of *ir.Array, m int) float64 {
	switch {
	case n.Flag("sum"):
		return 1
	case of != nil:
		return float64(max(1, of.I[0]))
	}
	return float64(max(1, counted(target, m)))
}

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
	Doc: "The mean of the numbers that count, which are those whose target is not below 0; 0 if no number counts, [M], [M], [1] → [1]. For a part of a " +
		"batch, the sum is divided by the number of rows that count in the whole batch, so the results of all parts add up to the mean.",
	In:    []ir.Operand{whole(float("x", "[M]")), countedIn, wholeIn},
	Attrs: []ir.AttrDef{sumAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, err := numbers(n, 0)
		return []ir.Type{f32(ir.N(1))}, first(err, shaped(n, 1, rows), shaped(n, 2, ir.N(1)), sumShape(n, 2))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y, target, m := ir.NewArray(1), data(in, 1), in[0].Shape[0]
		for i, x := range in[0].Floats() {
			if counts(target, i) {
				y.F[0] += x
			}
		}
		y.F[0] /= divisor(n, target, data(in, 2), m)
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "share", n.Attrs, dy[0], n.In[0], in(n, 1), in(n, 2)), nil, nil}[:len(n.In)], b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: lowerMean,
	Sample: samples(sample(nil, normal(ir.T)), sample(nil, normal(ir.T), targets(2, ir.T)), sample(nil, normal(ir.B), targets(1, ir.B)),
		sample(nil, normal(ir.T), targets(2, ir.T), below(30, ir.N(1))), sample(nil, normal(ir.T), missing(), below(30, ir.N(1))),
		sample(attrs("sum", true), normal(ir.T)), sample(attrs("sum", true), normal(ir.T), targets(2, ir.T))),
})

var _ = ir.Define(ir.Op{
	Name: "share", Class: ir.Rowwise,
	Doc: "The gradient of mean: the number divided by how many rows count, for each row that counts, and 0 for the others, [1], [M], [M], [1] → [M]. The " +
		"numbers of like are not read.",
	In:    []ir.Operand{whole(float("x", "[1]")), float("like", "[M]"), countedIn, wholeIn},
	Attrs: []ir.AttrDef{sumAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, err := numbers(n, 1)
		return []ir.Type{f32(rows)}, first(err, shaped(n, 0, ir.N(1)), shaped(n, 2, rows), shaped(n, 3, ir.N(1)), sumShape(n, 3))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, target := in[1].Shape[0], data(in, 2)
		each := in[0].Floats()[0] / divisor(n, target, data(in, 3), m)
		y := ir.NewArray(m)
		for i := range y.F {
			if counts(target, i) {
				y.F[i] = each
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "mean", n.Attrs, dy[0], in(n, 2), in(n, 3)), nil, nil, nil}[:len(n.In)], b.Err()
	},
	Lower: lowerShare,
	Sample: samples(sample(nil, normal(ir.N(1)), normal(ir.T)), sample(nil, normal(ir.N(1)), normal(ir.T), targets(2, ir.T)),
		sample(nil, normal(ir.N(1)), normal(ir.T), targets(2, ir.T), below(30, ir.N(1))),
		sample(nil, normal(ir.N(1)), normal(ir.T), missing(), below(30, ir.N(1))),
		sample(attrs("sum", true), normal(ir.N(1)), normal(ir.T)), sample(attrs("sum", true), normal(ir.N(1)), normal(ir.T), targets(2, ir.T))),
})

// numbers returns the extent of an operand with one extent.
func numbers(n *ir.Node, i int) (ir.Dim, error) {
	s := n.In[i].Type.Shape
	if len(s) != 1 {
		return ir.Dim{}, fmt.Errorf("%s is %s, not a vector", operand(n, i), n.In[i].Type)
	}
	return s[0], nil
}

// lowerMean returns the portable form, with the arguments (y, x, target, of, xRows). It has no argument for an operand that is missing.
func lowerMean(n *ir.Node) (*loop.Nest, error) {
	rows := loop.V("xRows")
	return portable(n, "y[0] = the mean of the numbers that count.", argumentsOf(n, 1, "xRows"), func(b *nest) {
		b.all("ys", "y", loop.I(1))
		b.all("xs", "x", rows)
		term := of("xs")
		if in(n, 1) != nil {
			b.all("to", "target", rows)
			term = func(i loop.Expr) loop.Expr {
				v := b.Let("v", loop.F(0))
				b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: loop.At("to", i)}, func() { b.Assign(v, loop.At("xs", i)) }, nil)
				return v
			}
		}
		if n.Flag("sum") {
			b.Store("ys", loop.I(0), b.total(rows, term))
			return
		}
		count := b.divisor(in(n, 1), in(n, 2), rows)
		sum := b.total(rows, term)
		b.Store("ys", loop.I(0), loop.Div(sum, count))
	})
}

// argumentsOf returns the names of a nest's arguments: those of the optional operands that a node has, in their order, and counts.
func argumentsOf(n *ir.Node, from int, counts string) string {
	args := "x"
	for i := from; i < len(n.In); i++ {
		if n.In[i] != nil {
			args += " " + ir.Lookup(n.Op).In[i].Name
		}
	}
	return args + " " + counts
}

// lowerShare returns the portable form for m rows, with the arguments (y, x, target, of, m, at, likeRows). It has no argument that it does not need.
func lowerShare(n *ir.Node) (*loop.Nest, error) {
	counts := "m"
	switch {
	case in(n, 2) != nil:
		counts = "m at likeRows"
	case in(n, 3) == nil && !n.Flag("sum"):
		counts = "m likeRows"
	}
	const doc = "y[i] = x divided by the number of rows that count, or 0 for a row that does not count, m rows."
	return portable(n, doc, argumentsOf(n, 2, counts), func(b *nest) {
		b.all("one", "x", loop.I(1))
		b.all("ys", "y", loop.V("m"))
		if in(n, 2) != nil {
			b.all("to", "target", loop.V("likeRows"))
		}
		one := loop.At("one", loop.I(0))
		if !n.Flag("sum") {
			one = loop.Div(one, b.divisor(in(n, 2), in(n, 3), loop.V("likeRows")))
		}
		each := b.Let("each", one)
		b.rows(func(i loop.Expr) {
			v := b.Let("v", each)
			if in(n, 2) != nil {
				b.If(loop.Less(loop.At("to", loop.Add(loop.V("at"), i)), loop.I(0)), func() { b.Assign(v, loop.F(0)) }, nil)
			}
			b.Store("ys", i, v)
		})
	})
}

// divisor writes the number by which a sum is divided, at least 1, as a float: the number of rows of the whole batch, or of the rows here that count. The
// window of the target is named to.
func (b *nest) divisor(target, whole *ir.Value, rows loop.Expr) loop.Expr {
	if whole != nil {
		b.all("total", "of", loop.I(1))
		return loop.Fn("float", loop.Fn("max", loop.I(1), loop.At("total", loop.I(0))))
	}
	if target == nil {
		return loop.Fn("float", loop.Fn("max", loop.I(1), rows))
	}
	count := b.Let("count", loop.I(0))
	b.each("k", rows, func(k loop.Expr) {
		b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: loop.At("to", k)}, func() { b.AddTo(count, loop.I(1)) }, nil)
	})
	return loop.Fn("float", loop.Fn("max", loop.I(1), count))
}
