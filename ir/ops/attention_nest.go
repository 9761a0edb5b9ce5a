package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// AttentionScratch returns the number of floats that the portable kernel of an attention node needs as scratch memory for rows queries and n keys. The scratch
// holds the scores (of all heads if they are mixed, followed by one mixed row per head), the products of one row with the relative table, and with bf16 the
// queries, keys and values that are rounded.
func AttentionScratch(node *ir.Node, rows, n int) int {
	scores := rows * n
	if mixes(node) {
		scores = node.Int("heads") * (rows + 1) * n
	}
	if node.Flag("bf16") {
		scores += (rows + 2*n) * node.Int("dp")
	}
	return scores + 16*tablePanels(node)
}

// mixes reports whether heads are mixed. If so, one call of the kernel computes all heads.
func mixes(n *ir.Node) bool { return in(n, AttnMixScore) != nil || in(n, AttnMixWeight) != nil }

// AttentionMixes reports whether one call of an attention's kernel computes all heads.
func AttentionMixes(n *ir.Node) bool { return mixes(n) }

// AttentionMasked reports whether an attention's kernel has the argument prefix.
func AttentionMasked(n *ir.Node) bool { return masked(n) }

// tablePanels returns the number of panels of the relative table, or 0 if there is no table.
func tablePanels(n *ir.Node) int {
	for which := range 2 {
		if v := in(n, AttentionTable(n, which)); v != nil {
			return v.Type.Shape[1].N
		}
	}
	return 0
}

// lowerAttention returns the portable form for one sequence and one head. Its arguments are (o, q, k, v, kr, qr, bias, index, pos, scratch, n, i0, i1); it
// computes query rows i0 … i1-1 against n keys. q, k and v point at the sequence's first row and the head's column, o at the place of query i0, kr and qr at
// the head's tables, bias and index at the entry of offset 0. pos is nil or points at the position of the sequence's first row. With a mask, prefix follows i1:
// query i sees the keys j ≤ i and j < prefix. The products of a row with the relative table are computed once per panel of 16 table rows that occurs, and
// picked from afterwards. The kernel leaves the probabilities of the queries in the scratch memory, [i1-i0, n].
//
// Where heads are mixed, one call computes all heads: pointers are at head 0, mixscore and mixweight follow bias, and the probabilities are [A, i1-i0, n].
func lowerAttention(n *ir.Node) (*loop.Nest, error) {
	_, ldk, err := row(n.In[AttnQKV])
	_, ldo, err2 := row(n.Out[0])
	ldq, err3 := ldk, error(nil)
	if q := in(n, AttnQ); q != nil {
		_, ldq, err3 = row(q)
	}
	if err := first(err, err2, err3); err != nil {
		return nil, err
	}
	floats, ints, what := []string{"o", "q", "k", "v", "kr", "qr", "bias"}, []string{"index", "pos"}, "one head"
	if n.Flag("bf16") {
		floats, ints = []string{"o", "q", "k", "v", "bias"}, []string{"krpairs", "qrpairs", "index", "pos"}
	}
	g := &attentionNest{n: n, dp: n.Int("dp"), ldq: ldq, ldk: ldk, ldo: ldo, panels: tablePanels(n), heads: 1, head: loop.I(0)}
	if mixes(n) {
		floats, what = append(floats, "mixscore", "mixweight"), "all heads"
		g.heads = n.Int("heads")
	}
	args := append(loop.Floats(floats...), loop.Ints(ints...)...)
	args = append(append(args, loop.Floats("scratch")...), loop.Counts("n", "i0", "i1")...)
	if masked(n) {
		args = append(args, loop.Counts("prefix")...)
	}
	b := loop.New(fmt.Sprintf("attention of %s of %d over one sequence of n rows, queries i0 … i1-1.", what, n.Int("dp")), args...)
	g.b = b
	b.If(loop.Less(loop.V("i0"), loop.V("i1")), func() {
		g.rows = b.Let("rows", loop.Sub(loop.V("i1"), loop.V("i0")))
		size := loop.Mul(g.rows, loop.V("n"))
		if mixes(n) {
			b.Slice("all", "scratch", loop.I(0), loop.Mul(size, loop.I(g.heads)))
			b.Slice("mixed", "scratch", loop.Mul(size, loop.I(g.heads)), loop.Mul(loop.V("n"), loop.I(g.heads)))
			size = loop.Mul(loop.Add(g.rows, loop.I(1)), loop.V("n"), loop.I(g.heads))
		}
		if g.panels > 0 {
			b.Slice("products", "scratch", size, loop.I(16*g.panels))
		}
		if n.Flag("bf16") {
			g.round(loop.Add(size, loop.I(16*g.panels)))
		}
		if !mixes(n) {
			b.Slice("scores", "scratch", loop.I(0), size)
			g.terms()
			g.queries("io", func(i loop.Expr) { g.softmax(i); g.weigh(i) })
			return
		}
		g.eachHead("h", func() { g.terms() })
		g.mix("ms", "mixscore", in(n, AttnMixScore))
		g.eachHead("hs", func() { g.queries("is", g.softmax) })
		g.mix("mw", "mixweight", in(n, AttnMixWeight))
		g.eachHead("ho", func() { g.queries("io", func(i loop.Expr) { g.scoreRow("pi", i); g.weigh(i) }) })
	}, nil)
	return b.Nest()
}

