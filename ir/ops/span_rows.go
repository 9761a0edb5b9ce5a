package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "span_ends", Class: ir.Wordwise,
	Doc: "The row a of each candidate's first boundary plus the row b of its last one; zeros for a row without a span, [U, N], [U, N], [S, 2] → [S, N].",
	In:  placed(float("a", "[U, N]"), float("b", "[U, N]"), spansIn),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 0, ir.U)
		return []ir.Type{f32(ir.S, ir.N(w))}, first(err, shaped(n, 1, ir.U, ir.N(w)), shaped(n, 2, ir.S, ir.N(2)), placeShapes(n))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, y := in[0].Shape[1], ir.NewArray(in[2].Shape[0], in[0].Shape[1])
		eachSpan(in[2], in, func(p place, i int, s span) {
			addScaled(y.F[i*w:][:w], in[0].Floats()[(p.Bound+s.from)*w:][:w], 1)
			addScaled(y.F[i*w:][:w], in[1].Floats()[(p.Bound+s.to)*w:][:w], 1)
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return allResults(b, n, "span_ends_grad", nil, append([]*ir.Value{dy[0]}, n.In[2:]...)...)
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the rows of the two boundaries of each candidate of a sequence, added.", "a b spans words chosen", func(b *nest) {
			b.eachCandidate(func(i, from, to loop.Expr) {
				b.row("af", "a", from)
				b.row("bt", "b", to)
				b.row("yi", "y", i)
				b.set("yi", b.cols["y"], func(j loop.Expr) loop.Expr { return loop.Add(loop.At("af", j), loop.At("bt", j)) })
			}, b.noSpan)
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(nil, normal(ir.U, ir.N(5)), normal(ir.U, ir.N(5)), spanPairs()),
		placeSample(nil, normal(ir.U, ir.N(16)), normal(ir.U, ir.N(16)), spanPairs())),
})

// noSpan writes zeros to the row of a candidate that is no span.
func (b *nest) noSpan(i loop.Expr) {
	b.row("yn", "y", i)
	b.clear("yn", b.cols["y"])
}

var _ = ir.Define(ir.Op{
	Name: "span_ends_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands a and b of span_ends, [S, N], [S, 2] → [U, N], [U, N].",
	In:  placed(float("dy", "[S, N]"), spansIn),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 0, ir.S)
		t := f32(ir.U, ir.N(w))
		return []ir.Type{t, t}, first(err, shaped(n, 1, ir.S, ir.N(2)), placeShapes(n))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		_, end := places(in)
		w, dy := in[0].Shape[1], in[0].Floats()
		da, db := ir.NewArray(end.Bound, w), ir.NewArray(end.Bound, w)
		eachSpan(in[1], in, func(p place, i int, s span) {
			addScaled(da.F[(p.Bound+s.from)*w:][:w], dy[i*w:][:w], 1)
			addScaled(db.F[(p.Bound+s.to)*w:][:w], dy[i*w:][:w], 1)
		})
		return []*ir.Array{da, db}, nil
	},
	Results: []string{"da", "db"},
	NoGrad:  onlyFirst,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "the gradients of the boundaries' rows by those of a sequence's candidates.", "dy spans words chosen", func(b *nest) {
			cols := b.cols["dy"]
			bounds := loop.Add(loop.V("words"), loop.I(1))
			b.clearRows("da", bounds)
			b.clearRows("db", bounds)
			b.eachCandidate(func(i, from, to loop.Expr) {
				b.row("dyi", "dy", i)
				b.row("daf", "da", from)
				b.row("dbt", "db", to)
				b.addTo("daf", cols, of("dyi"))
				b.addTo("dbt", cols, of("dyi"))
			}, nil)
		})
	},
	Launches: placeLaunches(nil),
	Sample:   samples(placeSample(nil, normal(ir.S, ir.N(5)), spanPairs()), placeSample(nil, normal(ir.S, ir.N(16)), spanPairs())),
})

var _ = ir.Define(ir.Op{
	Name: "span_products", Class: ir.Wordwise,
	Doc: "The product of the row a of each candidate's first boundary with the row b of its last one, divided by √N; 0 for a row without a span, " +
		"[U, N], [U, N], [S, 2] → [S, 1].",
	In: placed(float("a", "[U, N]"), float("b", "[U, N]"), spansIn),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 0, ir.U)
		return []ir.Type{f32(ir.S, ir.N(1))}, first(err, shaped(n, 1, ir.U, ir.N(w)), shaped(n, 2, ir.S, ir.N(2)), placeShapes(n))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, y := in[0].Shape[1], ir.NewArray(in[2].Shape[0], 1)
		eachSpan(in[2], in, func(p place, i int, s span) {
			y.F[i] = dot(in[0].Floats()[(p.Bound+s.from)*w:][:w], in[1].Floats()[(p.Bound+s.to)*w:][:w]) / math.Sqrt(float64(w))
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return allResults(b, n, "span_products_grad", nil, append([]*ir.Value{dy[0]}, n.In...)...)
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(2 * s.Elements(n.Out[0].Type.Shape) * width(n.In[0]))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the product of the rows of the two boundaries of each candidate of a sequence.", "a b spans words chosen", func(b *nest) {
			cols := b.cols["a"]
			b.eachCandidate(func(i, from, to loop.Expr) {
				b.row("af", "a", from)
				b.row("bt", "b", to)
				b.row("yi", "y", i)
				s := sumOf(b.Builder, "s", cols, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("af", j), loop.At("bt", j)) })
				b.Store("yi", loop.I(0), loop.Mul(s, loop.F(1/math.Sqrt(float64(cols)))))
			}, b.noSpan)
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(nil, normal(ir.U, ir.N(5)), normal(ir.U, ir.N(5)), spanPairs()),
		placeSample(nil, normal(ir.U, ir.N(16)), normal(ir.U, ir.N(16)), spanPairs())),
})

