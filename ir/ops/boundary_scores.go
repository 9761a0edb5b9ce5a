package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// boundaryIn returns the operands of boundary_scores, after those of before.
func boundaryIn(before ...ir.Operand) []ir.Operand {
	return placed(append(before, float("a", "[Q, N]"), float("b", "[Q, N]"), float("c", "[Q, N]"),
		float("start", "[U, N]"), float("end", "[U, N]"), float("inside", "[W, N]"))...)
}

// boundaryShapes checks the operands of boundary_scores from number i on.
func boundaryShapes(n *ir.Node, i int) error {
	w, err := fixedRows(n, i, ir.Q)
	d := ir.N(w)
	return first(err, shaped(n, i+1, ir.Q, d), shaped(n, i+2, ir.Q, d), shaped(n, i+3, ir.U, d), shaped(n, i+4, ir.U, d), shaped(n, i+5, ir.W, d),
		placeShapes(n))
}

// boundaryArgs are samples of the operands of boundary_scores.
func boundaryArgs(n int, before ...ir.Arg) []ir.Arg {
	d := ir.N(n)
	return append(before, normal(ir.Q, d), normal(ir.Q, d), normal(ir.Q, d), normal(ir.U, d), normal(ir.U, d), normal(ir.W, d))
}

// eachBoundaryScore calls visit with the row and column of each score, and with the numbers of its two rows: a query's, in operand side, and a boundary's or a
// word's, in operand 3+side.
func eachBoundaryScore(in []*ir.Array, visit func(row, side, query, other int)) (rows int) {
	list, end := places(in)
	for _, p := range list {
		for q := range p.Queries {
			for i := range p.Words + 1 {
				row := p.Score + q*(p.Words+1) + i
				visit(row, 0, p.Query+q, p.Bound+i)
				visit(row, 1, p.Query+q, p.Bound+i)
				if i < p.Words {
					visit(row, 2, p.Query+q, p.Word+i)
				}
			}
		}
	}
	return end.Score
}

var _ = ir.Define(ir.Op{
	Name: "boundary_scores", Class: ir.Wordwise,
	Doc: "Three scores of each query and boundary of a sequence, products divided by √N: that a span starts at the boundary, a·start, that it ends there, " +
		"b·end, and that the word after it lies inside, c·inside. The last is 0 for the last boundary, " +
		"[Q, N], [Q, N], [Q, N], [U, N], [U, N], [W, N] → [R, 3].",
	In: boundaryIn(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		return []ir.Type{f32(ir.R, ir.N(SpanColumns))}, boundaryShapes(n, 0)
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		_, end := places(in)
		w, y := in[0].Shape[1], ir.NewArray(end.Score, SpanColumns)
		eachBoundaryScore(in, func(row, side, query, other int) {
			y.F[row*SpanColumns+side] = dot(in[side].Floats()[query*w:][:w], in[3+side].Floats()[other*w:][:w]) / math.Sqrt(float64(w))
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return allResults(b, n, "boundary_scores_grad", nil, append([]*ir.Value{dy[0]}, n.In...)...)
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(2 * s.Elements(n.Out[0].Type.Shape) * width(n.In[0]))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		doc := "y = the scores of a sequence's queries for its boundaries: start, end, and inside for the word after each."
		return portable(n, doc, "a b c start end inside words queries", func(b *nest) {
			cols := b.cols["a"]
			by := loop.F(1 / math.Sqrt(float64(cols)))
			b.each("q", loop.V("queries"), func(q loop.Expr) {
				for _, name := range []string{"a", "b", "c"} {
					b.row(name+"q", name, q)
				}
				b.each("i", loop.Add(loop.V("words"), loop.I(1)), func(i loop.Expr) {
					b.row("yi", "y", b.scoreRow(q, i))
					score := func(side int, query, other string) {
						b.row(other+"i", other, i)
						s := sumOf(b.Builder, other, cols, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At(query+"q", j), loop.At(other+"i", j)) })
						b.Store("yi", loop.I(side), loop.Mul(s, by))
					}
					score(0, "a", "start")
					score(1, "b", "end")
					b.If(loop.Less(i, loop.V("words")), func() { score(2, "c", "inside") }, func() { b.Store("yi", loop.I(2), loop.F(0)) })
				})
			})
		})
	},
	Launches: placeLaunches(nil),
	Sample:   samples(placeSample(nil, boundaryArgs(5)...), placeSample(nil, boundaryArgs(16)...)),
})

