package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// ChainScratch returns the number of floats of memory that the portable form of chain_likelihood or of its gradient needs for a sequence of n rows with c
// labels.
func ChainScratch(grad bool, n, c int) int {
	if grad {
		return (n + 2) * c
	}
	return 2 * c
}

// chainNest writes the recursions of a conditional random field over the n rows of one sequence. Logarithms of sums are kept relative to the largest of their
// row, so that they stay exact however long the sequence is.
type chainNest struct {
	*nest
	c, ld int // labels, and the distance between the rows of the transitions
}

// newChain makes the windows of what all rows read.
func newChain(b *nest) *chainNest {
	k := &chainNest{b, b.cols["z"], b.ld["transitions"]}
	b.Slice("between", "transitions", loop.I(0), loop.I((k.c-1)*k.ld+k.c))
	b.all("first", "start", loop.I(k.c))
	b.all("final", "end", loop.I(k.c))
	b.all("to", "target", loop.V("n"))
	return k
}

// labels writes a loop over the labels.
func (k *chainNest) labels(v string, write func(j loop.Expr)) { k.each(v, loop.I(k.c), write) }

// transition returns the score of label q after label p.
func (k *chainNest) transition(p, q loop.Expr) loop.Expr {
	return loop.At("between", loop.Add(loop.Mul(p, loop.I(k.ld)), q))
}

// logSumOf writes log Σ exp of c numbers.
func (k *chainNest) logSumOf(term func(p loop.Expr) loop.Expr) loop.Expr {
	top := k.Let("top", term(loop.I(0)))
	k.For("p", loop.I(1), loop.I(k.c), 1, func(p loop.Expr) { k.Assign(top, loop.Fn("max", top, term(p))) })
	sum := k.Let("sum", loop.F(0))
	k.labels("p", func(p loop.Expr) { k.AddTo(sum, loop.Fn("exp", loop.Sub(term(p), top))) })
	return loop.Add(top, loop.Fn("log", sum))
}

// lowered subtracts the largest of the c numbers of a window from all of them, and returns it.
func (k *chainNest) lowered(window string) loop.Var {
	top := k.largest(k.c, of(window))
	k.labels("j", func(j loop.Expr) { k.Store(window, j, loop.Sub(loop.At(window, j), top)) })
	return top
}

// forward writes the window next, for the row whose scores are the window zi: the logarithms of the sums over all labellings up to the row, by the label of the
// row. before is the window of the earlier row, if condition holds; else this row is the first one.
func (k *chainNest) forward(condition loop.Expr, before func() string, next string) {
	k.If(condition, func() {
		from := before()
		k.labels("j", func(j loop.Expr) {
			sum := k.logSumOf(func(p loop.Expr) loop.Expr { return loop.Add(loop.At(from, p), k.transition(p, j)) })
			k.Store(next, j, loop.Add(sum, loop.At("zi", j)))
		})
	}, func() {
		k.labels("j", func(j loop.Expr) { k.Store(next, j, loop.Add(loop.At("first", j), loop.At("zi", j))) })
	})
}

// notBelow0 returns the condition 0 ≤ x.
func notBelow0(x loop.Expr) loop.Expr { return loop.Bin{Op: "<=", X: loop.I(0), Y: x} }

