package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// evidenceIn returns the operands of span_evidence, after those of before.
func evidenceIn(before ...ir.Operand) []ir.Operand {
	return placed(append(before, float("scores", "[R, 3], see boundary_scores"), float("film", "[X, 1]"), float("c", "[S, N]"),
		float("p", "[Q, N]"), spansIn)...)
}

// evidenceAttrs is the attribute of span_evidence and its gradient.
func evidenceAttrs() []ir.AttrDef {
	return []ir.AttrDef{{Name: "inside", Type: ir.AttrBool, Doc: "the inside scores of the candidate's words are added too"}}
}

// evidenceShapes checks the operands of span_evidence from number i on.
func evidenceShapes(n *ir.Node, i int) error {
	w, err := fixedRows(n, i+2, ir.S)
	return first(err, shaped(n, i, ir.R, ir.N(SpanColumns)), shaped(n, i+1, ir.X, ir.N(1)), shaped(n, i+3, ir.Q, ir.N(w)),
		shaped(n, i+4, ir.S, ir.N(2)), placeShapes(n))
}

// evidenceArgs are samples of the operands of span_evidence.
func evidenceArgs(n int, before ...ir.Arg) []ir.Arg {
	return append(before, normal(ir.R, ir.N(3)), normal(ir.X, ir.N(1)), normal(ir.S, ir.N(n)), normal(ir.Q, ir.N(n)), spanPairs())
}

// eachEvidence calls visit with each pair of a query and a candidate that is a span: its row, the rows of the query and the candidate, and a function that
// returns the row of the query's scores for a boundary of the sequence.
func eachEvidence(spans *ir.Array, in []*ir.Array, visit func(row, query, candidate int, s span, score func(i int) int)) {
	eachSpan(spans, in, func(p place, i int, s span) {
		for q := range p.Queries {
			visit(p.Pair+q*p.Candidates+i-p.Candidate, p.Query+q, i, s, func(b int) int { return p.Score + q*(p.Words+1) + b })
		}
	})
}

var _ = ir.Define(ir.Op{
	Name: "span_evidence", Class: ir.Wordwise,
	Doc: "The logit of each query and candidate: c·p/√N, what the layers of film_scores return, the query's score start at the first boundary and its score " +
		"end at the last one, and with inside the sum of its scores inside of the words, divided by the root of their number. It is 0 for a row without a " +
		"span, [R, 3], [X, 1], [S, N], [Q, N], [S, 2] → [X, 1].",
	In: evidenceIn(), Attrs: evidenceAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) { return []ir.Type{f32(ir.X, ir.N(1))}, evidenceShapes(n, 0) },
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		_, end := places(in)
		y, w, scores := ir.NewArray(end.Pair, 1), in[2].Shape[1], in[0].Floats()
		eachEvidence(in[4], in, func(row, query, candidate int, s span, score func(i int) int) {
			v := dot(in[2].Floats()[candidate*w:][:w], in[3].Floats()[query*w:][:w])/math.Sqrt(float64(w)) + in[1].Floats()[row]
			v += scores[score(s.from)*SpanColumns] + scores[score(s.to)*SpanColumns+1]
			for k := s.from; k < s.to && n.Flag("inside"); k++ {
				v += scores[score(k)*SpanColumns+2] / math.Sqrt(float64(s.to-s.from))
			}
			y.F[row] = v
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return allResults(b, n, "span_evidence_grad", n.Attrs, append([]*ir.Value{dy[0]}, n.In...)...)
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.Out[0].Type.Shape)) * (float64(2*width(n.In[2])) + float64(s.W)/float64(max(1, s.B)))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		doc := "y = the logits of a sequence's queries and candidates."
		return portable(n, doc, "scores film c p spans words queries chosen", func(b *nest) {
			cols := b.cols["c"]
			b.eachCandidate(func(i, from, to loop.Expr) {
				b.row("ci", "c", i)
				b.each("q", loop.V("queries"), func(q loop.Expr) {
					b.row("pq", "p", q)
					b.row("filmed", "film", b.pairRow(q, i))
					b.row("yq", "y", b.pairRow(q, i))
					s := sumOf(b.Builder, "s", cols, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("ci", j), loop.At("pq", j)) })
					v := b.Let("v", loop.Add(loop.Mul(s, loop.F(1/math.Sqrt(float64(cols)))), loop.At("filmed", loop.I(0))))
					b.row("first", "scores", b.scoreRow(q, from))
					b.row("last", "scores", b.scoreRow(q, to))
					b.AddTo(v, loop.Add(loop.At("first", loop.I(0)), loop.At("last", loop.I(1))))
					if n.Flag("inside") {
						sum := b.Let("sum", loop.F(0))
						b.For("k", from, to, 1, func(k loop.Expr) {
							b.row("word", "scores", b.scoreRow(q, k))
							b.AddTo(sum, loop.At("word", loop.I(2)))
						})
						b.AddTo(v, loop.Div(sum, loop.Fn("sqrt", loop.Fn("float", loop.Sub(to, from)))))
					}
					b.Store("yq", loop.I(0), v)
				})
			}, func(i loop.Expr) {
				b.each("q", loop.V("queries"), func(q loop.Expr) { b.noSpan(b.pairRow(q, i)) })
			})
		})
	},
	Launches: placeLaunches(nil),
	Sample:   samples(placeSample(nil, evidenceArgs(5)...), placeSample(attrs("inside", true), evidenceArgs(16)...)),
})

