package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// wordAttendIn returns the operands of attend_words, after those of before.
func wordAttendIn(before ...ir.Operand) []ir.Operand {
	return append(before, float("q", "[W, N]"), float("k", "[T, N]"), float("v", "[T, N]"), textPrefixIn, startsIn, wordStartsIn)
}

// wordAttendAttrs are the attributes of attend_words and its gradient.
func wordAttendAttrs() []ir.AttrDef {
	return []ir.AttrDef{{Name: "heads", Type: ir.AttrInt, Required: true, Doc: "A, which divides N"}}
}

// attendShapes checks the operands from number i on: q, k, v, the prefix, and the starts of rows and words.
func attendShapes(n *ir.Node, i int) error {
	_, w, err := matrix(n, i)
	if a := n.Int("heads"); err == nil && (a < 1 || w%a != 0) {
		err = fmt.Errorf("%d heads do not divide %d columns", a, w)
	}
	return first(err, shaped(n, i, ir.W, ir.N(w)), shaped(n, i+1, ir.T, ir.N(w)), shaped(n, i+2, ir.T, ir.N(w)), prefixShape(n, i+3),
		shaped(n, i+4, ir.Bound), shaped(n, i+5, ir.Bound))
}

var _ = ir.Define(ir.Op{
	Name: "attend_words", Class: ir.Wordwise,
	Doc: "Attention of each word to the text of its sequence, which are its rows from number prefix on: y = Σ_j p_j·v_j with p = softmax(q·k_j / √(N/A)), " +
		"for each of A heads. Without rows to read it is a row of zeros, [W, N], [T, N], [T, N], [B], [B+1], [B+1] → [W, N].",
	In: wordAttendIn(), Attrs: wordAttendAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) { return []ir.Type{n.In[0].Type}, attendShapes(n, 0) },
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[0].Shape...)
		return []*ir.Array{y}, attendEach(n.Int("heads"), in, func(h heading, p []float64) {
			for t, v := range p {
				addScaled(h.of(y.F, h.word), h.of(in[2].Floats(), h.from+t), v)
			}
		})
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		b.Like(n, "attend_words_grad", n.Attrs, dy[0], n.In[0], n.In[1], n.In[2], n.In[3], n.In[4], n.In[5])
		if b.Err() != nil {
			return nil, b.Err()
		}
		nodes := b.Region().Nodes
		d := nodes[len(nodes)-1].Out
		return []*ir.Value{d[0], d[1], d[2], nil, nil, nil}, nil
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		pairs := float64(s.W) * float64(s.N)
		return ir.Cost{FLOPs: pairs * float64(4*n.In[0].Type.Shape[1].N+13*n.Int("heads"))}
	},
	Lower:    lowerAttendWords,
	Launches: func(n *ir.Node, starts []int32, in []*ir.Array) []ir.Launch { return attendLaunches(n, starts, in, 1) },
	Sample: samples(
		sample(attrs("heads", 2), normal(ir.W, ir.N(6)), normal(ir.T, ir.N(6)), normal(ir.T, ir.N(6)), missing(), starts(), wordStarts()),
		lens(sample(attrs("heads", 4), normal(ir.W, ir.N(16)), normal(ir.T, ir.N(16)), normal(ir.T, ir.N(16)), prefixes(), starts(), wordStarts()), 9, 1, 14)),
})

// heading is one head of one word: its columns, and the rows that it reads.
type heading struct{ word, from, to, column, width, columns int }

// of returns the head's columns of a row.
func (h heading) of(x []float64, row int) []float64 { return x[row*h.columns+h.column:][:h.width] }

// attendEach calls visit with each head of each word that has rows to read, and with the probabilities of these rows. in are the operands of attend_words.
func attendEach(heads int, in []*ir.Array, visit func(h heading, p []float64)) error {
	list, err := texts(in[4], in[3], in[1].Shape[0])
	if err != nil {
		return err
	}
	words, err := wordBlocks(in[5])
	if err != nil {
		return err
	}
	cols := in[0].Shape[1]
	width := cols / heads
	for s, t := range list {
		for w := words[s].row; w < words[s].row+words[s].n && t.from < t.to; w++ {
			for a := range heads {
				h := heading{w, t.from, t.to, a * width, width, cols}
				visit(h, h.probabilities(in[0].Floats(), in[1].Floats()))
			}
		}
	}
	return nil
}

// grad adds the gradients of the operands q, k and v. in are the operands dy, q, k and v, and p are the probabilities of the rows that the head reads.
func (h heading) grad(in []*ir.Array, p, dq, dk, dv []float64) {
	dy, q := h.of(in[0].Floats(), h.word), h.of(in[1].Floats(), h.word)
	dp, mean := make([]float64, len(p)), 0.0
	for t := range p {
		dp[t] = dot(dy, h.of(in[3].Floats(), h.from+t))
		mean += p[t] * dp[t]
		addScaled(h.of(dv, h.from+t), dy, p[t])
	}
	for t := range p {
		ds := p[t] * (dp[t] - mean) / math.Sqrt(float64(h.width))
		addScaled(h.of(dq, h.word), h.of(in[2].Floats(), h.from+t), ds)
		addScaled(h.of(dk, h.from+t), q, ds)
	}
}