// attentionNest writes the nest of one attention.
type attentionNest struct {
	b             *loop.Builder
	n             *ir.Node
	dp            int
	ldq, ldk, ldo int
	panels        int
	heads         int       // heads in one call
	rows          loop.Var  // the number of query rows, i1-i0
	head          loop.Expr // the head that is being written
}

// eachHead loops over the heads and takes the scores of each head as a slice.
func (g *attentionNest) eachHead(v string, write func()) {
	g.b.For(v, loop.I(0), loop.I(g.heads), 1, func(h loop.Expr) {
		g.head = h
		size := loop.Mul(g.rows, loop.V("n"))
		g.b.Slice("scores", "all", loop.Mul(size, h), size)
		write()
	})
}

// of returns the place of element off in memory that holds each elements per head, one head after the other.
func (g *attentionNest) of(each int, off loop.Expr) loop.Expr {
	return loop.Add(off, loop.Mul(g.head, loop.I(each)))
}

// seen returns the number of keys that query i sees. They are the first keys.
func (g *attentionNest) seen(i loop.Expr) loop.Expr {
	if !masked(g.n) {
		return loop.V("n")
	}
	return loop.Fn("max", loop.Add(i, loop.I(1)), loop.V("prefix"))
}

// round writes queries, keys and values, rounded to bfloat16, to the scratch memory from a place on. The rest of the nest reads them there.
func (g *attentionNest) round(at loop.Expr) {
	b, dp := g.b, loop.I(g.dp)
	for _, x := range []struct {
		name        string
		first, rows loop.Expr
		ld          int
		read        bool
	}{
		{"q", loop.V("i0"), g.rows, g.ldq, g.n.Flag("cc") || g.n.Flag("cp")},
		{"k", loop.I(0), loop.V("n"), g.ldk, g.n.Flag("cc") || g.n.Flag("pc")},
		{"v", loop.I(0), loop.V("n"), g.ldk, true},
	} {
		if !x.read {
			continue
		}
		size := loop.Mul(x.rows, dp)
		b.Slice(x.name+"16", "scratch", at, size)
		b.For("r"+x.name, loop.I(0), x.rows, 1, func(r loop.Expr) {
			b.Slice("from"+x.name, x.name, loop.Mul(loop.Add(x.first, r), loop.I(x.ld)), dp)
			b.Slice("to"+x.name, x.name+"16", loop.Mul(r, dp), dp)
			b.For("d"+x.name, loop.I(0), dp, 1, func(d loop.Expr) { b.Store("to"+x.name, d, loop.Fn("round", loop.At("from"+x.name, d))) })
		})
		at = loop.Add(at, size)
	}
}

// vector takes row i of the queries, keys or values of the head as a slice.
func (g *attentionNest) vector(name, of string, i loop.Expr) {
	ld := g.ldk
	if of == "q" {
		ld = g.ldq
	}
	if !g.n.Flag("bf16") {
		g.b.Slice(name, of, g.of(g.dp, loop.Mul(i, loop.I(ld))), loop.I(g.dp))
		return
	}
	if of == "q" {
		i = loop.Sub(i, loop.V("i0"))
	}
	g.b.Slice(name, of+"16", loop.Mul(i, loop.I(g.dp)), loop.I(g.dp))
}

// queries loops over the query rows. The scores of row i begin at (i-i0)·n.
func (g *attentionNest) queries(v string, write func(i loop.Expr)) {
	g.b.For(v, loop.V("i0"), loop.V("i1"), 1, write)
}

// scoreRow takes row i of the scores as a slice.
func (g *attentionNest) scoreRow(name string, i loop.Expr) {
	g.b.Slice(name, "scores", loop.Mul(loop.Sub(i, loop.V("i0")), loop.V("n")), loop.V("n"))
}

// terms writes the sum of the terms.
func (g *attentionNest) terms() {
	b, n := g.b, g.n
	g.content()
	if !n.Flag("cp") && !n.Flag("pc") && in(n, AttnBias) == nil {
		return
	}
	b.If(loop.IsNil{Arg: "pos"}, func() {
		reach := b.Let("reachc", loop.Sub(loop.V("n"), loop.I(1)))
		g.offsets("c", reach, func(i loop.Expr) loop.Expr { return i })
	}, func() {
		b.Slice("at", "pos", loop.I(0), loop.V("n"))
		reach := b.Let("reachh", loop.Sub(loop.At("at", loop.Sub(loop.V("n"), loop.I(1))), loop.At("at", loop.I(0))))
		g.offsets("h", reach, func(i loop.Expr) loop.Expr { return loop.At("at", i) })
	})
}

