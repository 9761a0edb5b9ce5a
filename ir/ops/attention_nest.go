package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// AttentionScratch is the number of floats that the portable kernel of an attention node needs as scratch for rows queries against n keys:
// the scores, and the products of one row with the relative table.
func AttentionScratch(node *ir.Node, rows, n int) int { return rows*n + 16*tablePanels(node) }

// tablePanels is the number of panels of the relative table, 0 without one.
func tablePanels(n *ir.Node) int {
	for i := 1; i <= 2; i++ {
		if v := in(n, i); v != nil {
			return v.Type.Shape[1].N
		}
	}
	return 0
}

// lowerAttention is the portable form for one sequence and one head, arguments (o, q, k, v, kr, qr, bias, index, pos, scratch, n, i0, i1): query
// rows i0 … i1-1 against n keys. o, q, k, v point at the sequence's first row and the head's column, kr, qr and bias at the head's tables,
// index at the entry of offset 0; pos is nil or points at the position of the sequence's first row. A product with the relative table is
// made once for each row and panel of 16 rows that occurs, then picked from. It leaves the probabilities of the queries in the scratch, [i1-i0, n].
func lowerAttention(n *ir.Node) (*loop.Nest, error) {
	_, ldq, err := row(n.In[0])
	_, ldo, err2 := row(n.Out[0])
	if err := first(err, err2); err != nil {
		return nil, err
	}
	args := append(loop.Floats("o", "q", "k", "v", "kr", "qr", "bias"), loop.Ints("index", "pos")...)
	args = append(append(args, loop.Floats("scratch")...), loop.Counts("n", "i0", "i1")...)
	b := loop.New(fmt.Sprintf("attention of one head of %d over one sequence of n rows, queries i0 … i1-1.", n.Int("dp")), args...)
	g := &attentionNest{b: b, n: n, dp: n.Int("dp"), ldq: ldq, ldo: ldo, panels: tablePanels(n)}
	b.If(loop.Less(loop.V("i0"), loop.V("i1")), func() {
		b.Slice("scores", "scratch", loop.I(0), loop.Mul(loop.Sub(loop.V("i1"), loop.V("i0")), loop.V("n")))
		if g.panels > 0 {
			b.Slice("products", "scratch", loop.Mul(loop.Sub(loop.V("i1"), loop.V("i0")), loop.V("n")), loop.I(16*g.panels))
		}
		g.content()
		if n.Flag("cp") || n.Flag("pc") || in(n, 3) != nil {
			b.If(loop.IsNil{Arg: "pos"}, func() {
				b.Let("reachc", loop.Sub(loop.V("n"), loop.I(1)))
				g.offsets("c", func(i loop.Expr) loop.Expr { return i })
			}, func() {
				b.Slice("at", "pos", loop.I(0), loop.V("n"))
				b.Let("reachh", loop.Sub(loop.At("at", loop.Sub(loop.V("n"), loop.I(1))), loop.At("at", loop.I(0))))
				g.offsets("h", func(i loop.Expr) loop.Expr { return loop.At("at", i) })
			})
		}
		g.output()
	}, nil)
	return b.Nest()
}

// attentionNest writes the nest of one attention.
type attentionNest struct {
	b        *loop.Builder
	n        *ir.Node
	dp       int
	ldq, ldo int
	panels   int
}

// queries loops over the query rows; scores of row i begin at (i-i0)·n.
func (g *attentionNest) queries(v string, write func(i loop.Expr)) {
	g.b.For(v, loop.V("i0"), loop.V("i1"), 1, write)
}

// scoreRow cuts row i out of the scores.
func (g *attentionNest) scoreRow(name string, i loop.Expr) {
	g.b.Slice(name, "scores", loop.Mul(loop.Sub(i, loop.V("i0")), loop.V("n")), loop.V("n"))
}

// content writes the term q_i·k_j, or zeros where the score has none.
func (g *attentionNest) content() {
	b := g.b
	g.queries("i", func(i loop.Expr) {
		g.scoreRow("si", i)
		if !g.n.Flag("cc") {
			b.For("j", loop.I(0), loop.V("n"), 1, func(j loop.Expr) { b.Store("si", j, loop.F(0)) })
			return
		}
		b.Slice("qi", "q", loop.Mul(i, loop.I(g.ldq)), loop.I(g.dp))
		b.For("j", loop.I(0), loop.V("n"), 1, func(j loop.Expr) {
			b.Slice("kj", "k", loop.Mul(j, loop.I(g.ldq)), loop.I(g.dp))
			b.Store("si", j, sumOf(b, "s", g.dp, func(d loop.Expr) loop.Expr { return loop.Mul(loop.At("qi", d), loop.At("kj", d)) }))
		})
	})
}

