package ops

import (
	"github.com/debertac/debertac/ir/loop"
)

// LogitPartsNest returns the form that keeps what logit_parts needs of a chunk: for each of m rows the largest of cols logits z, in y[0], and the sum of
// exp(z - largest), in y[1]. The rows of z are ldz apart, those of y ldy. Its arguments are (y, z, m, cols).
func LogitPartsNest(ldz, ldy int) (*loop.Nest, error) {
	args := append(loop.Floats("y", "z"), loop.Counts("m", "cols")...)
	b := &nest{Builder: loop.New("y[i] = the largest of cols logits of row i, and the sum of exponentials relative to it, m rows.", args...)}
	b.rows(func(i loop.Expr) {
		b.Slice("zi", "z", loop.Mul(i, loop.I(ldz)), loop.V("cols"))
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(2))
		top := b.Let("top", loop.At("zi", loop.I(0)))
		b.For("j", loop.I(1), loop.V("cols"), 1, func(j loop.Expr) { b.Assign(top, loop.Fn("max", top, loop.At("zi", j))) })
		sum := b.total(loop.V("cols"), func(j loop.Expr) loop.Expr { return loop.Fn("exp", loop.Sub(loop.At("zi", j), top)) })
		b.Store("yi", loop.I(0), top)
		b.Store("yi", loop.I(1), sum)
	})
	return b.Nest()
}

// LogitGradNest returns the form that turns the logits of a chunk into their gradients, in place: z = dy·(exp(z - logs) - smooth/entries), and dy·(1-smooth)
// less at the target, for m rows of cols logits, from that of entry col on; and dbias becomes the sums of the rows. Its arguments are (z, dbias,
// dy, logs, target, m, cols, col).
func LogitGradNest(ldz int, smooth float64, entries int) (*loop.Nest, error) {
	args := append(append(loop.Floats("z", "dbias", "dy", "logs"), loop.Ints("target")...), loop.Counts("m", "cols", "col")...)
	b := &nest{Builder: loop.New("z = the gradients of cols logits from number col on, and dbias = their sums, m rows.", args...)}
	b.Slice("sums", "dbias", loop.I(0), loop.V("cols"))
	b.each("j", loop.V("cols"), func(j loop.Expr) { b.Store("sums", j, loop.F(0)) })
	b.all("ds", "dy", loop.V("m"))
	b.all("ls", "logs", loop.V("m"))
	b.all("to", "target", loop.V("m"))
	b.rows(func(i loop.Expr) {
		b.Slice("zi", "z", loop.Mul(i, loop.I(ldz)), loop.V("cols"))
		g, logs := b.Let("g", loop.At("ds", i)), b.Let("l", loop.At("ls", i))
		b.each("j", loop.V("cols"), func(j loop.Expr) {
			p := loop.Fn("exp", loop.Sub(loop.At("zi", j), logs))
			if smooth > 0 {
				p = loop.Sub(p, loop.F(smooth/float64(entries)))
			}
			b.Store("zi", j, loop.Mul(g, p))
		})
		entry := b.Let("entry", loop.Sub(loop.At("to", i), loop.V("col")))
		b.If(within(entry, loop.V("cols")), func() {
			less := loop.Expr(g)
			if smooth > 0 {
				less = loop.Mul(g, loop.F(1-smooth))
			}
			b.Store("zi", entry, loop.Sub(loop.At("zi", entry), less))
		}, nil)
		b.each("j", loop.V("cols"), func(j loop.Expr) { b.Store("sums", j, loop.Add(loop.At("sums", j), loop.At("zi", j))) })
	})
	return b.Nest()
}