// scoreRow returns the row of query q and boundary i of a sequence.
func (b *nest) scoreRow(q, i loop.Expr) loop.Expr {
	return loop.Add(loop.Mul(q, loop.Add(loop.V("words"), loop.I(1))), i)
}

// width returns the number of columns of a value.
func width(v *ir.Value) int { return v.Type.Shape[len(v.Type.Shape)-1].N }

var _ = ir.Define(ir.Op{
	Name: "boundary_scores_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands of boundary_scores, [R, 3], [Q, N], [Q, N], [Q, N], [U, N], [U, N], [W, N] → [Q, N], [Q, N], [Q, N], [U, N], " +
		"[U, N], [W, N].",
	In: boundaryIn(float("dy", "[R, 3]")),
	Shape: func(n *ir.Node) (out []ir.Type, err error) {
		for _, v := range n.In[1:7] {
			out = append(out, v.Type)
		}
		return out, first(shaped(n, 0, ir.R, ir.N(SpanColumns)), boundaryShapes(n, 1))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) (out []*ir.Array, err error) {
		w, dy := in[1].Shape[1], in[0].Floats()
		for _, x := range in[1:7] {
			out = append(out, ir.NewArray(x.Shape...))
		}
		eachBoundaryScore(in, func(row, side, query, other int) {
			g := dy[row*SpanColumns+side] / math.Sqrt(float64(w))
			addScaled(out[side].F[query*w:][:w], in[4+side].Floats()[other*w:][:w], g)
			addScaled(out[3+side].F[other*w:][:w], in[1+side].Floats()[query*w:][:w], g)
		})
		return out, nil
	},
	Results: []string{"da", "db", "dc", "dstart", "dend", "dinside"},
	NoGrad:  onlyFirst,
	Lower:   lowerBoundaryScoresGrad,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(4 * s.Elements(n.In[0].Type.Shape) * width(n.In[1]))}
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(nil, boundaryArgs(5, normal(ir.R, ir.N(3)))...),
		placeSample(nil, boundaryArgs(16, normal(ir.R, ir.N(3)))...)),
})

// lowerBoundaryScoresGrad returns the portable form for one sequence.
func lowerBoundaryScoresGrad(n *ir.Node) (*loop.Nest, error) {
	return portable(n, "the gradients of what scores a sequence's queries for its boundaries.", "dy a b c start end inside words queries", func(b *nest) {
		cols := b.cols["a"]
		by := loop.F(1 / math.Sqrt(float64(cols)))
		bounds := loop.Add(loop.V("words"), loop.I(1))
		clearAll := func(count loop.Expr, names ...string) {
			b.each("i", count, func(i loop.Expr) {
				for _, name := range names {
					b.row("zero"+name, name, i)
					b.clear("zero"+name, cols)
				}
			})
		}
		clearAll(loop.V("queries"), "da", "db", "dc")
		clearAll(bounds, "dstart", "dend")
		clearAll(loop.V("words"), "dinside")
		b.each("q", loop.V("queries"), func(q loop.Expr) {
			for _, name := range []string{"a", "b", "c"} {
				b.row(name+"q", name, q)
				b.row("d"+name+"q", "d"+name, q)
			}
			b.each("i", bounds, func(i loop.Expr) {
				b.row("dyi", "dy", b.scoreRow(q, i))
				back := func(side int, query, other string) {
					g := b.Let("g"+query, loop.Mul(loop.At("dyi", loop.I(side)), by))
					b.row(other+"i", other, i)
					b.row("d"+other+"i", "d"+other, i)
					b.addTo("d"+query+"q", cols, func(j loop.Expr) loop.Expr { return loop.Mul(g, loop.At(other+"i", j)) })
					b.addTo("d"+other+"i", cols, func(j loop.Expr) loop.Expr { return loop.Mul(g, loop.At(query+"q", j)) })
				}
				back(0, "a", "start")
				back(1, "b", "end")
				b.If(loop.Less(i, loop.V("words")), func() { back(2, "c", "inside") }, nil)
			})
		})
	})
}
