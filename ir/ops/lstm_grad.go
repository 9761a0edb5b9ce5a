package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "lstm_grad", Class: ir.Recurrent,
	Doc: "The gradients of lstm's x and w, by back-propagation through time (Hochreiter and Schmidhuber 1997, without truncation). It computes the gates " +
		"again: [R, D·S], [R, D·4·SP], [D·4·SP/16, S, 16] → [R, D·4·SP], [D·4·SP/16, S, 16].",
	In:    []ir.Operand{float("dy", "[R, D·S]"), float("x", "[R, D·4·SP], see lstm"), float("w", "[D·4·SP/16, S, 16], see lstm"), startsIn},
	Attrs: lstmAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 1)
		if err != nil {
			return nil, err
		}
		s, d := n.Int("size"), lstmDirections(n)
		cols := d * 4 * round16(s)
		return []ir.Type{n.In[1].Type, n.In[2].Type}, first(shaped(n, 0, rows, ir.N(d*s)), shaped(n, 1, rows, ir.N(cols)),
			shaped(n, 2, ir.N(cols/16), ir.N(s), ir.N(16)), shaped(n, 3, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[3], in[1].Shape[0])
		if err != nil {
			return nil, err
		}
		g := &lstmGrad{s: n.Int("size"), d: lstmDirections(n), dy: in[0].Floats(), x: in[1].Floats(), w: in[2].Floats(),
			y: make([]float64, in[0].Len()), dx: ir.NewArray(in[1].Shape...), dw: ir.NewArray(in[2].Shape...)}
		for _, b := range list {
			for k := range g.d {
				g.sequence(b, k)
			}
		}
		return []*ir.Array{g.dx, g.dw}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		rows, cells := float64(s.Dim(n.Out[0].Type.Shape[0])), float64(lstmDirections(n)*n.Int("size"))
		return ir.Cost{FLOPs: rows * cells * (24*float64(n.Int("size")) + 100)}
	},
	NoLower: forTraining,
	Sample: samples(
		sample(attrs("both", true, "size", 5), normal(ir.W, ir.N(10)), normal(ir.W, ir.N(128)), panelled(128, 5), wordStarts()),
		sample(attrs("size", 17), normal(ir.T, ir.N(17)), normal(ir.T, ir.N(128)), panelled(128, 17), starts()),
	),
})

// lstmGrad holds the operands and results of lstm_grad.
type lstmGrad struct {
	s, d           int
	dy, x, w, y    []float64
	dx, dw         *ir.Array
	gates, history [][]float64 // of the steps of one sequence: the gates' sums, and the cells
}

// sequence adds the gradients of direction k of one sequence. With h' and c' those of the step before:
//
//	dc = dh·o·(1 - tanh²c) + what the next step passes, dz_o = dh·tanh c·o(1-o)
//	dz_i = dc·g·i(1-i), dz_f = dc·c'·f(1-f), dz_g = dc·i·(1-g²)
//	dc' = dc·f, dh' = dz·W, dW += dz·h'
func (g *lstmGrad) sequence(b block, k int) {
	s, sp := g.s, round16(g.s)
	g.gates, g.history = nil, [][]float64{make([]float64, s)}
	lstmSequence(g.y, g.x, g.w, b, k, g.d, s, func(_ int, z, c []float64) {
		g.gates = append(g.gates, append([]float64(nil), z...))
		g.history = append(g.history, append([]float64(nil), c...))
	})
	dh, dc := make([]float64, s), make([]float64, s)
	for step := b.n - 1; step >= 0; step-- {
		t, z, c, before := lstmRow(b, k, step), g.gates[step], g.history[step+1], g.history[step]
		dz := g.dx.F[(t*g.d+k)*4*sp:][:4*sp]
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
				at := col/16*16*s + j*16 + col%16
				dh[j] += v * g.w[at]
				if step > 0 {
					g.dw.F[at] += v * g.y[(lstmRow(b, k, step-1)*g.d+k)*s+j]
				}
			}
		}
	}
}