// pairRow returns the row of query q and candidate i of a sequence.
func (b *nest) pairRow(q, i loop.Expr) loop.Expr { return loop.Add(loop.Mul(q, loop.V("chosen")), i) }

var _ = ir.Define(ir.Op{
	Name: "span_evidence_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands of span_evidence, [X, 1], [R, 3], [X, 1], [S, N], [Q, N], [S, 2] → [R, 3], [X, 1], [S, N], [Q, N].",
	In:  evidenceIn(float("dy", "[X, 1]")), Attrs: evidenceAttrs(),
	Shape: func(n *ir.Node) (out []ir.Type, err error) {
		for _, v := range n.In[1:5] {
			out = append(out, v.Type)
		}
		return out, first(shaped(n, 0, ir.X, ir.N(1)), evidenceShapes(n, 1))
	},
	Ref: func(n *ir.Node, in []*ir.Array) (out []*ir.Array, err error) {
		for _, x := range in[1:5] {
			out = append(out, ir.NewArray(x.Shape...))
		}
		w, dscores := in[3].Shape[1], out[0].F
		eachEvidence(in[5], in, func(row, query, candidate int, s span, score func(i int) int) {
			g := in[0].Floats()[row]
			out[1].F[row] = g
			addScaled(out[2].F[candidate*w:][:w], in[4].Floats()[query*w:][:w], g/math.Sqrt(float64(w)))
			addScaled(out[3].F[query*w:][:w], in[3].Floats()[candidate*w:][:w], g/math.Sqrt(float64(w)))
			dscores[score(s.from)*SpanColumns] += g
			dscores[score(s.to)*SpanColumns+1] += g
			for k := s.from; k < s.to && n.Flag("inside"); k++ {
				dscores[score(k)*SpanColumns+2] += g / math.Sqrt(float64(s.to-s.from))
			}
		})
		return out, nil
	},
	Results: []string{"dscores", "dfilm", "dc", "dp"},
	NoGrad:  onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape)) * (float64(4*width(n.In[3])) + float64(s.W)/float64(max(1, s.B)))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		doc := "the gradients of what a sequence's queries and candidates are scored by."
		return portable(n, doc, "dy c p spans words queries chosen", func(b *nest) { b.evidenceGrad(n.Flag("inside")) })
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(nil, evidenceArgs(5, normal(ir.X, ir.N(1)))...),
		placeSample(attrs("inside", true), evidenceArgs(16, normal(ir.X, ir.N(1)))...)),
})

// evidenceGrad writes the gradients of span_evidence for one sequence.
func (b *nest) evidenceGrad(inside bool) {
	cols := b.cols["c"]
	b.each("q", loop.V("queries"), func(q loop.Expr) {
		b.row("zp", "dp", q)
		b.clear("zp", cols)
		b.each("i", loop.Add(loop.V("words"), loop.I(1)), func(i loop.Expr) {
			b.row("zs", "dscores", b.scoreRow(q, i))
			b.clear("zs", SpanColumns)
		})
		b.each("i", loop.V("chosen"), func(i loop.Expr) {
			b.row("zf", "dfilm", b.pairRow(q, i))
			b.clear("zf", 1)
		})
	})
	b.clearRows("dc", loop.V("chosen"))
	add := func(window string, at int, v loop.Expr) {
		b.Store(window, loop.I(at), loop.Add(loop.At(window, loop.I(at)), v))
	}
	b.eachCandidate(func(i, from, to loop.Expr) {
		b.row("ci", "c", i)
		b.row("dci", "dc", i)
		b.each("q", loop.V("queries"), func(q loop.Expr) {
			b.row("dyq", "dy", b.pairRow(q, i))
			b.row("dfq", "dfilm", b.pairRow(q, i))
			g := b.Let("g", loop.At("dyq", loop.I(0)))
			b.Store("dfq", loop.I(0), g)
			b.row("pq", "p", q)
			b.row("dpq", "dp", q)
			by := b.Let("by", loop.Mul(g, loop.F(1/math.Sqrt(float64(cols)))))
			b.addTo("dci", cols, func(j loop.Expr) loop.Expr { return loop.Mul(by, loop.At("pq", j)) })
			b.addTo("dpq", cols, func(j loop.Expr) loop.Expr { return loop.Mul(by, loop.At("ci", j)) })
			b.row("first", "dscores", b.scoreRow(q, from))
			add("first", 0, g)
			b.row("last", "dscores", b.scoreRow(q, to))
			add("last", 1, g)
			if !inside {
				return
			}
			each := b.Let("part", loop.Div(g, loop.Fn("sqrt", loop.Fn("float", loop.Sub(to, from)))))
			b.For("k", from, to, 1, func(k loop.Expr) {
				b.row("word", "dscores", b.scoreRow(q, k))
				add("word", 2, each)
			})
		})
	}, nil)
}
