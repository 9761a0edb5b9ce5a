package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "gru_grad", Class: ir.Recurrent,
	Doc: "The gradients of gru's f, of its rows of the table for each query, and of the products of the state, by back-propagation through the steps. It " +
		"computes the gates again, from the results: [Q, S], [Q, S], [L, 3·SP], [3·SP/16, S, 16], [3·SP], [Q, S], [B+1], [Q, 2] → [Q, S], [Q, 3·SP], " +
		"[Q, 3·SP].",
	In: append(gruIn(float("dy", "[Q, S]")), float("out", "[Q, S], the result of gru"), queryStartsIn, stepsIn),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, err := gruShapes(n, 1, 6)
		gates := f32(ir.Q, ir.N(3*round16(s)))
		return []ir.Type{n.In[1].Type, gates, gates}, first(err, shaped(n, 0, ir.Q, ir.N(s)), shaped(n, 5, ir.Q, ir.N(s)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		c := newGRU(in[1:], in[5].Floats())
		cols := 3 * round16(c.s)
		df, dx, dg := ir.NewArray(in[0].Shape...), ir.NewArray(in[0].Shape[0], cols), ir.NewArray(in[0].Shape[0], cols)
		for q := in[0].Shape[0] - 1; q >= 0; q-- {
			if err := c.back(q, in[0].Floats(), df.F, dx.F[q*cols:][:cols], dg.F[q*cols:][:cols]); err != nil {
				return nil, err
			}
		}
		return []*ir.Array{df, dx, dg}, nil
	},
	Results: []string{"df", "dx", "dg"},
	NoGrad:  onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		cells := float64(n.In[0].Type.Shape[1].N)
		return ir.Cost{FLOPs: float64(s.Q) * cells * (12*cells + 60)}
	},
	Lower: lowerGRUGrad,
	Launches: func(n *ir.Node, _ []int32, in []*ir.Array) []ir.Launch {
		return queryLaunches(n, in, func(int) int { return GRUGradScratch(n.In[0].Type.Shape[1].N) })
	},
	Sample: samples(
		sample(nil, normal(ir.Q, ir.N(5)), normal(ir.Q, ir.N(5)), normal(ir.N(ir.SampleSteps), ir.N(48)), panelled(48, 5), normal(ir.N(48)),
			normal(ir.Q, ir.N(5)), queryStarts(), querySteps()),
		lens(sample(nil, normal(ir.Q, ir.N(17)), normal(ir.Q, ir.N(17)), normal(ir.N(ir.SampleSteps), ir.N(96)), panelled(96, 17), normal(ir.N(96)),
			normal(ir.Q, ir.N(17)), queryStarts(), querySteps()), 9, 1, 14),
	),
})

// back computes the gradients at query q, after those of the queries after it. df holds what the query of the next step has passed on. With the total gradient
// d of the result:
//
//	dn = d·(1-z)·(1-n²), dz = d·(h-n)·z(1-z), dr = dn·g_n·r(1-r)
//	dx = [dr, dz, dn], dg = [dr, dz, dn·r], dh = d·z + dg·W
func (c *gruCells) back(q int, dy, df, dx, dg []float64) error {
	h, from, err := c.before(q)
	if err != nil {
		return err
	}
	s, sp, cols := c.s, round16(c.s), 3*round16(c.s)
	x, g := c.table[int(c.steps[2*q])*cols:][:cols], c.sums(h)
	d, dh := df[q*s:][:s], make([]float64, s)
	for j := range s {
		r, z := sigmoid(x[j]+g[j]), sigmoid(x[sp+j]+g[sp+j])
		v := math.Tanh(x[2*sp+j] + r*g[2*sp+j])
		all := d[j] + dy[q*s+j]
		dn := all * (1 - z) * (1 - v*v)
		dx[j], dx[sp+j], dx[2*sp+j] = dn*g[2*sp+j]*r*(1-r), all*(h[j]-v)*z*(1-z), dn
		dg[j], dg[sp+j], dg[2*sp+j] = dx[j], dx[sp+j], dn*r
		dh[j] = all * z
	}
	for r, v := range dg {
		for j := range s {
			dh[j] += v * c.w[r/16*16*s+j*16+r%16]
		}
	}
	if from < 0 {
		copy(d, dh)
		return nil
	}
	copy(df[from*s:][:s], dh)
	clear(d) // f is read in step 0 alone
	return nil
}