// offsets writes the terms that look offsets up. at gives the position of a row; names end in the suffix.
func (g *attentionNest) offsets(suffix string, at func(i loop.Expr) loop.Expr) {
	b := g.b
	reach := loop.V("reach" + suffix)
	b.Slice("index"+suffix, "index", loop.Sub(loop.I(0), reach), loop.Add(loop.Mul(loop.I(2), reach), loop.I(1)))
	// rowOf is the table's row for query i and key j.
	rowOf := func(flip bool, i, j loop.Expr) loop.Expr {
		if flip {
			i, j = j, i
		}
		return loop.At("index"+suffix, loop.Sub(loop.Add(reach, at(i)), at(j)))
	}
	zero, last := loop.Expr(loop.I(0)), loop.Sub(loop.V("n"), loop.I(1))
	if g.n.Flag("cp") {
		flip := g.n.Flag("flip_cp")
		g.queries("icp"+suffix, func(i loop.Expr) {
			g.scoreRow("scp"+suffix, i)
			b.Slice("qcp"+suffix, "q", loop.Mul(i, loop.I(g.ldq)), loop.I(g.dp))
			// The index does not decrease, so the ends of the range of offsets hold the ends of the range of rows.
			lo, hi := rowOf(flip, i, last), rowOf(flip, i, zero)
			if flip {
				lo, hi = hi, lo
			}
			g.multiply("cp"+suffix, "kr", "qcp"+suffix, lo, hi)
			b.For("jcp"+suffix, loop.I(0), loop.V("n"), 1, func(j loop.Expr) {
				b.Store("scp"+suffix, j, loop.Add(loop.At("scp"+suffix, j), loop.At("products", rowOf(flip, i, j))))
			})
		})
	}
	if g.n.Flag("pc") {
		flip := g.n.Flag("flip_pc")
		b.For("jpc"+suffix, loop.I(0), loop.V("n"), 1, func(j loop.Expr) {
			b.Slice("kpc"+suffix, "k", loop.Mul(j, loop.I(g.ldq)), loop.I(g.dp))
			lo, hi := rowOf(flip, loop.V("i0"), j), rowOf(flip, loop.Sub(loop.V("i1"), loop.I(1)), j)
			if flip {
				lo, hi = hi, lo
			}
			g.multiply("pc"+suffix, "qr", "kpc"+suffix, lo, hi)
			g.queries("ipc"+suffix, func(i loop.Expr) {
				at := loop.Add(loop.Mul(loop.Sub(i, loop.V("i0")), loop.V("n")), j)
				b.Store("scores", at, loop.Add(loop.At("scores", at), loop.At("products", rowOf(flip, i, j))))
			})
		})
	}
	if v := in(g.n, 3); v != nil {
		b.Slice("table"+suffix, "bias", loop.I(0), loop.I(v.Type.Shape[1].N))
		g.queries("ib"+suffix, func(i loop.Expr) {
			g.scoreRow("sb"+suffix, i)
			b.For("jb"+suffix, loop.I(0), loop.V("n"), 1, func(j loop.Expr) {
				b.Store("sb"+suffix, j, loop.Add(loop.At("sb"+suffix, j), loop.At("table"+suffix, rowOf(g.n.Flag("flip_bias"), i, j))))
			})
		})
	}
}

// multiply writes products = vector · each row of the table from row lo to row hi, in whole panels; each product is one sum over the head.
func (g *attentionNest) multiply(suffix, table, vector string, lo, hi loop.Expr) {
	b := g.b
	from := b.Let("lo"+suffix, loop.Div(lo, loop.I(16)))
	to := b.Let("hi"+suffix, loop.Add(loop.Div(hi, loop.I(16)), loop.I(1)))
	b.For("p"+suffix, from, to, 1, func(p loop.Expr) {
		out, panel, line := "out"+suffix, "panel"+suffix, "line"+suffix
		b.Slice(out, "products", loop.Mul(p, loop.I(16)), loop.I(16))
		b.Slice(panel, table, loop.Mul(p, loop.I(16*g.dp)), loop.I(16*g.dp))
		b.For("c"+suffix, loop.I(0), loop.I(16), 4, func(c loop.Expr) {
			sum := func(u int) string { return fmt.Sprintf("s%d%s", u, suffix) }
			for u := 0; u < 4; u++ {
				b.Let(sum(u), loop.F(0))
			}
			b.For("d"+suffix, loop.I(0), loop.I(g.dp), 1, func(d loop.Expr) {
				x := b.Let("x"+suffix, loop.At(vector, d))
				b.Slice(line, panel, loop.Add(loop.Mul(d, loop.I(16)), c), loop.I(4))
				for u := 0; u < 4; u++ {
					b.AddTo(sum(u), loop.Mul(x, loop.At(line, loop.I(u))))
				}
			})
			for u := 0; u < 4; u++ {
				b.Store(out, loop.Add(c, loop.I(u)), loop.V(sum(u)))
			}
		})
	})
}

