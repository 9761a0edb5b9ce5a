package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "spread_words", Class: ir.Gather,
	Doc: "The gradient of pool_words: the row of each word added to the row that it was taken from; for a mean in equal parts to all of its rows; for the " +
		"largest number of a column to the first row of x that has it, [W, N], [W, 2], [T, N] → [T, N].",
	In:    []ir.Operand{whole(float("dy", "[W, N]")), whole(wordsIn), whole(float("x", "[T, N], what was pooled"))},
	Attrs: []ir.AttrDef{howAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 2)
		return []ir.Type{f32(ir.T, ir.N(w))}, first(err, shaped(n, 0, ir.W, ir.N(w)), shaped(n, 1, ir.W, ir.N(2)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		rows, cols := in[2].Shape[0], in[2].Shape[1]
		dy, x, dx := in[0].Floats(), in[2].Floats(), ir.NewArray(in[2].Shape...)
		return []*ir.Array{dx}, eachWord(in[1], rows, func(i, from, to int) {
			for j := range cols {
				g := dy[i*cols+j]
				switch how := n.Str("how"); {
				case from == to: // it has no row
				case how == "first":
					dx.F[from*cols+j] += g
				case how == "last":
					dx.F[(to-1)*cols+j] += g
				case how == "mean":
					for t := from; t < to; t++ {
						dx.F[t*cols+j] += g / float64(to-from)
					}
				case how == "max":
					top := from
					for t := from; t < to; t++ {
						if x[t*cols+j] > x[top*cols+j] {
							top = t
						}
					}
					dx.F[top*cols+j] += g
				}
			}
		})
	},
	NoGrad: onlyFirst,
	Lower:  lowerSpreadWords,
	Sample: samples(
		sample(attrs("how", "first"), normal(ir.W, ir.N(5)), spanned(), normal(ir.T, ir.N(5))),
		sample(attrs("how", "last"), normal(ir.W, ir.N(5)), spanned(), normal(ir.T, ir.N(5))),
		sample(attrs("how", "mean"), normal(ir.W, ir.N(5)), spanned(), normal(ir.T, ir.N(5))),
		sample(attrs("how", "max"), normal(ir.W, ir.N(5)), spanned(), normal(ir.T, ir.N(5))),
	),
})

// lowerSpreadWords returns the portable form for m rows from number at on, with the arguments (y, dy, words, x, m, at, wordsRows). It looks at all words; only
// the largest numbers of columns need x.
func lowerSpreadWords(n *ir.Node) (*loop.Nest, error) {
	how := n.Str("how")
	args := "dy words m at wordsRows"
	if how == "max" {
		args = "dy words x m at wordsRows"
	}
	return portable(n, fmt.Sprintf("y = the gradient of rows by that of the %s of each word, m rows from number at on.", how), args, func(b *nest) {
		cols := b.cols["y"]
		b.rows(func(i loop.Expr) {
			b.row("yz", "y", i)
			b.clear("yz", cols)
		})
		b.Slice("ends", "words", loop.I(0), loop.Mul(loop.I(2), loop.V("wordsRows")))
		b.each("w", loop.V("wordsRows"), func(w loop.Expr) {
			from := b.Let("from", loop.Sub(loop.At("ends", loop.Mul(loop.I(2), w)), loop.V("at")))
			to := b.Let("to", loop.Sub(loop.At("ends", loop.Add(loop.Mul(loop.I(2), w), loop.I(1))), loop.V("at")))
			touches := loop.Bin{Op: "&&", X: loop.Less(from, loop.V("m")), Y: loop.Less(loop.I(0), to)}
			b.If(loop.Bin{Op: "&&", X: touches, Y: loop.Less(from, to)}, func() {
				b.row("dw", "dy", w)
				switch how {
				case "max":
					b.spreadLargest(cols, from, to)
				case "mean":
					count := b.Let("count", loop.Fn("float", loop.Sub(to, from)))
					b.For("t", loop.Fn("max", from, loop.I(0)), loop.Fn("min", to, loop.V("m")), 1, func(t loop.Expr) {
						b.row("yt", "y", t)
						b.addTo("yt", cols, func(j loop.Expr) loop.Expr { return loop.Div(loop.At("dw", j), count) })
					})
				default:
					one := loop.Expr(from)
					if how == "last" {
						one = loop.Sub(to, loop.I(1))
					}
					place := b.Let("place", one)
					b.If(within(place, loop.V("m")), func() {
						b.row("yt", "y", place)
						b.addTo("yt", cols, of("dw"))
					}, nil)
				}
			}, nil)
		})
	})
}

// spreadLargest adds the numbers of the window dw to the rows of y that have the largest number of their column among the rows from … to-1 of x, which are
// counted from number at.
func (b *nest) spreadLargest(cols int, from, to loop.Expr) {
	b.each("j", loop.I(cols), func(j loop.Expr) {
		b.row("x0", "x", loop.Add(loop.V("at"), from))
		best, top := b.Let("best", loop.At("x0", j)), b.Let("top", from)
		b.For("t", loop.Add(from, loop.I(1)), to, 1, func(t loop.Expr) {
			b.row("xt", "x", loop.Add(loop.V("at"), t))
			b.If(loop.Less(best, loop.At("xt", j)), func() {
				b.Assign(best, loop.At("xt", j))
				b.Assign(top, t)
			}, nil)
		})
		b.If(within(top, loop.V("m")), func() {
			b.row("yt", "y", top)
			b.Store("yt", j, loop.Add(loop.At("yt", j), loop.At("dw", j)))
		}, nil)
	})
}