var _ = ir.Define(ir.Op{
	Name: "span_products_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands a and b of span_products, [S, 1], [U, N], [U, N], [S, 2] → [U, N], [U, N].",
	In:  placed(float("dy", "[S, 1]"), float("a", "[U, N]"), float("b", "[U, N]"), spansIn),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 1, ir.U)
		t := f32(ir.U, ir.N(w))
		return []ir.Type{t, t}, first(err, shaped(n, 0, ir.S, ir.N(1)), shaped(n, 2, ir.U, ir.N(w)), shaped(n, 3, ir.S, ir.N(2)), placeShapes(n))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, a, c := in[1].Shape[1], in[1].Floats(), in[2].Floats()
		da, db := ir.NewArray(in[1].Shape...), ir.NewArray(in[2].Shape...)
		eachSpan(in[3], in, func(p place, i int, s span) {
			g := in[0].Floats()[i] / math.Sqrt(float64(w))
			addScaled(da.F[(p.Bound+s.from)*w:][:w], c[(p.Bound+s.to)*w:][:w], g)
			addScaled(db.F[(p.Bound+s.to)*w:][:w], a[(p.Bound+s.from)*w:][:w], g)
		})
		return []*ir.Array{da, db}, nil
	},
	Results: []string{"da", "db"},
	NoGrad:  onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(4 * s.Elements(n.In[0].Type.Shape) * width(n.In[1]))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "the gradients of the boundaries' rows by those of a sequence's products.", "dy a b spans words chosen", func(b *nest) {
			cols := b.cols["a"]
			bounds := loop.Add(loop.V("words"), loop.I(1))
			b.clearRows("da", bounds)
			b.clearRows("db", bounds)
			b.eachCandidate(func(i, from, to loop.Expr) {
				b.row("dyi", "dy", i)
				for _, at := range []struct {
					name string
					row  loop.Expr
				}{{"a", from}, {"b", to}, {"da", from}, {"db", to}} {
					b.row(at.name+"i", at.name, at.row)
				}
				g := b.Let("g", loop.Mul(loop.At("dyi", loop.I(0)), loop.F(1/math.Sqrt(float64(cols)))))
				b.addTo("dai", cols, func(j loop.Expr) loop.Expr { return loop.Mul(g, loop.At("bi", j)) })
				b.addTo("dbi", cols, func(j loop.Expr) loop.Expr { return loop.Mul(g, loop.At("ai", j)) })
			}, nil)
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(nil, normal(ir.S, ir.N(1)), normal(ir.U, ir.N(5)), normal(ir.U, ir.N(5)), spanPairs()),
		placeSample(nil, normal(ir.S, ir.N(1)), normal(ir.U, ir.N(16)), normal(ir.U, ir.N(16)), spanPairs())),
})

// lengthColumns is the number of columns of span_lengths.
const lengthColumns = 3

var _ = ir.Define(ir.Op{
	Name: "span_lengths", Class: ir.Wordwise,
	Doc: "Three numbers for the length l of each candidate in words, in a sequence of n words: log(1+l), l/n and 1/√l; zeros for a row without a span, " +
		"[S, 2] → [S, 3].",
	In: placed(spansIn),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		return []ir.Type{f32(ir.S, ir.N(lengthColumns))}, first(shaped(n, 0, ir.S, ir.N(2)), placeShapes(n))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[0].Shape[0], lengthColumns)
		eachSpan(in[0], in, func(p place, i int, s span) {
			l := float64(s.to - s.from)
			copy(y.F[i*lengthColumns:], []float64{math.Log1p(l), l / float64(p.Words), 1 / math.Sqrt(l)})
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(_ *ir.Builder, n *ir.Node, _ []*ir.Value) ([]*ir.Value, error) {
		return make([]*ir.Value, len(n.In)), nil // which spans are chosen has no gradient
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = what the length of each candidate of a sequence becomes.", "spans words chosen", func(b *nest) {
			b.eachCandidate(func(i, from, to loop.Expr) {
				l := b.Let("l", loop.Fn("float", loop.Sub(to, from)))
				b.row("yi", "y", i)
				b.Store("yi", loop.I(0), loop.Fn("log", loop.Add(loop.F(1), l)))
				b.Store("yi", loop.I(1), loop.Div(l, loop.Fn("float", loop.V("words"))))
				b.Store("yi", loop.I(2), loop.Div(loop.F(1), loop.Fn("sqrt", l)))
			}, b.noSpan)
		})
	},
	Launches: placeLaunches(nil),
	Sample:   samples(placeSample(nil, spanPairs())),
})
