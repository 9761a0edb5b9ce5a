package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "lstm_grad", Class: ir.Recurrent,
	Doc: "The gradient of lstm's x, by back-propagation through time (Hochreiter and Schmidhuber 1997, without truncation). It computes the gates " +
		"again, from the outputs: [R, D·S], [R, D·4·SP], [D·4·SP/16, S, 16], [R, D·S] → [R, D·4·SP].",
	In: []ir.Operand{float("dy", "[R, D·S]"), float("x", "[R, D·4·SP], see lstm"), float("w", "[D·4·SP/16, S, 16], see lstm"),
		float("out", "[R, D·S], the result of lstm"), startsIn},
	Attrs: lstmAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 1)
		if err != nil {
			return nil, err
		}
		s, d := n.Int("size"), lstmDirections(n)
		cols := d * 4 * round16(s)
		return []ir.Type{n.In[1].Type}, first(shaped(n, 0, rows, ir.N(d*s)), shaped(n, 1, rows, ir.N(cols)),
			shaped(n, 2, ir.N(cols/16), ir.N(s), ir.N(16)), shaped(n, 3, rows, ir.N(d*s)), shaped(n, 4, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[4], in[1].Shape[0])
		if err != nil {
			return nil, err
		}
		g := &lstmGrad{s: n.Int("size"), d: lstmDirections(n), dy: in[0].Floats(), x: in[1].Floats(), w: in[2].Floats(), y: in[3].Floats(),
			dx: ir.NewArray(in[1].Shape...).F}
		for _, b := range list {
			for k := range g.d {
				g.sequence(b, k)
			}
		}
		return []*ir.Array{{Shape: in[1].Shape, F: g.dx}}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		rows, cells := float64(s.Dim(n.Out[0].Type.Shape[0])), float64(lstmDirections(n)*n.Int("size"))
		return ir.Cost{FLOPs: rows * cells * (16*float64(n.Int("size")) + 100)}
	},
	Lower:    lowerLSTMGrad,
	Launches: lstmGradLaunches,
	Sample: samples(
		sample(attrs("both", true, "size", 5), normal(ir.W, ir.N(10)), normal(ir.W, ir.N(128)), panelled(128, 5), normal(ir.W, ir.N(10)), wordStarts()),
		sample(attrs("size", 17), normal(ir.T, ir.N(17)), normal(ir.T, ir.N(128)), panelled(128, 17), normal(ir.T, ir.N(17)), starts()),
	),
})

// lstmGrad holds the operands and the result of lstm_grad.
type lstmGrad struct {
	s, d            int
	dy, x, w, y, dx []float64
}

// forward returns the gates' sums of each step of direction k of one sequence, and the cells before each step and after the last.
func (g *lstmGrad) forward(b block, k int) (gates, cells [][]float64) {
	s, sp := g.s, round16(g.s)
	cells = [][]float64{make([]float64, s)}
	for step := range b.n {
		t, c := lstmRow(b, k, step), append([]float64(nil), cells[step]...)
		z := append([]float64(nil), g.x[(t*g.d+k)*4*sp:][:4*sp]...)
		for r := range z {
			col := k*4*sp + r
			for j := range s {
				if step > 0 {
					z[r] += g.y[(lstmRow(b, k, step-1)*g.d+k)*s+j] * g.w[col/16*16*s+j*16+col%16]
				}
			}
		}
		for j := range c {
			c[j] = sigmoid(z[sp+j])*c[j] + sigmoid(z[j])*math.Tanh(z[2*sp+j])
		}
		gates, cells = append(gates, z), append(cells, c)
	}
	return gates, cells
}

// sequence computes the gradient of direction k of one sequence. With h' and c' those of the step before:
//
//	dc = dh·o·(1 - tanh²c) + what the next step passes, dz_o = dh·tanh c·o(1-o)
//	dz_i = dc·g·i(1-i), dz_f = dc·c'·f(1-f), dz_g = dc·i·(1-g²)
//	dc' = dc·f, dh' = dz·W
func (g *lstmGrad) sequence(b block, k int) {
	s, sp := g.s, round16(g.s)
	gates, cells := g.forward(b, k)
	dh, dc := make([]float64, s), make([]float64, s)
	for step := b.n - 1; step >= 0; step-- {
		t, z, c, before := lstmRow(b, k, step), gates[step], cells[step+1], cells[step]
		dz := g.dx[(t*g.d+k)*4*sp:][:4*sp]
		for j := range s {
			i, f, in, o := sigmoid(z[j]), sigmoid(z[sp+j]), math.Tanh(z[2*sp+j]), sigmoid(z[3*sp+j])
			h, cell := dh[j]+g.dy[(t*g.d+k)*s+j], math.Tanh(c[j])
			dc[j] += h * o * (1 - cell*cell)
			dz[j] = dc[j] * in * i * (1 - i)
			dz[sp+j] = dc[j] * before[j] * f * (1 - f)
			dz[2*sp+j] = dc[j] * i * (1 - in*in)
			dz[3*sp+j] = h * cell * o * (1 - o)
			dc[j] *= f
		}
		clear(dh)
		for r, v := range dz {
			col := k*4*sp + r
			for j := range s {
				dh[j] += v * g.w[col/16*16*s+j*16+col%16]
			}
		}
	}
}

