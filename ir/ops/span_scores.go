package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// These are the operands of ops on pairs of words and labels.
var (
	wordStartsIn = ir.Operand{Name: "word_starts", DType: ir.I32, Doc: "[B+1] first word of each sequence, and W"}
	markStartsIn = ir.Operand{Name: "mark_starts", DType: ir.I32, Doc: "[B+1] first label of each sequence, and C, or first query, and Q"}
)

var _ = ir.Define(ir.Op{
	Name: "span_scores", Class: ir.Wordwise,
	Doc: "GLiNER's span scores (Zaratiana et al. 2024, section 2), computed without the spans' vectors: " +
		"their last layer and the product with a label make one " +
		"vector per label, so y[w, c, k] = relu(a[w] + b[w+k])·u[c, :I] + u[c, I]. The spans' first layer is split into the part of the first word, a, and " +
		"that of the last, b. y is 0 where word w+k is not in the sequence. Queries can stand in the place of labels: [W, I], [W, I], [C, I+1] → [G, K].",
	In:    []ir.Operand{float("a", "[W, I]"), float("b", "[W, I]"), float("u", "[C, I+1]"), wordStartsIn, markStartsIn},
	Attrs: []ir.AttrDef{{Name: "widths", Type: ir.AttrInt, Required: true, Doc: "K, words of the longest span"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, i, err := matrix(n, 0)
		k := n.Int("widths")
		switch {
		case err != nil:
			return nil, err
		case rows != ir.W || k < 1:
			return nil, fmt.Errorf("a is %s for spans of up to %d words", n.In[0].Type, k)
		}
		return []ir.Type{f32(ir.G, ir.N(k))}, first(shaped(n, 1, ir.W, ir.N(i)), shaped(n, 2, partners(n, 2), ir.N(i+1)), shaped(n, 3, ir.Bound),
			shaped(n, 4, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		i, k := in[0].Shape[1], n.Int("widths")
		a, b, u := in[0].Floats(), in[1].Floats(), in[2].Floats()
		list, g, err := wordPairs(in[3], in[4], in[0].Shape[0], in[2].Shape[0])
		if err != nil {
			return nil, err
		}
		y := ir.NewArray(g, k)
		for _, p := range list {
			for at := range min(k, p.end-p.word) {
				sum := u[p.label*(i+1)+i]
				for j := range i {
					sum += max(a[p.word*i+j]+b[(p.word+at)*i+j], 0) * u[p.label*(i+1)+j]
				}
				y.F[p.row*k+at] = sum
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		d := b.Node("span_scores_grad", n.Pos, n.Note, nil, append([]*ir.Value{dy[0]}, n.In...)...)
		if b.Err() != nil {
			return nil, b.Err()
		}
		return append(d, nil, nil), nil
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		i := float64(n.In[0].Type.Shape[1].N)
		return ir.Cost{FLOPs: float64(s.Elements(n.Out[0].Type.Shape))*2*i + float64(s.W*n.Int("widths"))*2*i}
	},
	Lower:    lowerSpanScores,
	Launches: spanLaunches,
	Kernels:  []string{"spans"},
	Sample: samples(
		lens(sample(attrs("widths", 3), normal(ir.W, ir.N(5)), normal(ir.W, ir.N(5)), normal(ir.C, ir.N(6)), wordStarts(), markStarts()), 9, 1, 4),
		sample(attrs("widths", 17), normal(ir.W, ir.N(16)), normal(ir.W, ir.N(16)), normal(ir.C, ir.N(17)), wordStarts(), markStarts()),
		lens(sample(attrs("widths", 3), normal(ir.W, ir.N(5)), normal(ir.W, ir.N(5)), normal(ir.Q, ir.N(6)), wordStarts(), queryStarts()), 9, 1, 4),
	),
})

// partners returns what the rows of an operand with one row for each partner of words stand for: queries or labels.
func partners(n *ir.Node, operand int) ir.Dim {
	if s := n.In[operand].Type.Shape; len(s) > 0 && s[0] == ir.Q {
		return ir.Q
	}
	return ir.C
}

// wordPair is a pair of a word and a label of its sequence.
type wordPair struct {
	row         int // number of the pair
	word, label int
	end         int // the word after the last one of the sequence
}

// wordPairs returns the pairs in the order of their rows, and the number of pairs.
func wordPairs(wordStarts, markStarts *ir.Array, words, labels int) ([]wordPair, int, error) {
	w, err := blocks(wordStarts, words)
	if err != nil {
		return nil, 0, err
	}
	c, err := blocks(markStarts, labels)
	if err != nil {
		return nil, 0, err
	}
	if len(w) != len(c) {
		return nil, 0, fmt.Errorf("word_starts is for %d sequences, mark_starts for %d", len(w), len(c))
	}
	var out []wordPair
	for s := range w {
		for i := range w[s].n {
			for k := range c[s].n {
				out = append(out, wordPair{len(out), w[s].row + i, c[s].row + k, w[s].row + w[s].n})
			}
		}
	}
	return out, len(out), nil
}

// lowerSpanScores returns the portable form for one word and all labels of its sequence, with the arguments (y, a, b, u, m, labels). m is the number of spans
// that begin at the word and end in its sequence, at most K.
func lowerSpanScores(n *ir.Node) (*loop.Nest, error) {
	inner, _, err := row(n.In[0])
	_, ldb, err2 := row(n.In[1])
	_, ldu, err3 := row(n.In[2])
	_, ldy, err4 := row(n.Out[0])
	if err := first(err, err2, err3, err4); err != nil {
		return nil, err
	}
	k := n.Int("widths")
	b := loop.New(fmt.Sprintf("y[c, k] = relu(a + b[k])·u[c] + u[c, %d] for the first m of %d columns, 0 in the others.", inner, k),
		append(loop.Floats("y", "a", "b", "u"), loop.Counts("m", "labels")...)...)
	b.Slice("from", "a", loop.I(0), loop.I(inner))
	b.For("c", loop.I(0), loop.V("labels"), 1, func(c loop.Expr) {
		b.Slice("yc", "y", loop.Mul(c, loop.I(ldy)), loop.I(k))
		b.Slice("uc", "u", loop.Mul(c, loop.I(ldu)), loop.I(inner+1))
		b.For("i", loop.V("m"), loop.I(k), 1, func(i loop.Expr) { b.Store("yc", i, loop.F(0)) })
		b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
			b.Slice("to", "b", loop.Mul(i, loop.I(ldb)), loop.I(inner))
			sum := b.Let("sum", loop.F(0))
			b.For("j", loop.I(0), loop.I(inner), 1, func(j loop.Expr) {
				b.AddTo(sum, loop.Mul(loop.Fn("max", loop.Add(loop.At("from", j), loop.At("to", j)), loop.F(0)), loop.At("uc", j)))
			})
			b.Store("yc", i, loop.Add(sum, loop.At("uc", loop.I(inner))))
		})
	})
	return b.Nest()
}

// spanLaunches returns one call per word.
func spanLaunches(n *ir.Node, _ []int32, in []*ir.Array) []ir.Launch {
	_, lda, _ := row(n.In[0])
	_, ldu, _ := row(n.In[2])
	_, ldy, _ := row(n.Out[0])
	words, marks := in[3].I, in[4].I
	var out []ir.Launch
	pair := 0
	for s := 0; s+1 < len(words); s++ {
		labels := int(marks[s+1] - marks[s])
		for w := int(words[s]); w < int(words[s+1]); w++ {
			out = append(out, ir.Launch{Memory: map[string]ir.Place{
				"y": {Operand: ir.Result, At: pair * ldy}, "a": {Operand: 0, At: w * lda},
				"b": {Operand: 1, At: w * lda}, "u": {Operand: 2, At: int(marks[s]) * ldu},
			}, Counts: map[string]int{"m": min(n.Int("widths"), int(words[s+1])-w), "labels": labels}})
			pair += labels
		}
	}
	return out
}
