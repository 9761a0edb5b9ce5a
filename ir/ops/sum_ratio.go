package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// weightIn holds the weights of the rows of a mean.
var weightIn = constant(whole(float("w", "[M] how many times each row counts, at least 0")))

// weightOfIn is the operand by which sum_ratio computes its part of a mean over a larger batch, of which this one is a part.
var weightOfIn = ir.Operand{Name: "of", DType: ir.F32, Optional: true, Whole: true, Constant: true,
	Doc: "[1] the sum of the weights of the whole batch; missing: this batch is the whole one"}

// ratio returns a number divided by a sum of weights, or 0 if that sum is not above 0.
func ratio(x, weights float64) float64 {
	if weights <= 0 {
		return 0
	}
	return x / weights
}

// weightSum returns the sum of the weights of the whole batch.
func weightSum(w, of *ir.Array) float64 {
	if of != nil {
		return of.Floats()[0]
	}
	sum := 0.0
	for _, v := range w.Floats() {
		sum += v
	}
	return sum
}

var _ = ir.Define(ir.Op{
	Name: "sum_ratio", Class: ir.Reduction,
	Doc: "A mean of numbers that are multiplied by their weights before: Σx / Σw, or 0 if Σw is 0, [M], [M], [1] → [1]. For a part of a batch, the sum is " +
		"divided by the sum of the weights of the whole batch, so the results of all parts add up to the mean.",
	In: []ir.Operand{whole(float("x", "[M]")), weightIn, weightOfIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, err := numbers(n, 0)
		return []ir.Type{f32(ir.N(1))}, first(err, shaped(n, 1, rows), shaped(n, 2, ir.N(1)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(1)
		for _, x := range in[0].Floats() {
			y.F[0] += x
		}
		y.F[0] = ratio(y.F[0], weightSum(in[1], data(in, 2)))
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "share_ratio", nil, dy[0], n.In[1], in(n, 2)), nil, nil}[:len(n.In)], b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 2 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		args := "x w xRows"
		if in(n, 2) != nil {
			args = "x of xRows"
		}
		return portable(n, "y[0] = Σx / Σw.", args, func(b *nest) {
			b.all("ys", "y", loop.I(1))
			b.all("xs", "x", loop.V("xRows"))
			if in(n, 2) == nil {
				b.all("ws", "w", loop.V("xRows"))
			}
			weights := b.weights(in(n, 2), loop.V("xRows"))
			b.Store("ys", loop.I(0), b.ratio(b.total(loop.V("xRows"), of("xs")), weights))
		})
	},
	Sample: samples(sample(nil, normal(ir.T), positive(ir.T)), sample(nil, normal(ir.B), ir.Arg{Type: f32(ir.B), Fill: ir.FillZero}),
		sample(nil, normal(ir.B), positive(ir.B), positive(ir.N(1)))),
})

var _ = ir.Define(ir.Op{
	Name: "share_ratio", Class: ir.Rowwise,
	Doc: "The gradient of sum_ratio: the number divided by the sum of the weights, for each row, [1], [M], [1] → [M].",
	In:  []ir.Operand{whole(float("x", "[1]")), weightIn, weightOfIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, err := numbers(n, 1)
		return []ir.Type{f32(rows)}, first(err, shaped(n, 0, ir.N(1)), shaped(n, 2, ir.N(1)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[1].Shape[0])
		each := ratio(in[0].Floats()[0], weightSum(in[1], data(in, 2)))
		for i := range y.F {
			y.F[i] = each
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		args := "x w m wRows"
		if in(n, 2) != nil {
			args = "x of m"
		}
		return portable(n, "y[i] = x / Σw, m rows.", args, func(b *nest) {
			b.all("one", "x", loop.I(1))
			b.all("ys", "y", loop.V("m"))
			if in(n, 2) == nil {
				b.all("ws", "w", loop.V("wRows"))
			}
			each := b.ratio(loop.At("one", loop.I(0)), b.weights(in(n, 2), loop.V("wRows")))
			b.rows(func(i loop.Expr) { b.Store("ys", i, each) })
		})
	},
	Sample: samples(sample(nil, normal(ir.N(1)), positive(ir.T)), sample(nil, normal(ir.N(1)), positive(ir.B), positive(ir.N(1)))),
})

// weights writes the sum of the weights of the whole batch. Without it, it is the sum of the window ws.
func (b *nest) weights(whole *ir.Value, rows loop.Expr) loop.Var {
	if whole != nil {
		b.all("total", "of", loop.I(1))
		return b.Let("weights", loop.At("total", loop.I(0)))
	}
	return b.Let("weights", b.total(rows, of("ws")))
}

// ratio writes a number divided by a sum of weights, or 0 if the sum is 0.
func (b *nest) ratio(x loop.Expr, weights loop.Var) loop.Var {
	y := b.Let("ratio", loop.F(0))
	b.If(loop.Less(loop.F(0), weights), func() { b.Assign(y, loop.Div(x, weights)) }, nil)
	return y
}
