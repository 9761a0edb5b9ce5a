package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// expansion is an op whose result has, for each pair of a word and a label, the row of one of them; or its gradient.
type expansion struct {
	name, doc string
	back      string // the op of the gradient
	rows      ir.Dim // of words or labels
	sum       bool   // the rows of pairs are added to those of words or labels
}

var (
	_ = expansion{"expand_words", "The row of its word for each pair of a word and a label, [W, N] → [G, N].", "sum_words", ir.W, false}.define()
	_ = expansion{"expand_labels", "The row of its label for each pair of a word and a label, [C, N] → [G, N].", "sum_labels", ir.C, false}.define()
	_ = expansion{"sum_words", "The gradient of expand_words: the sum of the rows of each word's pairs, [G, N] → [W, N].", "expand_words", ir.W, true}.define()
	_ = expansion{"sum_labels", "The gradient of expand_labels: the sum of the rows of each label's pairs, [G, N] → [C, N].", "expand_labels",
		ir.C, true}.define()
)

// define registers the op and returns it.
func (e expansion) define() *ir.Op {
	from, to := e.rows, ir.G
	if e.sum {
		from, to = to, from
	}
	return ir.Define(ir.Op{
		Name: e.name, Doc: e.doc, Class: ir.Wordwise,
		In: []ir.Operand{float("x", "["+from.String()+", N]"), wordStartsIn, markStartsIn},
		Shape: func(n *ir.Node) ([]ir.Type, error) {
			rows, w, err := matrix(n, 0)
			if err == nil && rows != from {
				err = fmt.Errorf("x is %s, not one row for each of %s", n.In[0].Type, from)
			}
			return []ir.Type{f32(to, ir.N(w))}, first(err, shaped(n, 1, ir.Bound), shaped(n, 2, ir.Bound))
		},
		Ref: e.ref,
		Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
			return []*ir.Value{b.Like(n, e.back, nil, dy[0], n.In[1], n.In[2]), nil, nil}, b.Err()
		},
		Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
			if !e.sum {
				return ir.Cost{Bytes: 8 * float64(s.Elements(n.Out[0].Type.Shape))}
			}
			return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))}
		},
		Lower:    e.lower,
		Launches: wordGradLaunches,
		Sample: samples(lens(sample(nil, normal(from, ir.N(5)), wordStarts(), markStarts()), 9, 1, 4),
			lens(sample(nil, normal(from, ir.N(16)), wordStarts(), markStarts()), 31, 1, 4)),
	})
}

// ref computes the op. The numbers of words and labels are the last entries of their starts.
func (e expansion) ref(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
	last := func(starts *ir.Array) int { return int(starts.I[len(starts.I)-1]) }
	words, labels := last(in[1]), last(in[2])
	list, pairs, err := wordPairs(in[1], in[2], words, labels)
	w, x := in[0].Shape[1], in[0].Floats()
	rows := map[ir.Dim]int{ir.W: words, ir.C: labels}[e.rows]
	if !e.sum {
		rows = pairs
	}
	y := ir.NewArray(rows, w)
	for _, p := range list {
		one := p.word
		if e.rows == ir.C {
			one = p.label
		}
		from, to := one, p.row
		if e.sum {
			from, to = to, from
		}
		addScaled(y.F[to*w:][:w], x[from*w:][:w], 1)
	}
	return []*ir.Array{y}, err
}

// lower returns the portable form for one sequence, with the arguments (y, x, words, labels).
func (e expansion) lower(n *ir.Node) (*loop.Nest, error) {
	doc := fmt.Sprintf("%s for the pairs of a sequence.", e.name)
	return portable(n, doc, "x words labels", func(b *nest) {
		if e.sum {
			b.clearRows("y", loop.V(map[ir.Dim]string{ir.W: "words", ir.C: "labels"}[e.rows]))
		}
		b.each("w", loop.V("words"), func(w loop.Expr) {
			b.each("c", loop.V("labels"), func(c loop.Expr) {
				one, pair := w, loop.Add(loop.Mul(w, loop.V("labels")), c)
				if e.rows == ir.C {
					one = c
				}
				if e.sum {
					b.row("yi", "y", one)
					b.row("xi", "x", pair)
					b.addTo("yi", b.cols["y"], of("xi"))
					return
				}
				b.row("yi", "y", pair)
				b.row("xi", "x", one)
				b.set("yi", b.cols["y"], of("xi"))
			})
		})
	})
}