// output writes the softmax of each row and the weighted sum of the values.
func (g *attentionNest) output() {
	b := g.b
	g.queries("io", func(i loop.Expr) {
		g.scoreRow("pi", i)
		b.Let("top", loop.At("pi", loop.I(0)))
		b.For("jm", loop.I(1), loop.V("n"), 1, func(j loop.Expr) { b.Assign("top", loop.Fn("max", loop.V("top"), loop.At("pi", j))) })
		b.Let("sum", loop.F(0))
		b.For("je", loop.I(0), loop.V("n"), 1, func(j loop.Expr) {
			e := b.Let("e", loop.Fn("exp", loop.Sub(loop.At("pi", j), loop.V("top"))))
			b.Store("pi", j, e)
			b.AddTo("sum", e)
		})
		share := b.Let("share", loop.Div(loop.F(1), loop.V("sum")))
		b.Slice("oi", "o", loop.Mul(i, loop.I(g.ldo)), loop.I(g.dp))
		b.For("dz", loop.I(0), loop.I(g.dp), 1, func(d loop.Expr) { b.Store("oi", d, loop.F(0)) })
		b.For("jo", loop.I(0), loop.V("n"), 1, func(j loop.Expr) {
			p := b.Let("p", loop.Mul(loop.At("pi", j), share))
			b.Store("pi", j, p)
			b.Slice("vj", "v", loop.Mul(j, loop.I(g.ldq)), loop.I(g.dp))
			b.For("do", loop.I(0), loop.I(g.dp), 1, func(d loop.Expr) {
				b.Store("oi", d, loop.Add(loop.At("oi", d), loop.Mul(p, loop.At("vj", d))))
			})
		})
	})
}

// attentionLaunches are the kernel's calls: each head of each sequence, the queries in two halves (or only the first).
func attentionLaunches(n *ir.Node, starts []int32) []ir.Launch {
	_, ldq, err := row(n.In[0])
	_, ldo, err2 := row(n.Out[0])
	if first(err, err2) != nil {
		return nil
	}
	a, dp, panels := n.Int("heads"), n.Int("dp"), tablePanels(n)
	var out []ir.Launch
	for s := 0; s+1 < len(starts); s++ {
		from, count := int(starts[s]), int(starts[s+1]-starts[s])
		result, halves := from, [][2]int{{0, count / 2}, {count / 2, count}}
		if n.Str("rows") == "first" {
			result, halves = s, [][2]int{{0, 1}}
		}
		for h := 0; h < a; h++ {
			for _, q := range halves {
				at := map[string]ir.Place{"o": {Operand: ir.Result, At: result*ldo + h*dp}}
				for c, name := range []string{"q", "k", "v"} {
					at[name] = ir.Place{Operand: 0, At: from*ldq + c*a*dp + h*dp}
				}
				at["kr"] = ir.Place{Operand: 1, At: h * panels * dp * 16}
				at["qr"] = ir.Place{Operand: 2, At: h * panels * dp * 16}
				if v := in(n, 3); v != nil {
					at["bias"] = ir.Place{Operand: 3, At: h * v.Type.Shape[1].N}
				}
				if v := in(n, 4); v != nil {
					at["index"] = ir.Place{Operand: 4, At: v.Type.Shape[0].N / 2}
				}
				at["pos"] = ir.Place{Operand: 6, At: from}
				at["scratch"] = ir.Place{Operand: ir.Scratch, At: AttentionScratch(n, q[1]-q[0], count)}
				out = append(out, ir.Launch{Memory: at, Counts: map[string]int{"n": count, "i0": q[0], "i1": q[1]}})
			}
		}
	}
	return out
}
