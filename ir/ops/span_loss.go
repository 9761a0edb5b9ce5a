package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// spanLossIn returns the operands of span_loss, after those of before.
func spanLossIn(before ...ir.Operand) []ir.Operand {
	return placed(append(before, float("z", "[X, 1]"), ir.Operand{Name: "target", DType: ir.I32,
		Doc: "[R] the last boundary of the query's span that begins at the boundary; 0: none begins there; below 0: left out"}, spansIn)...)
}

// spanLossShapes checks the operands of span_loss from number i on.
func spanLossShapes(n *ir.Node, i int) error {
	return first(shaped(n, i, ir.X, ir.N(1)), shaped(n, i+1, ir.R), shaped(n, i+2, ir.S, ir.N(2)), placeShapes(n))
}

// eachJudged calls visit with the logit of each query and candidate that is a span and that is not left out, with the row of the boundary where it begins, and
// with its target.
func eachJudged(spans, target *ir.Array, in []*ir.Array, visit func(pair, bound int, target float64)) {
	eachEvidence(spans, in, func(row, _, _ int, s span, score func(i int) int) {
		bound := score(s.from)
		switch t := int(target.I[bound]); {
		case t == s.to:
			visit(row, bound, 1)
		case t >= 0:
			visit(row, bound, 0)
		}
	})
}

var _ = ir.Define(ir.Op{
	Name: "span_loss", Class: ir.Wordwise,
	Doc: "The binary cross entropy of the candidates of each query that begin at each boundary, added: Σ log(1 + exp z) - t·z, where t is 1 for the " +
		"candidate that ends at the target, and 0 for the others, [X, 1], [R], [S, 2] → [R].",
	In:    spanLossIn(),
	Shape: func(n *ir.Node) ([]ir.Type, error) { return []ir.Type{f32(ir.R)}, spanLossShapes(n, 0) },
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[1].Shape[0])
		eachJudged(in[2], in[1], in, func(pair, bound int, target float64) {
			z := in[0].Floats()[pair]
			y.F[bound] += max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) - target*z
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		d := b.Like(n, "span_loss_grad", nil, append([]*ir.Value{dy[0]}, n.In...)...)
		return []*ir.Value{d, nil, nil, nil, nil, nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(8 * s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the losses of a sequence's candidates, added where they begin.", "z target spans words queries chosen", func(b *nest) {
			b.each("q", loop.V("queries"), func(q loop.Expr) {
				b.each("i", loop.Add(loop.V("words"), loop.I(1)), func(i loop.Expr) {
					b.row("zero", "y", b.scoreRow(q, i))
					b.Store("zero", loop.I(0), loop.F(0))
				})
			})
			b.eachJudged(func(pair, bound, target loop.Expr) {
				b.row("zp", "z", pair)
				b.row("yb", "y", bound)
				z := b.Let("z0", loop.At("zp", loop.I(0)))
				soft := loop.Add(loop.Fn("max", z, loop.F(0)), loop.Fn("log", loop.Add(loop.F(1), loop.Fn("exp", loop.Sub(loop.F(0), loop.Fn("abs", z))))))
				b.Store("yb", loop.I(0), loop.Add(loop.At("yb", loop.I(0)), loop.Sub(soft, loop.Mul(target, z))))
			}, nil)
		})
	},
	Launches: placeLaunches(nil),
	Sample:   samples(placeSample(nil, normal(ir.X, ir.N(1)), targets(5, ir.R), spanPairs())),
})

// eachJudged writes a loop over the queries and candidates of a sequence. write is for those that are not left out; pair is the row of the pair, and bound that
// of the query and the boundary where the candidate begins. other, unless it is nil, is for the pairs that are no spans or are left out.
func (b *nest) eachJudged(write func(pair, bound, target loop.Expr), other func(pair loop.Expr)) {
	skip := func(i loop.Expr) {
		b.each("q", loop.V("queries"), func(q loop.Expr) { other(b.pairRow(q, i)) })
	}
	if other == nil {
		skip = nil
	}
	b.eachCandidate(func(i, from, to loop.Expr) {
		b.each("q", loop.V("queries"), func(q loop.Expr) {
			bound := b.Let("bound", b.scoreRow(q, from))
			b.row("tb", "target", bound)
			last := b.Let("last", loop.At("tb", loop.I(0)))
			var left func()
			if other != nil {
				left = func() { other(b.pairRow(q, i)) }
			}
			b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: last}, func() {
				t := b.Let("t", loop.F(0))
				b.If(equal(last, to), func() { b.Assign(t, loop.F(1)) }, nil)
				write(b.pairRow(q, i), bound, t)
			}, left)
		})
	}, skip)
}

var _ = ir.Define(ir.Op{
	Name: "span_loss_grad", Class: ir.Wordwise,
	Doc: "The gradient of span_loss by its logits, dy (σ(z) - t), [R], [X, 1], [R], [S, 2] → [X, 1].",
	In:  spanLossIn(float("dy", "[R]")),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		return []ir.Type{f32(ir.X, ir.N(1))}, first(shaped(n, 0, ir.R), spanLossShapes(n, 1))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		dz := ir.NewArray(in[1].Shape...)
		eachJudged(in[3], in[2], in, func(pair, bound int, target float64) {
			dz.F[pair] = in[0].Floats()[bound] * (1/(1+math.Exp(-in[1].Floats()[pair])) - target)
		})
		return []*ir.Array{dz}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(8 * s.Elements(n.In[1].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the gradients of a sequence's logits by those of its losses.", "dy z target spans words queries chosen", func(b *nest) {
			b.eachJudged(func(pair, bound, target loop.Expr) {
				b.row("zp", "z", pair)
				b.row("yp", "y", pair)
				b.row("db", "dy", bound)
				share := loop.Div(loop.F(1), loop.Add(loop.F(1), loop.Fn("exp", loop.Sub(loop.F(0), loop.At("zp", loop.I(0))))))
				b.Store("yp", loop.I(0), loop.Mul(loop.At("db", loop.I(0)), loop.Sub(share, target)))
			}, b.noSpan)
		})
	},
	Launches: placeLaunches(nil),
	Sample:   samples(placeSample(nil, normal(ir.R), normal(ir.X, ir.N(1)), targets(5, ir.R), spanPairs())),
})