var _ = ir.Define(ir.Op{
	Name: "lstm_weights", Class: ir.Reduction,
	Doc: "The gradient of lstm's w from that of its x, which is that of the gates' sums, and from its result: the sum over the steps of the " +
		"products of a step's gates and the output before it, [R, D·4·SP], [R, D·S] → [D·4·SP/16, S, 16].",
	In:    []ir.Operand{whole(float("dx", "[R, D·4·SP]")), whole(float("out", "[R, D·S], the result of lstm")), whole(startsIn)},
	Attrs: lstmAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		s, d := n.Int("size"), lstmDirections(n)
		cols := d * 4 * round16(s)
		return []ir.Type{f32(ir.N(cols/16), ir.N(s), ir.N(16))}, first(err, shaped(n, 0, rows, ir.N(cols)), shaped(n, 1, rows, ir.N(d*s)),
			shaped(n, 2, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[2], in[0].Shape[0])
		s, d := n.Int("size"), lstmDirections(n)
		dx, y, cols := in[0].Floats(), in[1].Floats(), in[0].Shape[1]
		dw := ir.NewArray(cols/16, s, 16)
		for _, b := range list {
			for step := 1; step < b.n; step++ {
				for col := range cols {
					k := col / (cols / d)
					for j := range s {
						dw.F[col/16*16*s+j*16+col%16] += dx[lstmRow(b, k, step)*cols+col] * y[(lstmRow(b, k, step-1)*d+k)*s+j]
					}
				}
			}
		}
		return []*ir.Array{dw}, err
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 2 * float64(s.Elements(n.In[0].Type.Shape)) * float64(n.Int("size"))}
	},
	Lower: lowerLSTMWeights,
	Sample: samples(
		sample(attrs("both", true, "size", 5), normal(ir.W, ir.N(128)), normal(ir.W, ir.N(10)), wordStarts()),
		sample(attrs("size", 17), normal(ir.T, ir.N(128)), normal(ir.T, ir.N(17)), starts()),
	),
})

// lowerLSTMWeights returns the portable form of lstm_weights for m panels from number at on, with the arguments (y, dx, out, starts, m, at, startsRows).
func lowerLSTMWeights(n *ir.Node) (*loop.Nest, error) {
	s := n.Int("size")
	each := 4 * round16(s) / 16 // panels of a direction
	return portable(n, "y = the gradients of m panels of an LSTM's weights, from number at on.", "dx out starts m at startsRows", func(b *nest) {
		b.all("begin", "starts", loop.V("startsRows"))
		b.rows(func(i loop.Expr) {
			panel := b.Let("panel", loop.Add(loop.V("at"), i))
			way := b.Let("way", loop.Div(panel, loop.I(each)))
			b.row("yi", "y", i)
			b.clear("yi", b.cols["y"])
			b.each("q", loop.Sub(loop.V("startsRows"), loop.I(1)), func(q loop.Expr) {
				b.For("t", loop.Add(loop.At("begin", q), loop.I(1)), loop.At("begin", loop.Add(q, loop.I(1))), 1, func(t loop.Expr) {
					step, before := loop.Sub(t, way), loop.Sub(loop.Add(t, way), loop.I(1)) // backwards, row t comes before row t-1
					b.Slice("dz", "dx", loop.Add(loop.Mul(step, loop.I(b.ld["dx"])), loop.Mul(panel, loop.I(16))), loop.I(16))
					b.Slice("h", "out", loop.Add(loop.Mul(before, loop.I(b.ld["out"])), loop.Mul(way, loop.I(s))), loop.I(s))
					b.each("j", loop.I(s), func(j loop.Expr) {
						b.Slice("wj", "yi", loop.Mul(j, loop.I(16)), loop.I(16))
						v := b.Let("v", loop.At("h", j))
						b.each("c", loop.I(16), func(c loop.Expr) { b.Store("wj", c, loop.Add(loop.At("wj", c), loop.Mul(loop.At("dz", c), v))) })
					})
				})
			})
		})
	})
}
