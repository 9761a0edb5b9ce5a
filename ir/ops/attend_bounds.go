package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// boundAttendIn returns the operands of attend_bounds, after those of before.
func boundAttendIn(before ...ir.Operand) []ir.Operand {
	return placed(append(before, float("q", "[U, N]"), float("k", "[U, N]"), float("v", "[U, N]"))...)
}

// boundAttendAttrs are the attributes of attend_bounds and its gradient.
func boundAttendAttrs() []ir.AttrDef {
	return []ir.AttrDef{{Name: "heads", Type: ir.AttrInt, Required: true, Doc: "A, which divides N"},
		{Name: "window", Type: ir.AttrInt, Doc: "the greatest distance of a boundary that is read; 0: all are read"}}
}

// boundAttendShapes checks the operands of attend_bounds from number i on.
func boundAttendShapes(n *ir.Node, i int) error {
	w, err := fixedRows(n, i, ir.U)
	if a := n.Int("heads"); err == nil && (a < 1 || w%a != 0) {
		err = fmt.Errorf("%d heads do not divide %d columns", a, w)
	}
	return first(err, shaped(n, i+1, ir.U, ir.N(w)), shaped(n, i+2, ir.U, ir.N(w)), placeShapes(n))
}

// eachBoundHead calls visit with each head of each boundary, and with the probabilities of the boundaries that it reads. in are the operands of attend_bounds.
func eachBoundHead(n *ir.Node, in []*ir.Array, visit func(h heading, p []float64)) {
	list, _ := places(in)
	cols, heads := in[0].Shape[1], n.Int("heads")
	width := cols / heads
	for _, s := range list {
		for i := range s.Words + 1 {
			from, to := 0, s.Words+1
			if w := n.Int("window"); w > 0 {
				from, to = max(from, i-w), min(to, i+w+1)
			}
			for a := range heads {
				h := heading{s.Bound + i, s.Bound + from, s.Bound + to, a * width, width, cols}
				visit(h, h.probabilities(in[0].Floats(), in[1].Floats()))
			}
		}
	}
}

// boundAttendSamples returns samples of attend_bounds or its gradient.
func boundAttendSamples(before ...func(n int) ir.Arg) func() []ir.Sample {
	return func() (list []ir.Sample) {
		for _, s := range []struct{ heads, window, cols int }{{2, 0, 6}, {4, 2, 16}, {1, 1, 5}} {
			var in []ir.Arg
			for _, b := range before {
				in = append(in, b(s.cols))
			}
			for range 3 {
				in = append(in, normal(ir.U, ir.N(s.cols)))
			}
			list = append(list, placeSample(attrs("heads", s.heads, "window", s.window), in...))
		}
		return list
	}
}

var _ = ir.Define(ir.Op{
	Name: "attend_bounds", Class: ir.Wordwise,
	Doc: "Attention among the boundaries of a sequence: y = Σ_j p_j·v_j with p = softmax(q·k_j / √(N/A)), for each of A heads, over all boundaries or over " +
		"those whose distance is at most window, [U, N], [U, N], [U, N] → [U, N].",
	In: boundAttendIn(), Attrs: boundAttendAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) { return []ir.Type{n.In[0].Type}, boundAttendShapes(n, 0) },
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[0].Shape...)
		eachBoundHead(n, in, func(h heading, p []float64) {
			for t, v := range p {
				addScaled(h.of(y.F, h.word), h.of(in[2].Floats(), h.from+t), v)
			}
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return allResults(b, n, "attend_bounds_grad", n.Attrs, append([]*ir.Value{dy[0]}, n.In...)...)
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: boundPairs(n, s) * float64(4*width(n.In[0])+13*n.Int("heads"))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		doc := fmt.Sprintf("y = the attention among the boundaries of a sequence, with %d heads.", n.Int("heads"))
		return portable(n, doc, "q k v scratch words", func(b *nest) { b.attention(b.boundReaders(n)) })
	},
	Launches: placeLaunches(func(_ *ir.Node, p place) int { return p.Words + 1 }),
	Sample:   boundAttendSamples(),
})

// boundPairs returns the number of pairs of boundaries of which one reads the other.
func boundPairs(n *ir.Node, s ir.Sizes) float64 {
	reach := float64(s.U) / float64(max(1, s.B))
	if w := n.Int("window"); w > 0 {
		reach = min(reach, float64(2*w+1))
	}
	return float64(s.U) * reach
}

// boundReaders writes what attention among boundaries begins with: the window p of probabilities.
func (b *nest) boundReaders(n *ir.Node) readers {
	heads, bounds := n.Int("heads"), loop.Add(loop.V("words"), loop.I(1))
	b.all("p", scratchArg, bounds)
	return readers{bounds, bounds, heads, b.cols["q"] / heads, func(i loop.Expr) (loop.Expr, loop.Expr) {
		from, to := b.Let("from", loop.I(0)), b.Let("to", bounds)
		if w := n.Int("window"); w > 0 {
			b.Assign(from, loop.Fn("max", from, loop.Sub(i, loop.I(w))))
			b.Assign(to, loop.Fn("min", to, loop.Add(i, loop.I(w+1))))
		}
		return from, to
	}}
}

var _ = ir.Define(ir.Op{
	Name: "attend_bounds_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands q, k and v of attend_bounds. It computes the probabilities again: [U, N], [U, N], [U, N], [U, N] → " +
		"[U, N], [U, N], [U, N].",
	In: boundAttendIn(float("dy", "[U, N]")), Attrs: boundAttendAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		if !n.In[0].Type.Equal(n.In[1].Type) {
			return nil, fmt.Errorf("dy is %s, q is %s", n.In[0].Type, n.In[1].Type)
		}
		return []ir.Type{n.In[1].Type, n.In[2].Type, n.In[3].Type}, boundAttendShapes(n, 1)
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		dq, dk, dv := ir.NewArray(in[1].Shape...), ir.NewArray(in[2].Shape...), ir.NewArray(in[3].Shape...)
		eachBoundHead(n, in[1:], func(h heading, p []float64) { h.grad(in, p, dq.F, dk.F, dv.F) })
		return []*ir.Array{dq, dk, dv}, nil
	},
	Results: []string{"dq", "dk", "dv"},
	NoGrad:  onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: boundPairs(n, s) * float64(10*width(n.In[0])+18*n.Int("heads"))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		doc := fmt.Sprintf("the gradients of the attention among the boundaries of a sequence, with %d heads.", n.Int("heads"))
		return portable(n, doc, "dy q k v scratch words", func(b *nest) {
			read := b.boundReaders(n)
			b.Slice("dp", scratchArg, read.all, read.all)
			b.attentionGrad(read)
		})
	},
	Launches: placeLaunches(func(_ *ir.Node, p place) int { return 2 * (p.Words + 1) }),
	Sample:   boundAttendSamples(func(n int) ir.Arg { return normal(ir.U, ir.N(n)) }),
})
