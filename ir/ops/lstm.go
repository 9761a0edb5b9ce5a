package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/ragged"
)

// LSTMState returns the number of floats that one direction's state takes between two calls of its kernel: the last output, the cells, and room for the four
// gates of one row, each in whole panels.
func LSTMState(size int) int { return 6 * round16(size) }

var _ = ir.Define(ir.Op{
	Name: "lstm", Class: ir.Recurrent,
	Doc: "A long short-term memory over the rows of each sequence (Hochreiter and Schmidhuber 1997, with forget gates): with z the row of x plus h·Wᵀ, " +
		"c = sigmoid(z_f)·c + sigmoid(z_i)·tanh(z_g), h = sigmoid(z_o)·tanh(c), beginning with h = c = 0. Directions lie side by side, forward first. " +
		"x holds the input's part of the gates i, f, g, o, each padded to SP = 16·⌈S/16⌉ columns: [R, D·4·SP], [D·4·SP/16, S, 16] → [R, D·S].",
	In:    []ir.Operand{float("x", "[R, D·4·SP]"), float("w", "[D·4·SP/16, S, 16], the state's weights in panels"), startsIn},
	Attrs: lstmAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, cols, err := matrix(n, 0)
		s, d := n.Int("size"), lstmDirections(n)
		switch {
		case err != nil:
			return nil, err
		case s < 1 || cols != d*4*round16(s):
			return nil, fmt.Errorf("x is %s for %d cells in %d directions", n.In[0].Type, s, d)
		case rows != ir.T && rows != ir.W:
			return nil, fmt.Errorf("x is %s, not one row per token or word", n.In[0].Type)
		}
		return []ir.Type{f32(rows, ir.N(d*s))}, first(shaped(n, 1, ir.N(cols/16), ir.N(s), ir.N(16)), shaped(n, 2, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[2], in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		s, d := n.Int("size"), lstmDirections(n)
		y := ir.NewArray(in[0].Shape[0], d*s)
		x, w := in[0].Floats(), in[1].Floats()
		for _, b := range list {
			for k := range d {
				lstmSequence(y.F, x, w, b, k, d, s, nil)
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		dx := b.Like(n, "lstm_grad", n.Attrs, dy[0], n.In[0], n.In[1], n.Out[0], n.In[2])
		return []*ir.Value{dx, b.Like(n, "lstm_weights", n.Attrs, dx, n.Out[0], n.In[2]), nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		rows, cells := float64(s.Dim(n.Out[0].Type.Shape[0])), float64(lstmDirections(n)*n.Int("size"))
		return ir.Cost{FLOPs: rows * cells * (8*float64(n.Int("size")) + 60)}
	},
	Lower:    lowerLSTM,
	Launches: lstmLaunches,
	Kernels:  []string{"gemm", "lstm"},
	Sample: samples(
		sample(attrs("both", true, "size", 5), normal(ir.W, ir.N(128)), panelled(128, 5), wordStarts()),
		sample(attrs("size", 17), normal(ir.T, ir.N(128)), panelled(128, 17), starts()),
	),
})

// wordStarts and markStarts return the first word and the first label of each sequence.
func wordStarts() ir.Arg { return ir.PartArg(ragged.WordStarts) }
func markStarts() ir.Arg { return ir.PartArg(ragged.MarkStarts) }

// lstmDirections returns D, 1 or 2.
func lstmDirections(n *ir.Node) int {
	if n.Flag("both") {
		return 2
	}
	return 1
}

// lstmAttrs are the attributes of lstm and lstm_grad.
func lstmAttrs() []ir.AttrDef {
	return []ir.AttrDef{{Name: "size", Type: ir.AttrInt, Required: true, Doc: "S, cells per direction"},
		{Name: "both", Type: ir.AttrBool, Doc: "D is 2: a second direction runs backwards"}}
}

// lstmRow returns the row that direction k reads in its step i.
func lstmRow(b block, k, i int) int {
	if k == 1 {
		return b.row + b.n - 1 - i
	}
	return b.row + i
}

// lstmSequence computes direction k of d for one sequence. If it is not nil, step is called after each step with the row, the gates' sums z before their
// functions, and the cells c.
func lstmSequence(y, x, w []float64, b block, k, d, s int, step func(t int, z, c []float64)) {
	sp := round16(s)
	h, c, z := make([]float64, s), make([]float64, s), make([]float64, 4*sp)
	for i := range b.n {
		t := lstmRow(b, k, i)
		for r := range z {
			z[r] = x[(t*d+k)*4*sp+r]
			col := k*4*sp + r
			for j, v := range h {
				z[r] += v * w[col/16*16*s+j*16+col%16]
			}
		}
		for j := range s {
			c[j] = sigmoid(z[sp+j])*c[j] + sigmoid(z[j])*math.Tanh(z[2*sp+j])
			h[j] = sigmoid(z[3*sp+j]) * math.Tanh(c[j])
			y[(t*d+k)*s+j] = h[j]
		}
		if step != nil {
			step(t, z, c)
		}
	}
}

// sigmoid returns 1 / (1 + exp(-v)).
func sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// lowerLSTM returns the portable form for m rows of one direction, which lie step rows apart. Its arguments are (y, x, w, state, m, step, fresh): x points at
// the direction's gates, y at its columns, w at its panels. The state is kept from call to call; if fresh is set, it is set to 0 first.
func lowerLSTM(n *ir.Node) (*loop.Nest, error) {
	_, ldx, err := row(n.In[0])
	_, ldy, err2 := row(n.Out[0])
	if err := first(err, err2); err != nil {
		return nil, err
	}
	s := n.Int("size")
	sp := round16(s)
	args := append(loop.Floats("y", "x", "w", "state"), loop.Counts("m", "step", "fresh")...)
	b := loop.New(fmt.Sprintf("y[i] = the output of %d cells after row i of x, m rows in the order of the direction.", s), args...)
	b.Slice("h", "state", loop.I(0), loop.I(sp))
	b.Slice("cells", "state", loop.I(sp), loop.I(sp))
	b.Slice("gates", "state", loop.I(2*sp), loop.I(4*sp))
	b.If(loop.Bin{Op: "==", X: loop.V("fresh"), Y: loop.I(1)}, func() {
		b.For("j", loop.I(0), loop.I(sp), 1, func(j loop.Expr) {
			b.Store("h", j, loop.F(0))
			b.Store("cells", j, loop.F(0))
		})
	}, nil)
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		at := loop.Mul(i, loop.V("step"))
		b.Slice("xi", "x", loop.Mul(at, loop.I(ldx)), loop.I(4*sp))
		b.Slice("yi", "y", loop.Mul(at, loop.I(ldy)), loop.I(s))
		gateSums(b, 4*sp, s, "xi")
		b.For("j", loop.I(0), loop.I(s), 1, func(j loop.Expr) {
			gate := func(k int) loop.Expr { return loop.At("gates", loop.Add(loop.I(k*sp), j)) }
			keep := loop.Mul(sigmoidOf(gate(1)), loop.At("cells", j))
			v := b.Let("cell", loop.Add(keep, loop.Mul(sigmoidOf(gate(0)), loop.Fn("tanh", gate(2)))))
			b.Store("cells", j, v)
			out := b.Let("out", loop.Mul(sigmoidOf(gate(3)), loop.Fn("tanh", v)))
			b.Store("h", j, out)
			b.Store("yi", j, out)
		})
	})
	return b.Nest()
}

// gateSums writes n numbers of the window gates: the sums of another window and the products of the last output, the window h of s numbers, with the weights w.
func gateSums(b *loop.Builder, n, s int, and string) {
	b.For("p", loop.I(0), loop.I(n), 4, func(p loop.Expr) {
		panel := loop.Mul(loop.Div(p, loop.I(16)), loop.I(16*s))
		b.Slice("panel", "w", loop.Add(panel, loop.Mod(p, loop.I(16))), loop.I(16*s-12))
		var sums [4]loop.Var
		for c := range sums {
			sums[c] = b.Let(fmt.Sprintf("s%d", c), loop.F(0))
		}
		b.For("t", loop.I(0), loop.I(s), 1, func(t loop.Expr) {
			b.Slice("four", "panel", loop.Mul(t, loop.I(16)), loop.I(4))
			v := b.Let("v", loop.At("h", t))
			for c := range 4 {
				b.AddTo(sums[c], loop.Mul(v, loop.At("four", loop.I(c))))
			}
		})
		for c := range 4 {
			b.Store("gates", loop.Add(p, loop.I(c)), loop.Add(sums[c], loop.At(and, loop.Add(p, loop.I(c)))))
		}
	})
}

// lstmLaunches returns one call per direction and sequence.
func lstmLaunches(n *ir.Node, starts []int32, _ []*ir.Array) []ir.Launch {
	_, ldx, _ := row(n.In[0])
	_, ldy, _ := row(n.Out[0])
	s := n.Int("size")
	sp := round16(s)
	var out []ir.Launch
	for b := 0; b+1 < len(starts); b++ {
		rows := int(starts[b+1] - starts[b])
		for k := range lstmDirections(n) {
			if rows == 0 {
				continue
			}
			t, step := int(starts[b]), 1
			if k == 1 {
				t, step = t+rows-1, -1
			}
			out = append(out, ir.Launch{Memory: map[string]ir.Place{
				"y": {Operand: ir.Result, At: t*ldy + k*s}, "x": {Operand: 0, At: t*ldx + k*4*sp},
				"w": {Operand: 1, At: k * 4 * sp * s}, "state": {Operand: ir.Scratch, At: LSTMState(s)},
			}, Counts: map[string]int{"m": rows, "step": step, "fresh": 1}})
		}
	}
	return out
}