// lowerGRUGrad returns the portable form for the n queries of one sequence, with the arguments (df, dx, dg, dy, f, table, w, bias, out, steps, scratch, n).
func lowerGRUGrad(n *ir.Node) (*loop.Nest, error) {
	s := n.In[0].Type.Shape[1].N
	sp := round16(s)
	doc := "the gradients of gated recurrent units over the steps of a sequence's n queries."
	return portable(n, doc, "dy f table w bias out steps scratch n", func(b *nest) {
		b.gruWindows(sp, 3*sp)
		b.Slice("dh", scratchArg, loop.I(4*sp), loop.I(sp))
		b.clearRows("df", loop.V("n"))
		b.each("back", loop.V("n"), func(back loop.Expr) {
			q := b.Let("q", loop.Sub(loop.Sub(loop.V("n"), loop.I(1)), back))
			step, fields := b.gruState(q, s, sp, "out")
			b.row("dyq", "dy", q)
			b.row("dfq", "df", q)
			b.row("dxq", "dx", q)
			b.row("dgq", "dg", q)
			b.clear("dxq", 3*sp)
			b.clear("dgq", 3*sp)
			b.each("j", loop.I(s), func(j loop.Expr) { b.gruCell(j, sp) })
			b.gruBack(s, sp)
			b.If(loop.Less(loop.I(0), step), func() {
				b.row("to", "df", loop.Sub(q, fields))
				b.set("to", s, of("dh"))
				b.clear("dfq", s) // f is read in step 0 alone
			}, func() { b.set("dfq", s, of("dh")) })
		})
	})
}

// gruCell writes the gradients of cell j.
func (b *nest) gruCell(j loop.Expr, sp int) {
	r, z, v := b.gruGates(j, sp)
	less := func(x loop.Expr) loop.Expr { return loop.Sub(loop.F(1), x) }
	all := b.Let("all", loop.Add(loop.At("dfq", j), loop.At("dyq", j)))
	dn := b.Let("dn", loop.Mul(all, less(z), less(loop.Mul(v, v))))
	dr := b.Let("dr", loop.Mul(dn, loop.At("gates", loop.Add(loop.I(2*sp), j)), r, less(r)))
	dz := b.Let("dz", loop.Mul(all, loop.Sub(loop.At("h", j), v), z, less(z)))
	for _, window := range []string{"dxq", "dgq"} {
		last := loop.Expr(dn)
		if window == "dgq" {
			last = loop.Mul(dn, r)
		}
		for k, value := range []loop.Expr{dr, dz, last} {
			b.Store(window, loop.Add(loop.I(k*sp), j), value)
		}
	}
	b.Store("dh", j, loop.Mul(all, z))
}

// gruBack adds the products of the gates' gradients with the weights to the window dh.
func (b *nest) gruBack(s, sp int) {
	b.each("p", loop.I(3*sp/16), func(p loop.Expr) {
		b.Slice("panel", "w", loop.Mul(p, loop.I(16*s)), loop.I(16*s))
		b.Slice("dp", "dgq", loop.Mul(p, loop.I(16)), loop.I(16))
		b.each("j", loop.I(s), func(j loop.Expr) {
			b.Slice("wj", "panel", loop.Mul(j, loop.I(16)), loop.I(16))
			sum := sumOf(b.Builder, "s", 16, func(c loop.Expr) loop.Expr { return loop.Mul(loop.At("dp", c), loop.At("wj", c)) })
			b.Store("dh", j, loop.Add(loop.At("dh", j), sum))
		})
	})
}