// probabilities returns the softmax of the products of the head of q and the rows of k that it reads.
func (h heading) probabilities(q, k []float64) []float64 {
	p := make([]float64, h.to-h.from)
	for i := range p {
		p[i] = dot(h.of(q, h.word), h.of(k, h.from+i)) / math.Sqrt(float64(h.width))
	}
	softmaxRow(p)
	return p
}

// AttendScratch returns how many floats the kernel of attend_words, or of its gradient, may use as scratch memory for a sequence of n tokens.
func AttendScratch(grad bool, n int) int {
	if grad {
		return 2 * n
	}
	return n
}

// attendLaunches returns textLaunches with scratch memory of some rows of numbers, one for each token.
func attendLaunches(n *ir.Node, starts []int32, in []*ir.Array, rows int) []ir.Launch {
	out := textLaunches(n, starts, in)
	for i := range out {
		out[i].Memory[scratchArg] = ir.Place{Operand: ir.Scratch, At: rows * out[i].Counts["n"]}
	}
	return out
}

// attendArgs returns the arguments of a nest that attends.
func attendArgs(n *ir.Node, before string, prefix int) (args string, has bool) {
	if operandOf(n, prefix) == nil {
		return before + " scratch n words", false
	}
	return before + " prefix scratch n words", true
}

// lowerAttendWords returns the portable form for one sequence, with the arguments (y, q, k, v, prefix, scratch, n, words).
func lowerAttendWords(n *ir.Node) (*loop.Nest, error) {
	args, has := attendArgs(n, "q k v", 3)
	heads := n.Int("heads")
	return portable(n, fmt.Sprintf("y = the attention of each word to the text of a sequence, with %d heads.", heads), args, func(b *nest) {
		width := b.cols["q"] / heads
		from := b.textBounds(has)
		b.all("p", scratchArg, loop.V("n"))
		read := readers{loop.V("words"), loop.V("n"), heads, width, func(loop.Expr) (loop.Expr, loop.Expr) { return from, loop.V("n") }}
		b.attention(read)
	})
}

// attention writes the attention of a head to rows.
func (b *nest) attention(read readers) {
	b.eachHead(read, func(w, at, from, to loop.Expr) {
		b.Slice("ya", "yw", at, loop.I(read.width))
		b.For("t", from, to, 1, func(t loop.Expr) {
			b.row("vt", "v", t)
			b.Slice("va", "vt", at, loop.I(read.width))
			b.addTo("ya", read.width, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("p", t), loop.At("va", j)) })
		})
	}, func(w loop.Expr) {
		b.row("yw", "y", w)
		b.clear("yw", b.cols["y"])
	})
}

// readers describes rows that attend to other rows: how many they are, how many rows there are to read, the heads and their width, and the rows from … to-1
// that row w reads.
type readers struct {
	count, all   loop.Expr
	heads, width int
	rows         func(w loop.Expr) (from, to loop.Expr)
}

// eachHead writes a loop over the rows that attend, which begins with begin, and in it a loop over heads. It writes the probabilities of the rows that a head
// reads to the window p, and the head's columns of q to the window qa. at is the head's first column.
func (b *nest) eachHead(read readers, write func(w, at, from, to loop.Expr), begin func(w loop.Expr)) {
	heads, width := read.heads, read.width
	b.each("w", read.count, func(w loop.Expr) {
		b.row("qw", "q", w)
		begin(w)
		from, to := read.rows(w)
		b.If(loop.Less(from, to), func() {
			b.each("a", loop.I(heads), func(a loop.Expr) {
				at := b.Let("at", loop.Mul(a, loop.I(width)))
				b.Slice("qa", "qw", at, loop.I(width))
				b.For("t", from, to, 1, func(t loop.Expr) {
					b.row("kt", "k", t)
					b.Slice("ka", "kt", at, loop.I(width))
					product := sumOf(b.Builder, "s", width, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("qa", j), loop.At("ka", j)) })
					b.Store("p", t, loop.Mul(product, loop.F(1/math.Sqrt(float64(width)))))
				})
				top := b.Let("top", loop.At("p", from))
				b.For("t", from, to, 1, func(t loop.Expr) { b.Assign(top, loop.Fn("max", top, loop.At("p", t))) })
				sum := b.Let("sum", loop.F(0))
				b.For("t", from, to, 1, func(t loop.Expr) {
					e := b.Let("e", loop.Fn("exp", loop.Sub(loop.At("p", t), top)))
					b.Store("p", t, e)
					b.AddTo(sum, e)
				})
				b.For("t", from, to, 1, func(t loop.Expr) { b.Store("p", t, loop.Div(loop.At("p", t), sum)) })
				write(w, at, from, to)
			})
		}, nil)
	})
}

