package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "span_scores_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands a, b and u of span_scores. It computes the inner layer again: [G, K], [W, I], [W, I], [C, I+1] → [W, I], [W, I], " +
		"[C, I+1].",
	In: []ir.Operand{float("dy", "[G, K]"), float("a", "[W, I]"), float("b", "[W, I]"), float("u", "[C, I+1]"), wordStartsIn, markStartsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, i, err := matrix(n, 1)
		_, k, err2 := matrix(n, 0)
		return []ir.Type{n.In[1].Type, n.In[2].Type, n.In[3].Type}, first(err, err2, shaped(n, 0, ir.G, ir.N(k)), shaped(n, 1, ir.W, ir.N(i)),
			shaped(n, 2, ir.W, ir.N(i)), shaped(n, 3, partners(n, 3), ir.N(i+1)), shaped(n, 4, ir.Bound), shaped(n, 5, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		i, k := in[1].Shape[1], in[0].Shape[1]
		dy, a, b, u := in[0].Floats(), in[1].Floats(), in[2].Floats(), in[3].Floats()
		da, db, du := ir.NewArray(in[1].Shape...), ir.NewArray(in[2].Shape...), ir.NewArray(in[3].Shape...)
		list, _, err := wordPairs(in[4], in[5], in[1].Shape[0], in[3].Shape[0])
		for _, p := range list {
			for at := range min(k, p.end-p.word) {
				g := dy[p.row*k+at]
				du.F[p.label*(i+1)+i] += g
				for j := range i {
					from, to, label := p.word*i+j, (p.word+at)*i+j, p.label*(i+1)+j
					if h := a[from] + b[to]; h > 0 {
						du.F[label] += g * h
						da.F[from] += g * u[label]
						db.F[to] += g * u[label]
					}
				}
			}
		}
		return []*ir.Array{da, db, du}, err
	},
	Results:  []string{"da", "db", "du"},
	NoGrad:   onlyFirst,
	Lower:    lowerSpanScoresGrad,
	Launches: wordGradLaunches,
	Sample: samples(lens(sample(nil, normal(ir.G, ir.N(3)), normal(ir.W, ir.N(5)), normal(ir.W, ir.N(5)), normal(ir.C, ir.N(6)), wordStarts(),
		markStarts()), 9, 1, 4),
		lens(sample(nil, normal(ir.G, ir.N(3)), normal(ir.W, ir.N(5)), normal(ir.W, ir.N(5)), normal(ir.Q, ir.N(6)), wordStarts(), queryStarts()), 9, 1, 4)),
})

// lowerSpanScoresGrad returns the portable form for one sequence, with the arguments (da, db, du, dy, a, b, u, words, labels).
func lowerSpanScoresGrad(n *ir.Node) (*loop.Nest, error) {
	const doc = "the gradients of what scores the spans of a sequence's words for its labels."
	return portable(n, doc, "dy a b u words labels", func(b *nest) {
		inner, k := b.cols["a"], b.cols["dy"]
		b.clearRows("da", loop.V("words"))
		b.clearRows("db", loop.V("words"))
		b.clearRows("du", loop.V("labels"))
		b.each("w", loop.V("words"), func(w loop.Expr) {
			b.row("from", "a", w)
			b.row("dfrom", "da", w)
			b.each("c", loop.V("labels"), func(c loop.Expr) {
				b.row("g", "dy", loop.Add(loop.Mul(w, loop.V("labels")), c))
				b.row("uc", "u", c)
				b.row("duc", "du", c)
				b.each("i", loop.Fn("min", loop.I(k), loop.Sub(loop.V("words"), w)), func(i loop.Expr) {
					b.row("to", "b", loop.Add(w, i))
					b.row("dto", "db", loop.Add(w, i))
					v := b.Let("v", loop.At("g", i))
					b.Store("duc", loop.I(inner), loop.Add(loop.At("duc", loop.I(inner)), v))
					b.each("j", loop.I(inner), func(j loop.Expr) {
						h := b.Let("h", loop.Add(loop.At("from", j), loop.At("to", j)))
						b.If(loop.Less(loop.F(0), h), func() {
							b.Store("duc", j, loop.Add(loop.At("duc", j), loop.Mul(v, h)))
							d := b.Let("d", loop.Mul(v, loop.At("uc", j)))
							b.Store("dfrom", j, loop.Add(loop.At("dfrom", j), d))
							b.Store("dto", j, loop.Add(loop.At("dto", j), d))
						}, nil)
					})
				})
			})
		})
	})
}

// clearRows writes zeros to count rows of an argument.
func (b *nest) clearRows(name string, count loop.Expr) {
	b.each("i", count, func(i loop.Expr) {
		b.row("zero", name, i)
		b.clear("zero", b.cols[name])
	})
}

// wordGradLaunches returns one call per sequence. Each operand and result has a row for each word, label or pair of both, or is read whole.
func wordGradLaunches(n *ir.Node, _ []int32, in []*ir.Array) []ir.Launch {
	op := ir.Lookup(n.Op)
	words, marks := in[len(in)-2].I, in[len(in)-1].I
	var out []ir.Launch
	pair := 0
	for s := 0; s+1 < len(words); s++ {
		first := map[ir.Dim]int{ir.W: int(words[s]), ir.C: int(marks[s]), ir.Q: int(marks[s]), ir.G: pair}
		place := func(operand int, v *ir.Value) ir.Place {
			_, ld, _ := row(v)
			return ir.Place{Operand: operand, At: first[v.Type.Shape[0]] * ld}
		}
		l := ir.Launch{Memory: map[string]ir.Place{}, Counts: map[string]int{"words": int(words[s+1] - words[s]), "labels": int(marks[s+1] - marks[s])}}
		for i, v := range n.In[:len(n.In)-2] {
			l.Memory[op.Argument(i)] = place(i, v)
		}
		for k, v := range n.Out {
			name := "y"
			if op.Results != nil {
				name = op.Results[k]
			}
			l.Memory[name] = place(ir.ResultAt(k), v)
		}
		out = append(out, l)
		pair += l.Counts["words"] * l.Counts["labels"]
	}
	return out
}