// lowerChain returns the portable form of chain_likelihood for one sequence, with the arguments (y, z, transitions, start, end, target, scratch, n).
func lowerChain(n *ir.Node) (*loop.Nest, error) {
	const doc = "y = the logarithm of the probability of the labels of a sequence of n rows."
	return portable(n, doc, "z transitions start end target scratch n", func(b *nest) {
		k := newChain(b)
		b.all("ys", "y", loop.I(1))
		b.all("alpha", scratchArg, loop.I(k.c))
		b.Slice("next", scratchArg, loop.I(k.c), loop.I(k.c))
		last, sum := b.Let("last", loop.I(-1)), b.Let("likelihood", loop.F(0))
		b.each("i", loop.V("n"), func(i loop.Expr) {
			label := b.Let("label", loop.At("to", i))
			b.If(notBelow0(label), func() {
				b.row("zi", "z", i)
				k.forward(notBelow0(last), func() string {
					b.AddTo(sum, k.transition(last, label))
					return "alpha"
				}, "next")
				b.If(loop.Less(last, loop.I(0)), func() { b.AddTo(sum, loop.At("first", label)) }, nil)
				top := k.lowered("next")
				b.AddTo(sum, loop.Sub(loop.At("zi", label), top))
				k.labels("j", func(j loop.Expr) { b.Store("alpha", j, loop.At("next", j)) })
				b.Assign(last, label)
			}, nil)
		})
		b.If(notBelow0(last), func() {
			total := k.logSumOf(func(p loop.Expr) loop.Expr { return loop.Add(loop.At("alpha", p), loop.At("final", p)) })
			b.AddTo(sum, loop.Sub(loop.At("final", last), total))
		}, nil)
		b.Store("ys", loop.I(0), sum)
	})
}

// lowerChainGrad returns the portable form of chain_likelihood_grad for one sequence, with the arguments (dz, dtransitions, dstart, dend, dy, z, transitions,
// start, end, target, scratch, n, fresh). It adds to dtransitions, dstart and dend; if fresh is 1, they are set to 0 first.
func lowerChainGrad(n *ir.Node) (*loop.Nest, error) {
	const doc = "the gradients of the scores of labels by the likelihood of the labels of a sequence of n rows."
	return portable(n, doc, "dy z transitions start end target scratch n fresh", func(b *nest) {
		k := newChain(b)
		b.all("ds", "dstart", loop.I(k.c))
		b.all("de", "dend", loop.I(k.c))
		b.If(loop.Bin{Op: "==", X: loop.V("fresh"), Y: loop.I(1)}, func() {
			b.clear("ds", k.c)
			b.clear("de", k.c)
			k.labels("p", func(p loop.Expr) {
				b.row("dt", "dtransitions", p)
				b.clear("dt", k.c)
			})
		}, nil)
		before := b.Let("before", loop.I(-1))
		b.each("i", loop.V("n"), func(i loop.Expr) {
			b.row("di", "dz", i)
			b.clear("di", k.c)
			b.If(notBelow0(loop.At("to", i)), func() {
				b.row("zi", "z", i)
				k.alpha("next", i)
				k.forward(notBelow0(before), func() string {
					k.alpha("alpha", before)
					return "alpha"
				}, "next")
				k.lowered("next")
				b.Assign(before, i)
			}, nil)
		})
		k.backward()
	})
}

// alpha makes the window of the sums over labellings up to a row.
func (k *chainNest) alpha(window string, row loop.Expr) {
	k.Slice(window, scratchArg, loop.Mul(row, loop.I(k.c)), loop.I(k.c))
}

// backward writes the walk from the last row to the first: at each row the sums over the labellings after it, the shares of its labels, and the shares of the
// transitions to the row after it.
func (k *chainNest) backward() {
	end := loop.Mul(loop.V("n"), loop.I(k.c))
	k.Slice("beta", scratchArg, end, loop.I(k.c))
	k.Slice("later", scratchArg, loop.Add(end, loop.I(k.c)), loop.I(k.c))
	k.all("dys", "dy", loop.I(1))
	g := k.Let("g", loop.At("dys", loop.I(0)))
	after := k.Let("after", loop.I(-1))
	k.each("back", loop.V("n"), func(back loop.Expr) {
		i := k.Let("i", loop.Sub(loop.Sub(loop.V("n"), loop.I(1)), back))
		label := k.Let("label", loop.At("to", i))
		k.If(notBelow0(label), func() {
			k.alpha("alpha", i)
			k.row("di", "dz", i)
			k.If(notBelow0(after), func() {
				k.row("za", "z", after)
				k.labels("q", func(q loop.Expr) { k.Store("later", q, loop.Add(loop.At("za", q), loop.At("beta", q))) })
				k.transitionShares(g, label, loop.At("to", after))
				k.labels("j", func(j loop.Expr) {
					k.Store("beta", j, k.logSumOf(func(q loop.Expr) loop.Expr { return loop.Add(k.transition(j, q), loop.At("later", q)) }))
				})
				k.lowered("beta")
			}, func() {
				k.labels("j", func(j loop.Expr) { k.Store("beta", j, loop.At("final", j)) })
			})
			k.labelShares(g, label)
			k.If(loop.Less(after, loop.I(0)), func() { k.addTo("de", k.c, of("di")) }, nil)
			k.Assign(after, i)
		}, nil)
	})
	k.If(notBelow0(after), func() {
		k.row("dfirst", "dz", after)
		k.addTo("ds", k.c, of("dfirst"))
	}, nil)
}