var _ = ir.Define(ir.Op{
	Name: "attend_words_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands q, k and v of attend_words. It computes the probabilities again: [W, N], [W, N], [T, N], [T, N], [B], [B+1], [B+1] → " +
		"[W, N], [T, N], [T, N].",
	In: wordAttendIn(float("dy", "[W, N]")), Attrs: wordAttendAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		if !n.In[0].Type.Equal(n.In[1].Type) {
			return nil, fmt.Errorf("dy is %s, q is %s", n.In[0].Type, n.In[1].Type)
		}
		return []ir.Type{n.In[1].Type, n.In[2].Type, n.In[3].Type}, attendShapes(n, 1)
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		dq, dk, dv := ir.NewArray(in[1].Shape...), ir.NewArray(in[2].Shape...), ir.NewArray(in[3].Shape...)
		return []*ir.Array{dq, dk, dv}, attendEach(n.Int("heads"), in[1:], func(h heading, p []float64) { h.grad(in, p, dq.F, dk.F, dv.F) })
	},
	Results: []string{"dq", "dk", "dv"},
	NoGrad:  onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		pairs := float64(s.W) * float64(s.N)
		return ir.Cost{FLOPs: pairs * float64(10*n.In[0].Type.Shape[1].N+18*n.Int("heads"))}
	},
	Lower:    lowerAttendWordsGrad,
	Launches: func(n *ir.Node, starts []int32, in []*ir.Array) []ir.Launch { return attendLaunches(n, starts, in, 2) },
	Sample: samples(
		sample(attrs("heads", 2), normal(ir.W, ir.N(6)), normal(ir.W, ir.N(6)), normal(ir.T, ir.N(6)), normal(ir.T, ir.N(6)), missing(), starts(),
			wordStarts()),
		lens(sample(attrs("heads", 4), normal(ir.W, ir.N(16)), normal(ir.W, ir.N(16)), normal(ir.T, ir.N(16)), normal(ir.T, ir.N(16)), prefixes(),
			starts(), wordStarts()), 9, 1, 14)),
})

// lowerAttendWordsGrad returns the portable form for one sequence, with the arguments (dq, dk, dv, dy, q, k, v, prefix, scratch, n, words).
func lowerAttendWordsGrad(n *ir.Node) (*loop.Nest, error) {
	args, has := attendArgs(n, "dy q k v", 4)
	heads := n.Int("heads")
	return portable(n, fmt.Sprintf("the gradients of the attention of words to a text, with %d heads.", heads), args, func(b *nest) {
		width := b.cols["q"] / heads
		from := b.textBounds(has)
		b.all("p", scratchArg, loop.V("n"))
		b.Slice("dp", scratchArg, loop.V("n"), loop.V("n"))
		b.attentionGrad(readers{loop.V("words"), loop.V("n"), heads, width, func(loop.Expr) (loop.Expr, loop.Expr) { return from, loop.V("n") }})
	})
}

// attentionGrad writes the gradients of the operands q, k and v of an attention of heads to rows.
func (b *nest) attentionGrad(read readers) {
	width := read.width
	b.clearRows("dk", read.all)
	b.clearRows("dv", read.all)
	b.eachHead(read, func(w, at, from, to loop.Expr) {
		b.Slice("dya", "dyw", at, loop.I(width))
		b.Slice("dqa", "dqw", at, loop.I(width))
		mean := b.Let("mean", loop.F(0))
		part := func(window, of string, t loop.Expr) {
			b.row(window+"t", of, t)
			b.Slice(window+"a", window+"t", at, loop.I(width))
		}
		b.For("t", from, to, 1, func(t loop.Expr) {
			part("v", "v", t)
			part("dv", "dv", t)
			product := sumOf(b.Builder, "s", width, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("dya", j), loop.At("va", j)) })
			b.Store("dp", t, product)
			b.AddTo(mean, loop.Mul(loop.At("p", t), loop.At("dp", t)))
			b.addTo("dva", width, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("p", t), loop.At("dya", j)) })
		})
		b.For("t", from, to, 1, func(t loop.Expr) {
			part("k", "k", t)
			part("dk", "dk", t)
			ds := b.Let("ds", loop.Mul(loop.At("p", t), loop.Mul(loop.Sub(loop.At("dp", t), mean), loop.F(1/math.Sqrt(float64(width))))))
			b.addTo("dqa", width, func(j loop.Expr) loop.Expr { return loop.Mul(ds, loop.At("ka", j)) })
			b.addTo("dka", width, func(j loop.Expr) loop.Expr { return loop.Mul(ds, loop.At("qa", j)) })
		})
	}, func(w loop.Expr) {
		b.row("dyw", "dy", w)
		b.row("dqw", "dq", w)
		b.clear("dqw", b.cols["dq"])
	})
}
