package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// LSTMGradScratch returns the number of floats that the portable form of lstm_grad needs for a sequence of n rows: the gates' sums and the cells of each row,
// the cells before the first row, and the gradients of an output and of the cells.
func LSTMGradScratch(size, n int) int { return (5*n + 3) * round16(size) }

// lowerLSTMGrad returns the portable form of lstm_grad for the n rows of one direction of a sequence, which lie step rows apart, with the arguments (y, dy, x,
// w, out, scratch, n, step). The pointers are at the direction's columns of its first row.
func lowerLSTMGrad(n *ir.Node) (*loop.Nest, error) {
	s := n.Int("size")
	sp := round16(s)
	doc := "y = the gradient of the gates' sums of an LSTM, n rows in the order of the direction."
	return portable(n, doc, "dy x w out scratch n step", func(b *nest) {
		g := &lstmGradNest{b, s, sp}
		begin := loop.Mul(loop.V("n"), loop.I(4*sp))
		cells := func(window string, i loop.Expr) {
			b.Slice(window, scratchArg, loop.Add(begin, loop.Mul(i, loop.I(sp))), loop.I(sp))
		}
		cells("cell0", loop.I(0))
		b.clear("cell0", sp)
		b.each("i", loop.V("n"), func(i loop.Expr) {
			g.at("xi", "x", i, 4*sp)
			b.Slice("gates", scratchArg, loop.Mul(i, loop.I(4*sp)), loop.I(4*sp))
			b.If(loop.Less(loop.I(0), i), func() {
				g.at("h", "out", loop.Sub(i, loop.I(1)), s)
				gateSums(b.Builder, 4*sp, s, "xi")
			}, func() { b.set("gates", 4*sp, of("xi")) })
			cells("cell", i)
			cells("next", loop.Add(i, loop.I(1)))
			b.each("j", loop.I(s), func(j loop.Expr) {
				keep := loop.Mul(sigmoidOf(g.gate(1, j)), loop.At("cell", j))
				b.Store("next", j, loop.Add(keep, loop.Mul(sigmoidOf(g.gate(0, j)), loop.Fn("tanh", g.gate(2, j)))))
			})
		})
		rest := loop.Add(begin, loop.Mul(loop.Add(loop.V("n"), loop.I(1)), loop.I(sp)))
		b.Slice("dh", scratchArg, rest, loop.I(sp))
		b.Slice("dc", scratchArg, loop.Add(rest, loop.I(sp)), loop.I(sp))
		b.clear("dh", sp)
		b.clear("dc", sp)
		b.each("back", loop.V("n"), func(back loop.Expr) {
			i := b.Let("i", loop.Sub(loop.Sub(loop.V("n"), loop.I(1)), back))
			b.Slice("gates", scratchArg, loop.Mul(i, loop.I(4*sp)), loop.I(4*sp))
			cells("cell", i)
			cells("next", loop.Add(i, loop.I(1)))
			g.at("dyi", "dy", i, s)
			g.at("dz", "y", i, 4*sp)
			b.clear("dz", 4*sp)
			b.each("j", loop.I(s), g.cell)
			g.output()
		})
	})
}

// lstmGradNest writes parts of the portable form of lstm_grad.
type lstmGradNest struct {
	*nest
	s, sp int // cells, and cells with padding
}

// at makes a window of row i in the order of the direction.
func (g *lstmGradNest) at(window, of string, i loop.Expr, cols int) {
	g.Slice(window, of, loop.Mul(i, loop.V("step"), loop.I(g.ld[of])), loop.I(cols))
}

// gate returns the sum of gate k of cell j.
func (g *lstmGradNest) gate(k int, j loop.Expr) loop.Expr {
	return loop.At("gates", loop.Add(loop.I(k*g.sp), j))
}

// cell writes the gradients of the gates of cell j, and passes the gradient of the cell on to the step before.
func (g *lstmGradNest) cell(j loop.Expr) {
	less := func(x loop.Expr) loop.Expr { return loop.Sub(loop.F(1), x) }
	i, f := g.Let("in", sigmoidOf(g.gate(0, j))), g.Let("keep", sigmoidOf(g.gate(1, j)))
	v, o := g.Let("v", loop.Fn("tanh", g.gate(2, j))), g.Let("show", sigmoidOf(g.gate(3, j)))
	h := g.Let("dout", loop.Add(loop.At("dh", j), loop.At("dyi", j)))
	t := g.Let("t", loop.Fn("tanh", loop.At("next", j)))
	d := g.Let("d", loop.Add(loop.At("dc", j), loop.Mul(h, o, less(loop.Mul(t, t)))))
	store := func(k int, value loop.Expr) { g.Store("dz", loop.Add(loop.I(k*g.sp), j), value) }
	store(0, loop.Mul(d, v, i, less(i)))
	store(1, loop.Mul(d, loop.At("cell", j), f, less(f)))
	store(2, loop.Mul(d, i, less(loop.Mul(v, v))))
	store(3, loop.Mul(h, t, o, less(o)))
	g.Store("dc", j, loop.Mul(d, f))
}

// output writes the gradient of the output of the step before: the products of the gates' gradients with the weights.
func (g *lstmGradNest) output() {
	g.clear("dh", g.sp)
	g.each("p", loop.I(4*g.sp/16), func(p loop.Expr) {
		g.Slice("panel", "w", loop.Mul(p, loop.I(16*g.s)), loop.I(16*g.s))
		g.Slice("dp", "dz", loop.Mul(p, loop.I(16)), loop.I(16))
		g.each("j", loop.I(g.s), func(j loop.Expr) {
			g.Slice("wj", "panel", loop.Mul(j, loop.I(16)), loop.I(16))
			sum := sumOf(g.Builder, "s", 16, func(c loop.Expr) loop.Expr { return loop.Mul(loop.At("dp", c), loop.At("wj", c)) })
			g.Store("dh", j, loop.Add(loop.At("dh", j), sum))
		})
	})
}

// lstmGradLaunches returns one call per direction and sequence.
func lstmGradLaunches(n *ir.Node, starts []int32, _ []*ir.Array) []ir.Launch {
	s := n.Int("size")
	sp := round16(s)
	var out []ir.Launch
	for b := 0; b+1 < len(starts); b++ {
		rows := int(starts[b+1] - starts[b])
		for k := range lstmDirections(n) {
			t, step := int(starts[b]), 1
			if k == 1 {
				t, step = t+rows-1, -1
			}
			at := func(operand int, v *ir.Value, width int) ir.Place {
				_, ld, _ := row(v)
				return ir.Place{Operand: operand, At: t*ld + k*width}
			}
			out = append(out, ir.Launch{Memory: map[string]ir.Place{
				"y": at(ir.Result, n.Out[0], 4*sp), "dy": at(0, n.In[0], s), "x": at(1, n.In[1], 4*sp), "out": at(3, n.In[3], s),
				"w": {Operand: 2, At: k * 4 * sp * s}, scratchArg: {Operand: ir.Scratch, At: LSTMGradScratch(s, rows)},
			}, Counts: map[string]int{"n": rows, "step": step}})
		}
	}
	return out
}