// labelShares writes the window di: for each label whether it is the row's, less its probability.
func (k *chainNest) labelShares(g, label loop.Expr) {
	both := func(j loop.Expr) loop.Expr { return loop.Add(loop.At("alpha", j), loop.At("beta", j)) }
	total := k.Let("total", k.logSumOf(both))
	k.labels("j", func(j loop.Expr) {
		k.Store("di", j, loop.Mul(loop.Sub(loop.F(0), g), loop.Fn("exp", loop.Sub(both(j), total))))
	})
	k.Store("di", label, loop.Add(loop.At("di", label), g))
}

// transitionShares adds to the gradient of the transitions: for each pair of labels whether it is that of the row and the row after it, less its probability.
func (k *chainNest) transitionShares(g, label, next loop.Expr) {
	pair := func(p, q loop.Expr) loop.Expr {
		return loop.Add(loop.At("alpha", p), k.transition(p, q), loop.At("later", q))
	}
	top, sum := k.Let("top", pair(loop.I(0), loop.I(0))), k.Let("sum", loop.F(0))
	pairs := func(write func(p, q loop.Expr)) {
		k.labels("p", func(p loop.Expr) { k.labels("q", func(q loop.Expr) { write(p, q) }) })
	}
	pairs(func(p, q loop.Expr) { k.Assign(top, loop.Fn("max", top, pair(p, q))) })
	pairs(func(p, q loop.Expr) { k.AddTo(sum, loop.Fn("exp", loop.Sub(pair(p, q), top))) })
	by := k.Let("by", loop.Div(g, sum))
	k.labels("p", func(p loop.Expr) {
		k.row("dt", "dtransitions", p)
		k.labels("q", func(q loop.Expr) {
			k.Store("dt", q, loop.Sub(loop.At("dt", q), loop.Mul(by, loop.Fn("exp", loop.Sub(pair(p, q), top)))))
		})
	})
	k.row("own", "dtransitions", label)
	k.Store("own", next, loop.Add(loop.At("own", next), g))
}

// chainLaunches returns one call per sequence.
func chainLaunches(n *ir.Node, starts []int32, _ []*ir.Array) []ir.Launch {
	op, from := ir.Lookup(n.Op), len(n.In)-6 // of z among the operands
	grad := op.Results != nil
	_, ldz, _ := row(n.In[from])
	var out []ir.Launch
	for b := 0; b+1 < len(starts); b++ {
		rows := int(starts[b+1] - starts[b])
		at := map[string]ir.Place{scratchArg: {Operand: ir.Scratch, At: ChainScratch(grad, rows, n.In[from].Type.Shape[1].N)}}
		for i := range n.In {
			at[op.Argument(i)] = ir.Place{Operand: i}
		}
		at["z"], at["target"] = ir.Place{Operand: from, At: int(starts[b]) * ldz}, ir.Place{Operand: from + 4, At: int(starts[b])}
		counts := map[string]int{"n": rows}
		if grad {
			for k, name := range op.Results {
				at[name] = ir.Place{Operand: ir.ResultAt(k)}
			}
			_, ld, _ := row(n.Out[0])
			at["dz"], at["dy"] = ir.Place{Operand: ir.Result, At: int(starts[b]) * ld}, ir.Place{Operand: 0, At: b}
			counts["fresh"] = 0
			if b == 0 {
				counts["fresh"] = 1
			}
		} else {
			at["y"] = ir.Place{Operand: ir.Result, At: b}
		}
		out = append(out, ir.Launch{Memory: at, Counts: counts})
	}
	return out
}
