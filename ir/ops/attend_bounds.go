package ops

import (
	"fmt"
	"math"

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
				p := make([]float64, to-from)
				for t := range p {
					p[t] = dot(h.of(in[0].Floats(), h.word), h.of(in[1].Floats(), h.from+t)) / math.Sqrt(float64(width))
				}
				softmaxRow(p)
				visit(h, p)
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
		return portable(n, doc, "q k v scratch words", func(b *nest) {
			b.all("p", scratchArg, loop.Add(loop.V("words"), loop.I(1)))
			b.eachBoundHead(n, func(from, to, at loop.Expr, width int) {
				b.Slice("ya", "yi", at, loop.I(width))
				b.For("t", from, to, 1, func(t loop.Expr) {
					b.row("vt", "v", t)
					b.Slice("va", "vt", at, loop.I(width))
					b.addTo("ya", width, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("p", t), loop.At("va", j)) })
				})
			}, func(i loop.Expr) {
				b.row("yi", "y", i)
				b.clear("yi", b.cols["y"])
			})
		})
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

// eachBoundHead writes a loop over boundaries, which begins with begin, and in it a loop over heads. It writes the probabilities of the boundaries that a head
// reads, from … to-1, to the window p, and the head's columns of q to the window qa. at is the head's first column.
func (b *nest) eachBoundHead(n *ir.Node, write func(from, to, at loop.Expr, width int), begin func(i loop.Expr)) {
	heads := n.Int("heads")
	width := b.cols["q"] / heads
	bounds := loop.Add(loop.V("words"), loop.I(1))
	b.each("i", bounds, func(i loop.Expr) {
		b.row("qi", "q", i)
		begin(i)
		from, to := b.Let("from", loop.I(0)), b.Let("to", bounds)
		if w := n.Int("window"); w > 0 {
			b.Assign(from, loop.Fn("max", from, loop.Sub(i, loop.I(w))))
			b.Assign(to, loop.Fn("min", to, loop.Add(i, loop.I(w+1))))
		}
		b.each("a", loop.I(heads), func(a loop.Expr) {
			at := b.Let("at", loop.Mul(a, loop.I(width)))
			b.Slice("qa", "qi", at, loop.I(width))
			b.For("t", from, to, 1, func(t loop.Expr) {
				b.row("kt", "k", t)
				b.Slice("ka", "kt", at, loop.I(width))
				product := sumOf(b.Builder, "s", width, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("qa", j), loop.At("ka", j)) })
				b.Store("p", t, loop.Mul(product, loop.F(1/math.Sqrt(float64(width)))))
			})
			top := b.Let("top", loop.At("p", from))
			b.For("t", from, to, 1, func(t loop.Expr) { b.Assign(top, loop.Fn("max", top, loop.At("p", t))) })
			sum := b.Let("sum", loop.F(0))
			b.For("t", from, to, 1, func(t loop.Expr) {
				e := b.Let("e", loop.Fn("exp", loop.Sub(loop.At("p", t), top)))
				b.Store("p", t, e)
				b.AddTo(sum, e)
			})
			b.For("t", from, to, 1, func(t loop.Expr) { b.Store("p", t, loop.Div(loop.At("p", t), sum)) })
			write(from, to, at, width)
		})
	})
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
		eachBoundHead(n, in[1:], func(h heading, p []float64) {
			dy, q := h.of(in[0].Floats(), h.word), h.of(in[1].Floats(), h.word)
			dp, mean := make([]float64, len(p)), 0.0
			for t := range p {
				dp[t] = dot(dy, h.of(in[3].Floats(), h.from+t))
				mean += p[t] * dp[t]
				addScaled(h.of(dv.F, h.from+t), dy, p[t])
			}
			for t := range p {
				ds := p[t] * (dp[t] - mean) / math.Sqrt(float64(h.width))
				addScaled(h.of(dq.F, h.word), h.of(in[2].Floats(), h.from+t), ds)
				addScaled(h.of(dk.F, h.from+t), q, ds)
			}
		})
		return []*ir.Array{dq, dk, dv}, nil
	},
	Results: []string{"dq", "dk", "dv"},
	NoGrad:  onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: boundPairs(n, s) * float64(10*width(n.In[0])+18*n.Int("heads"))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		doc := fmt.Sprintf("the gradients of the attention among the boundaries of a sequence, with %d heads.", n.Int("heads"))
		return portable(n, doc, "dy q k v scratch words", func(b *nest) { b.boundAttendGrad(n) })
	},
	Launches: placeLaunches(func(_ *ir.Node, p place) int { return 2 * (p.Words + 1) }),
	Sample:   boundAttendSamples(func(n int) ir.Arg { return normal(ir.U, ir.N(n)) }),
})

// boundAttendGrad writes the gradients of attend_bounds for one sequence.
func (b *nest) boundAttendGrad(n *ir.Node) {
	bounds := loop.Add(loop.V("words"), loop.I(1))
	b.all("p", scratchArg, bounds)
	b.Slice("dp", scratchArg, bounds, bounds)
	b.clearBounds("dk", "dv")
	b.eachBoundHead(n, func(from, to, at loop.Expr, width int) {
		b.Slice("dya", "dyi", at, loop.I(width))
		b.Slice("dqa", "dqi", at, loop.I(width))
		mean := b.Let("mean", loop.F(0))
		part := func(window, of string, t loop.Expr) {
			b.row(window+"t", of, t)
			b.Slice(window+"a", window+"t", at, loop.I(width))
		}
		b.For("t", from, to, 1, func(t loop.Expr) {
			part("v", "v", t)
			part("dv", "dv", t)
			product := sumOf(b.Builder, "s", width, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("dya", j), loop.At("va", j)) })
			b.Store("dp", t, product)
			b.AddTo(mean, loop.Mul(loop.At("p", t), loop.At("dp", t)))
			b.addTo("dva", width, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("p", t), loop.At("dya", j)) })
		})
		b.For("t", from, to, 1, func(t loop.Expr) {
			part("k", "k", t)
			part("dk", "dk", t)
			ds := b.Let("ds", loop.Mul(loop.At("p", t), loop.Mul(loop.Sub(loop.At("dp", t), mean), loop.F(1/math.Sqrt(float64(width))))))
			b.addTo("dqa", width, func(j loop.Expr) loop.Expr { return loop.Mul(ds, loop.At("ka", j)) })
			b.addTo("dka", width, func(j loop.Expr) loop.Expr { return loop.Mul(ds, loop.At("qa", j)) })
		})
	}, func(i loop.Expr) {
		b.row("dyi", "dy", i)
		b.row("dqi", "dq", i)
		b.clear("dqi", b.cols["dq"])
	})
}
