package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir/loop"
)

// offsets writes the terms that look up offsets, which are -reach … reach. at returns the position of a row; names end in the suffix.
func (g *attentionNest) offsets(suffix string, reach loop.Expr, at func(i loop.Expr) loop.Expr) {
	b := g.b
	all := loop.Add(loop.Mul(loop.I(2), reach), loop.I(1)) // number of offsets
	if g.panels > 0 {
		b.Slice("index"+suffix, "index", loop.Sub(loop.I(0), reach), all)
	}
	// offset returns the place of the offset i-j, or j-i, in memory that begins at offset -reach.
	offset := func(flip bool, i, j loop.Expr) loop.Expr {
		if flip {
			i, j = j, i
		}
		return loop.Sub(loop.Add(reach, at(i)), at(j))
	}
	rowOf := func(flip bool, i, j loop.Expr) loop.Expr { return loop.At("index"+suffix, offset(flip, i, j)) }
	if g.n.Flag("cp") {
		flip := g.n.Flag("flip_cp")
		g.queries("icp"+suffix, func(i loop.Expr) {
			g.scoreRow("scp"+suffix, i)
			g.vector("qcp"+suffix, "q", i)
			seen := b.Let("seencp"+suffix, g.seen(i))
			// The index does not decrease. So the first and the last offset give the first and the last row of the table.
			lo, hi := rowOf(flip, i, loop.Sub(seen, loop.I(1))), rowOf(flip, i, loop.I(0))
			if flip {
				lo, hi = hi, lo
			}
			g.multiply("cp"+suffix, "kr", "qcp"+suffix, lo, hi)
			b.For("jcp"+suffix, loop.I(0), seen, 1, func(j loop.Expr) {
				b.Store("scp"+suffix, j, loop.Add(loop.At("scp"+suffix, j), loop.At("products", rowOf(flip, i, j))))
			})
		})
	}
	if g.n.Flag("pc") {
		flip := g.n.Flag("flip_pc")
		b.For("jpc"+suffix, loop.I(0), loop.V("n"), 1, func(j loop.Expr) {
			from := loop.V("i0")
			if masked(g.n) { // the first query that sees the key
				later := b.Let("from"+suffix, loop.V("i0"))
				from = later
				b.If(loop.Bin{Op: "<=", X: loop.V("prefix"), Y: j}, func() { b.Assign(later, loop.Fn("max", loop.V("i0"), j)) }, nil)
			}
			write := func() {
				g.vector("kpc"+suffix, "k", j)
				lo, hi := rowOf(flip, from, j), rowOf(flip, loop.Sub(loop.V("i1"), loop.I(1)), j)
				if flip {
					lo, hi = hi, lo
				}
				g.multiply("pc"+suffix, "qr", "kpc"+suffix, lo, hi)
				b.For("ipc"+suffix, from, loop.V("i1"), 1, func(i loop.Expr) {
					at := loop.Add(loop.Mul(loop.Sub(i, loop.V("i0")), loop.V("n")), j)
					b.Store("scores", at, loop.Add(loop.At("scores", at), loop.At("products", rowOf(flip, i, j))))
				})
			}
			if masked(g.n) {
				b.If(loop.Less(from, loop.V("i1")), write, nil)
			} else {
				write()
			}
		})
	}
	if v := in(g.n, AttnBias); v != nil {
		b.Slice("table"+suffix, "bias", g.of(v.Type.Shape[1].N, loop.Sub(loop.I(0), reach)), all)
		g.queries("ib"+suffix, func(i loop.Expr) {
			g.scoreRow("sb"+suffix, i)
			b.For("jb"+suffix, loop.I(0), g.seen(i), 1, func(j loop.Expr) {
				b.Store("sb"+suffix, j, loop.Add(loop.At("sb"+suffix, j), loop.At("table"+suffix, offset(false, i, j))))
			})
		})
	}
}

// multiply writes products = vector · each row of the table from row lo to row hi, in whole panels. Each product is one sum over the head.
func (g *attentionNest) multiply(suffix, table, vector string, lo, hi loop.Expr) {
	b, size := g.b, 16*g.dp
	if g.n.Flag("bf16") {
		table, size = table+"pairs", size/2
	}
	from := b.Let("lo"+suffix, loop.Div(lo, loop.I(16)))
	to := b.Let("hi"+suffix, loop.Add(loop.Div(hi, loop.I(16)), loop.I(1)))
	b.For("p"+suffix, from, to, 1, func(p loop.Expr) {
		out, panel := "out"+suffix, "panel"+suffix
		b.Slice(out, "products", loop.Mul(p, loop.I(16)), loop.I(16))
		b.Slice(panel, table, g.of(g.panels*size, loop.Mul(p, loop.I(size))), loop.I(size))
		b.For("c"+suffix, loop.I(0), loop.I(16), 4, func(c loop.Expr) {
			var sums [4]loop.Var
			for u := range sums {
				sums[u] = b.Let(fmt.Sprintf("s%d%s", u, suffix), loop.F(0))
			}
			g.addProducts(sums[:], suffix, vector, c)
			for u := 0; u < 4; u++ {
				b.Store(out, loop.Add(c, loop.I(u)), sums[u])
			}
		})
	})
}

// addProducts adds to sums the products of a vector and neighbouring rows of a panel, from row c on.
func (g *attentionNest) addProducts(sums []loop.Var, suffix, vector string, c loop.Expr) {
	b, line, panel := g.b, "line"+suffix, "panel"+suffix
	take := func(d loop.Expr) { b.Slice(line, panel, loop.Add(loop.Mul(d, loop.I(16)), c), loop.I(len(sums))) }
	if !g.n.Flag("bf16") {
		b.For("d"+suffix, loop.I(0), loop.I(g.dp), 1, func(d loop.Expr) {
			x := b.Let("x"+suffix, loop.At(vector, d))
			take(d)
			for u, s := range sums {
				b.AddTo(s, loop.Mul(x, loop.At(line, loop.I(u))))
			}
		})
		return
	}
	b.For("d"+suffix, loop.I(0), loop.I(g.dp/2), 1, func(d loop.Expr) {
		first := loop.Mul(d, loop.I(2))
		x, y := b.Let("x"+suffix, loop.At(vector, first)), b.Let("y"+suffix, loop.At(vector, loop.Add(first, loop.I(1))))
		take(d)
		for u, s := range sums {
			pair := loop.At(line, loop.I(u))
			b.AddTo(s, loop.Add(loop.Mul(x, loop.Fn("lower", pair)), loop.Mul(y, loop.Fn("upper", pair))))
		}
	})
}
