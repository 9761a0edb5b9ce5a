package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/ragged"
)

// wordsIn is the operand that lists the words of a batch.
var wordsIn = ir.Operand{Name: "words", DType: ir.I32, Doc: "[W, 2] first row of each word and the row after its last"}

// howAttr is the attribute of ops that make one row from the rows of a word.
var howAttr = ir.AttrDef{Name: "how", Type: ir.AttrString, Required: true, Words: []string{"first", "last", "mean", "max"},
	Doc: "which of a word's rows is taken, or how they are combined"}

// eachWord calls visit with the number of each word, its first row and the row after its last.
func eachWord(words *ir.Array, rows int, visit func(word, from, to int)) error {
	for i := range words.Shape[0] {
		from, to := int(words.I[2*i]), int(words.I[2*i+1])
		if from < 0 || to < from || to > rows {
			return fmt.Errorf("word %d goes from row %d to %d, the batch has %d rows", i, from, to, rows)
		}
		visit(i, from, to)
	}
	return nil
}

var _ = ir.Define(ir.Op{
	Name: "pool_words", Class: ir.Gather,
	Doc: "A row for each word from the rows of its tokens: the first, the last, their mean, or the largest number of each column; a word without tokens is " +
		"a row of zeros, [T, N], [W, 2] → [W, N].",
	In:    []ir.Operand{whole(float("x", "[T, N]")), wordsIn},
	Attrs: []ir.AttrDef{howAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		return []ir.Type{f32(ir.W, ir.N(w))}, first(err, shaped(n, 1, ir.W, ir.N(2)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		rows, cols, x := in[0].Shape[0], in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[1].Shape[0], cols)
		return []*ir.Array{y}, eachWord(in[1], rows, func(i, from, to int) {
			for j := range cols {
				y.F[i*cols+j] = poolColumn(n.Str("how"), x[from*cols+j:], cols, to-from)
			}
		})
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "spread_words", n.Attrs, dy[0], n.In[1], n.In[0]), nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		c := ir.Cost{Bytes: 8 * float64(s.Elements(n.Out[0].Type.Shape))}
		if how := n.Str("how"); how == "mean" || how == "max" {
			c.FLOPs = float64(s.Elements(n.In[0].Type.Shape))
		}
		return c
	},
	Lower: lowerPoolWords,
	Sample: samples(
		sample(attrs("how", "first"), normal(ir.T, ir.N(5)), spanned()), sample(attrs("how", "last"), normal(ir.T, ir.N(16)), spanned()),
		sample(attrs("how", "mean"), normal(ir.T, ir.N(7)), spanned()), sample(attrs("how", "max"), normal(ir.T, ir.N(19)), spanned()),
	),
})

// spanned returns the rows of words for a sample.
func spanned() ir.Arg { return ir.PartArg(ragged.Words) }

// poolColumn returns the pooled number of one column of n rows, which lie ld apart.
func poolColumn(how string, x []float64, ld, n int) float64 {
	switch {
	case n == 0:
		return 0
	case how == "first":
		return x[0]
	case how == "last":
		return x[(n-1)*ld]
	}
	v := x[0]
	for i := 1; i < n; i++ {
		if how == "max" {
			v = max(v, x[i*ld])
		} else {
			v += x[i*ld]
		}
	}
	if how == "mean" {
		v /= float64(n)
	}
	return v
}

// lowerPoolWords returns the portable form for m words, with the arguments (y, x, words, m).
func lowerPoolWords(n *ir.Node) (*loop.Nest, error) {
	cols, ldx, err := row(n.In[0])
	_, ldy, err2 := row(n.Out[0])
	if err := first(err, err2); err != nil {
		return nil, err
	}
	how := n.Str("how")
	args := append(append(loop.Floats("y", "x"), loop.Ints("words")...), loop.Counts("m")...)
	b := loop.New(fmt.Sprintf("y[i] = the %s of the rows of word i in x, m words of %d columns.", how, cols), args...)
	b.Slice("ends", "words", loop.I(0), loop.Mul(loop.I(2), loop.V("m")))
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		from := b.Let("from", loop.At("ends", loop.Mul(loop.I(2), i)))
		to := b.Let("to", loop.At("ends", loop.Add(loop.Mul(loop.I(2), i), loop.I(1))))
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
		each := func(value func(j loop.Expr) loop.Expr) {
			b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) { b.Store("yi", j, value(j)) })
		}
		b.If(loop.Less(from, to), func() {
			one := loop.Expr(from)
			if how == "last" {
				one = loop.Sub(to, loop.I(1))
			}
			b.Slice("x0", "x", loop.Mul(one, loop.I(ldx)), loop.I(cols))
			each(of("x0"))
			if how == "first" || how == "last" {
				return
			}
			b.For("t", loop.Add(from, loop.I(1)), to, 1, func(t loop.Expr) {
				b.Slice("xt", "x", loop.Mul(t, loop.I(ldx)), loop.I(cols))
				each(func(j loop.Expr) loop.Expr {
					if how == "max" {
						return loop.Fn("max", loop.At("yi", j), loop.At("xt", j))
					}
					return loop.Add(loop.At("yi", j), loop.At("xt", j))
				})
			})
			if how == "mean" {
				count := b.Let("count", loop.Fn("float", loop.Sub(to, from)))
				each(func(j loop.Expr) loop.Expr { return loop.Div(loop.At("yi", j), count) })
			}
		}, func() { each(func(loop.Expr) loop.Expr { return loop.F(0) }) })
	})
	return b.Nest()
}
