package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// The ops of this file work on the words of each sequence and on the row of the sequence. Heads that score the labels of a prompt read labels as words.

var (
	_ = textExpansion("expand_texts", "sum_texts", "The row of its sequence for each word, [B, N], [B+1] → [W, N].", ir.B, ir.W)
	_ = textExpansion("sum_texts", "expand_texts", "The sum of the rows of each sequence's words, [W, N], [B+1] → [B, N].", ir.W, ir.B)
)

// textExpansion defines an op that repeats the row of a sequence for its words, or its gradient.
func textExpansion(name, back, doc string, from, to ir.Dim) *ir.Op {
	sum := from == ir.W
	return ir.Define(ir.Op{
		Name: name, Doc: doc, Class: ir.Wordwise,
		In: []ir.Operand{float("x", "["+from.String()+", N]"), wordStartsIn},
		Shape: func(n *ir.Node) ([]ir.Type, error) {
			_, w, err := matrix(n, 0)
			return []ir.Type{f32(to, ir.N(w))}, first(err, shaped(n, 0, from, ir.N(w)), shaped(n, 1, ir.Bound))
		},
		Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
			list, err := wordBlocks(in[1])
			if err != nil {
				return nil, err
			}
			w, x := in[0].Shape[1], in[0].Floats()
			rows := len(list)
			if !sum {
				rows = int(in[1].I[len(in[1].I)-1])
			}
			y := ir.NewArray(rows, w)
			for s, b := range list {
				for i := b.row; i < b.row+b.n; i++ {
					one, all := s, i
					if sum {
						one, all = i, s
					}
					addScaled(y.F[all*w:][:w], x[one*w:][:w], 1)
				}
			}
			return []*ir.Array{y}, nil
		},
		Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
			return []*ir.Value{b.Like(n, back, nil, dy[0], n.In[1]), nil}, b.Err()
		},
		Lower: func(n *ir.Node) (*loop.Nest, error) {
			return portable(n, fmt.Sprintf("%s for the words of a sequence.", name), "x n words", func(b *nest) {
				if sum {
					b.row("y0", "y", loop.I(0))
					b.clear("y0", b.cols["y"])
				} else {
					b.row("x0", "x", loop.I(0))
				}
				b.each("w", loop.V("words"), func(w loop.Expr) {
					if sum {
						b.row("xi", "x", w)
						b.addTo("y0", b.cols["y"], of("xi"))
						return
					}
					b.row("yi", "y", w)
					b.set("yi", b.cols["y"], of("x0"))
				})
			})
		},
		Launches: textLaunches,
		Sample: samples(sample(nil, normal(from, ir.N(5)), wordStarts()),
			lens(sample(nil, normal(from, ir.N(16)), wordStarts()), 9, 1, 14)),
	})
}

// wordBlocks returns the words of each sequence.
func wordBlocks(wordStarts *ir.Array) ([]block, error) {
	return blocks(wordStarts, int(wordStarts.I[len(wordStarts.I)-1]))
}

// textLaunches returns one call per sequence, with its numbers of rows and words as counts. Operands and results begin at the sequence's first row or word, at
// the sequence's own row if they have one for each sequence, or are read whole.
func textLaunches(n *ir.Node, starts []int32, in []*ir.Array) []ir.Launch {
	op := ir.Lookup(n.Op)
	words := in[len(op.In)-1].I
	for i, d := range op.In {
		if d.Name == startsIn.Name {
			starts = in[i].I
		}
	}
	var out []ir.Launch
	for s := 0; s+1 < len(words); s++ {
		first := map[ir.Dim]int{ir.W: int(words[s]), ir.T: int(starts[s]), ir.B: s}
		place := func(operand int, v *ir.Value) ir.Place {
			_, ld, _ := row(v)
			return ir.Place{Operand: operand, At: first[v.Type.Shape[0]] * ld}
		}
		l := ir.Launch{Memory: map[string]ir.Place{}, Counts: map[string]int{"n": int(starts[s+1] - starts[s]), "words": int(words[s+1] - words[s])}}
		for i, v := range n.In {
			if name := op.In[i].Name; v != nil && name != startsIn.Name && name != wordStartsIn.Name {
				l.Memory[name] = place(i, v)
			}
		}
		for k, v := range n.Out {
			name := "y"
			if op.Results != nil {
				name = op.Results[k]
			}
			l.Memory[name] = place(ir.ResultAt(k), v)
		}
		out = append(out, l)
	}
	return out
}

var _ = ir.Define(ir.Op{
	Name: "softmax_words", Class: ir.Wordwise,
	Doc: "The softmax of each column over the words of a sequence: exp(x_w - max x) / Σ exp(x - max x), [W, N], [B+1] → [W, N].",
	In:  []ir.Operand{float("x", "[W, N]"), wordStartsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, w, err := matrix(n, 0)
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 0, ir.W, ir.N(w)), shaped(n, 1, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := wordBlocks(in[1])
		if err != nil {
			return nil, err
		}
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[0].Shape...)
		for _, b := range list {
			for j := range w {
				softmaxColumn(y.F, x, b, j, w)
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g := graph{b, n}
		y := n.Out[0]
		sum := g.op("sum_texts", nil, g.mul(dy[0], y), n.In[1])
		return []*ir.Value{g.mul(y, g.sub(dy[0], g.op("expand_texts", nil, sum, n.In[1]))), nil}, b.Err()
	},
	Cost: softmaxCost,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the softmax of each column over the words of a sequence.", "x n words", func(b *nest) {
			b.If(loop.Less(loop.I(0), loop.V("words")), func() {
				b.each("j", loop.I(b.cols["x"]), func(j loop.Expr) {
					b.row("x0", "x", loop.I(0))
					top := b.Let("top", loop.At("x0", j))
					sum := b.Let("sum", loop.F(0))
					b.each("w", loop.V("words"), func(w loop.Expr) {
						b.row("xi", "x", w)
						b.Assign(top, loop.Fn("max", top, loop.At("xi", j)))
					})
					b.each("w", loop.V("words"), func(w loop.Expr) {
						b.both(w)
						e := b.Let("e", loop.Fn("exp", loop.Sub(loop.At("xi", j), top)))
						b.Store("yi", j, e)
						b.AddTo(sum, e)
					})
					b.each("w", loop.V("words"), func(w loop.Expr) {
						b.row("yi", "y", w)
						b.Store("yi", j, loop.Div(loop.At("yi", j), sum))
					})
				})
			}, nil)
		})
	},
	Launches: textLaunches,
	Sample: samples(sample(nil, normal(ir.W, ir.N(3)), wordStarts()),
		lens(sample(nil, normal(ir.W, ir.N(1)), wordStarts()), 9, 1, 14)),
})

// softmaxColumn computes the softmax of column j of a block, in rows of w numbers.
func softmaxColumn(y, x []float64, b block, j, w int) {
	column := make([]float64, b.n)
	for i := range column {
		column[i] = x[(b.row+i)*w+j]
	}
	if len(column) > 0 {
		softmaxRow(column)
	}
	for i, v := range column {
		y[(b.row+i)*w+j] = v
	}
}