var _ = ir.Define(ir.Op{
	Name: "gru_weights", Class: ir.Reduction,
	Doc: "The gradient of gru's w from that of the state's products: the sum over the queries of the products of their gates and the state before them, " +
		"[Q, 3·SP], [Q, S], [Q, S], [Q, 2] → [3·SP/16, S, 16].",
	In: []ir.Operand{whole(float("dg", "[Q, 3·SP]")), whole(float("f", "[Q, S], see gru")), whole(float("out", "[Q, S], the result of gru")), whole(stepsIn)},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, s, err := matrix(n, 1)
		cols := 3 * round16(s)
		return []ir.Type{f32(ir.N(cols/16), ir.N(s), ir.N(16))}, first(err, shaped(n, 0, ir.Q, ir.N(cols)), shaped(n, 1, ir.Q, ir.N(s)),
			shaped(n, 2, ir.Q, ir.N(s)), shaped(n, 3, ir.Q, ir.N(2)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		s, cols, dg := in[1].Shape[1], in[0].Shape[1], in[0].Floats()
		c := &gruCells{f: in[1].Floats(), y: in[2].Floats(), steps: in[3].I, rows: math.MaxInt, s: s}
		dw := ir.NewArray(cols/16, s, 16)
		for q := range in[0].Shape[0] {
			h, _, err := c.before(q)
			if err != nil {
				return nil, err
			}
			for col := range cols {
				for j, v := range h {
					dw.F[col/16*16*s+j*16+col%16] += dg[q*cols+col] * v
				}
			}
		}
		return []*ir.Array{dw}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 2 * float64(s.Elements(n.In[0].Type.Shape)) * float64(n.In[1].Type.Shape[1].N)}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		s := n.In[1].Type.Shape[1].N
		return portable(n, "y = the gradients of m panels of gated recurrent units, from number at on.", "dg f out steps m at dgRows", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				b.clear("yi", b.cols["y"])
				b.each("q", loop.V("dgRows"), func(q loop.Expr) {
					b.row("place", "steps", q)
					b.row("gates", "dg", q)
					b.Slice("dp", "gates", loop.Mul(loop.Add(loop.V("at"), i), loop.I(16)), loop.I(16))
					add := func(window string) {
						b.each("j", loop.I(s), func(j loop.Expr) {
							b.Slice("wj", "yi", loop.Mul(j, loop.I(16)), loop.I(16))
							v := b.Let("v", loop.At(window, j))
							b.each("c", loop.I(16), func(c loop.Expr) { b.Store("wj", c, loop.Add(loop.At("wj", c), loop.Mul(loop.At("dp", c), v))) })
						})
					}
					b.If(loop.Less(loop.I(0), loop.At("place", loop.I(0))), func() {
						b.row("h", "out", loop.Sub(q, loop.At("place", loop.I(1))))
						add("h")
					}, func() {
						b.row("fq", "f", q)
						add("fq")
					})
				})
			})
		})
	},
	Sample: samples(
		sample(nil, normal(ir.Q, ir.N(48)), normal(ir.Q, ir.N(5)), normal(ir.Q, ir.N(5)), querySteps()),
		lens(sample(nil, normal(ir.Q, ir.N(96)), normal(ir.Q, ir.N(17)), normal(ir.Q, ir.N(17)), querySteps()), 9, 1, 14),
	),
})

var _ = ir.Define(ir.Op{
	Name: "step_sums", Class: ir.Reduction,
	Doc:   "The sum of the rows of the queries of each step, [Q, N], [Q, 2] → [L, N].",
	In:    []ir.Operand{whole(float("x", "[Q, N]")), whole(stepsIn)},
	Attrs: []ir.AttrDef{{Name: "steps", Type: ir.AttrInt, Required: true, Doc: "L, more than the greatest step"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, w, err := matrix(n, 0)
		if err == nil && n.Int("steps") < 1 {
			err = fmt.Errorf("the result has a row for each of %d steps", n.Int("steps"))
		}
		return []ir.Type{f32(ir.N(n.Int("steps")), ir.N(w))}, first(err, shaped(n, 0, ir.Q, ir.N(w)), shaped(n, 1, ir.Q, ir.N(2)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(n.Int("steps"), w)
		for q := range in[0].Shape[0] {
			step := int(in[1].I[2*q])
			if step < 0 || step >= y.Shape[0] {
				return nil, fmt.Errorf("query %d has step %d, there are %d", q, step, y.Shape[0])
			}
			addScaled(y.F[step*w:][:w], x[q*w:][:w], 1)
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the sums of the rows of each step's queries, m steps from number at on.", "x steps m at xRows", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				b.clear("yi", b.cols["y"])
				b.each("q", loop.V("xRows"), func(q loop.Expr) {
					b.row("place", "steps", q)
					b.If(loop.Bin{Op: "==", X: loop.At("place", loop.I(0)), Y: loop.Add(loop.V("at"), i)}, func() {
						b.row("xq", "x", q)
						b.addTo("yi", b.cols["y"], of("xq"))
					}, nil)
				})
			})
		})
	},
	Sample: samples(
		sample(attrs("steps", ir.SampleSteps), normal(ir.Q, ir.N(5)), querySteps()),
		lens(sample(attrs("steps", ir.SampleSteps), normal(ir.Q, ir.N(16)), querySteps()), 9, 1, 14),
	),
})