// content writes the term q_i·k_j, or zeros if the score has no such term.
func (g *attentionNest) content() {
	b := g.b
	g.queries("i", func(i loop.Expr) {
		g.scoreRow("si", i)
		if !g.n.Flag("cc") {
			b.For("j", loop.I(0), g.seen(i), 1, func(j loop.Expr) { b.Store("si", j, loop.F(0)) })
			return
		}
		g.vector("qi", "q", i)
		b.For("j", loop.I(0), g.seen(i), 1, func(j loop.Expr) {
			g.vector("kj", "k", j)
			b.Store("si", j, sumOf(b, "s", g.dp, func(d loop.Expr) loop.Expr { return loop.Mul(loop.At("qi", d), loop.At("kj", d)) }))
		})
	})
}

// softmax writes the probabilities of row i over its scores, pi. Keys that the row does not see get probability 0.
func (g *attentionNest) softmax(i loop.Expr) {
	b := g.b
	g.scoreRow("pi", i)
	seen := b.Let("seen", g.seen(i))
	top := b.Let("top", loop.At("pi", loop.I(0)))
	b.For("jm", loop.I(1), seen, 1, func(j loop.Expr) { b.Assign(top, loop.Fn("max", top, loop.At("pi", j))) })
	sum := b.Let("sum", loop.F(0))
	b.For("je", loop.I(0), seen, 1, func(j loop.Expr) {
		e := b.Let("e", loop.Fn("exp", loop.Sub(loop.At("pi", j), top)))
		b.Store("pi", j, e)
		b.AddTo(sum, e)
	})
	share := b.Let("share", loop.Div(loop.F(1), sum))
	b.For("jp", loop.I(0), seen, 1, func(j loop.Expr) { b.Store("pi", j, loop.Mul(loop.At("pi", j), share)) })
	if masked(g.n) {
		b.For("jz", seen, loop.V("n"), 1, func(j loop.Expr) { b.Store("pi", j, loop.F(0)) })
	}
}

// weigh writes the sum of the values weighted by pi.
func (g *attentionNest) weigh(i loop.Expr) {
	b := g.b
	b.Slice("oi", "o", g.of(g.dp, loop.Mul(loop.Sub(i, loop.V("i0")), loop.I(g.ldo))), loop.I(g.dp))
	b.For("dz", loop.I(0), loop.I(g.dp), 1, func(d loop.Expr) { b.Store("oi", d, loop.F(0)) })
	b.For("jo", loop.I(0), g.seen(i), 1, func(j loop.Expr) {
		p := b.Let("p", loop.At("pi", j))
		g.vector("vj", "v", j)
		b.For("do", loop.I(0), loop.I(g.dp), 1, func(d loop.Expr) {
			b.Store("oi", d, loop.Add(loop.At("oi", d), loop.Mul(p, loop.At("vj", d))))
		})
	})
}

// mix mixes the heads row by row: head g becomes Σ_a w[g, a] · head a.
func (g *attentionNest) mix(name, by string, w *ir.Value) {
	if w == nil {
		return
	}
	b, heads := g.b, loop.I(g.heads)
	v := func(s string) string { return s + name }
	size := loop.Mul(g.rows, loop.V("n"))
	b.Slice(v("w"), by, loop.I(0), loop.I(g.heads*g.heads))
	g.queries(v("i"), func(i loop.Expr) {
		at := b.Let(v("at"), loop.Mul(loop.Sub(i, loop.V("i0")), loop.V("n")))
		seen := b.Let(v("seen"), g.seen(i))
		b.For(v("g"), loop.I(0), heads, 1, func(out loop.Expr) {
			b.Slice(v("out"), "mixed", loop.Mul(out, loop.V("n")), seen)
			b.For(v("jz"), loop.I(0), seen, 1, func(j loop.Expr) { b.Store(v("out"), j, loop.F(0)) })
			b.For(v("a"), loop.I(0), heads, 1, func(a loop.Expr) {
				x := b.Let(v("x"), loop.At(v("w"), loop.Add(loop.Mul(out, heads), a)))
				b.Slice(v("from"), "all", loop.Add(at, loop.Mul(size, a)), seen)
				b.For(v("ja"), loop.I(0), seen, 1, func(j loop.Expr) {
					b.Store(v("out"), j, loop.Add(loop.At(v("out"), j), loop.Mul(x, loop.At(v("from"), j))))
				})
			})
		})
		b.For(v("gc"), loop.I(0), heads, 1, func(to loop.Expr) {
			b.Slice(v("row"), "mixed", loop.Mul(to, loop.V("n")), seen)
			b.Slice(v("to"), "all", loop.Add(at, loop.Mul(size, to)), seen)
			b.For(v("jc"), loop.I(0), seen, 1, func(j loop.Expr) { b.Store(v("to"), j, loop.At(v("row"), j)) })
		})
	})
}
