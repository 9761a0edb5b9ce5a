package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// contentAttrs is the attribute of span_content and its gradient.
func contentAttrs() []ir.AttrDef {
	return []ir.AttrDef{{Name: "soft", Type: ir.AttrBool, Doc: "log Σ exp of the words' numbers follows their mean"}}
}

// contentColumns returns the number of columns of a span's content.
func contentColumns(n *ir.Node, cols int) int {
	if n.Flag("soft") {
		return 2 * cols
	}
	return cols
}

var _ = ir.Define(ir.Op{
	Name: "span_content", Class: ir.Wordwise,
	Doc: "The mean of the rows of each candidate's words, with soft followed by the log of the sum of their exp; zeros for a row without a span, " +
		"[W, N], [S, 2] → [S, N], with soft [S, 2N].",
	In: placed(float("x", "[W, N]"), spansIn), Attrs: contentAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 0, ir.W)
		return []ir.Type{f32(ir.S, ir.N(contentColumns(n, w)))}, first(err, shaped(n, 1, ir.S, ir.N(2)), placeShapes(n))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := in[0].Shape[1], in[0].Floats()
		out := contentColumns(n, w)
		y := ir.NewArray(in[1].Shape[0], out)
		eachSpan(in[1], in, func(p place, i int, s span) {
			for j := range w {
				sum, top, exps := 0.0, math.Inf(-1), 0.0
				for k := s.from; k < s.to; k++ {
					v := x[(p.Word+k)*w+j]
					sum, top = sum+v, max(top, v)
				}
				y.F[i*out+j] = sum / float64(s.to-s.from)
				if out == w {
					continue
				}
				for k := s.from; k < s.to; k++ {
					exps += math.Exp(x[(p.Word+k)*w+j] - top)
				}
				y.F[i*out+w+j] = top + math.Log(exps)
			}
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "span_content_grad", n.Attrs, append([]*ir.Value{dy[0], n.Out[0], n.In[0]}, n.In[1:]...)...), nil, nil, nil, nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.Out[0].Type.Shape)) * float64(s.W) / float64(max(1, s.B))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		soft := n.Flag("soft")
		return portable(n, "y = the mean of the words' rows of each candidate of a sequence.", "x spans words chosen", func(b *nest) {
			cols := b.cols["x"]
			b.eachCandidate(func(i, from, to loop.Expr) {
				b.row("yi", "y", i)
				b.row("x0", "x", from)
				b.Slice("mean", "yi", loop.I(0), loop.I(cols))
				b.set("mean", cols, of("x0"))
				rest := func(write func()) {
					b.For("k", loop.Add(from, loop.I(1)), to, 1, func(k loop.Expr) {
						b.row("xk", "x", k)
						write()
					})
				}
				rest(func() { b.addTo("mean", cols, of("xk")) })
				size := b.Let("size", loop.Fn("float", loop.Sub(to, from)))
				b.set("mean", cols, func(j loop.Expr) loop.Expr { return loop.Div(loop.At("mean", j), size) })
				if !soft {
					return
				}
				b.Slice("soft", "yi", loop.I(cols), loop.I(cols))
				b.set("soft", cols, of("x0"))
				rest(func() {
					b.set("soft", cols, func(j loop.Expr) loop.Expr { return loop.Fn("max", loop.At("soft", j), loop.At("xk", j)) })
				})
				b.each("j", loop.I(cols), func(j loop.Expr) {
					sum := b.Let("sum", loop.F(0))
					b.For("k", from, to, 1, func(k loop.Expr) {
						b.row("xk", "x", k)
						b.AddTo(sum, loop.Fn("exp", loop.Sub(loop.At("xk", j), loop.At("soft", j))))
					})
					b.Store("soft", j, loop.Add(loop.At("soft", j), loop.Fn("log", sum)))
				})
			}, b.noSpan)
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(nil, normal(ir.W, ir.N(5)), spanPairs()), placeSample(attrs("soft", true), normal(ir.W, ir.N(5)), spanPairs()),
		placeSample(attrs("soft", true), normal(ir.W, ir.N(16)), spanPairs())),
})

var _ = ir.Define(ir.Op{
	Name: "span_content_grad", Class: ir.Wordwise,
	Doc: "The gradient of span_content: an equal part of each mean's, and with soft a part by the share of exp x, [S, N], [S, N], [W, N], [S, 2] → [W, N]; " +
		"with soft [S, 2N].",
	In:    placed(float("dy", "[S, N] or [S, 2N]"), float("content", "[S, N] or [S, 2N], the result of span_content"), float("x", "[W, N]"), spansIn),
	Attrs: contentAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 2, ir.W)
		out := ir.N(contentColumns(n, w))
		return []ir.Type{n.In[2].Type}, first(err, shaped(n, 0, ir.S, out), shaped(n, 1, ir.S, out), shaped(n, 3, ir.S, ir.N(2)), placeShapes(n))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x, dy, content := in[2].Shape[1], in[2].Floats(), in[0].Floats(), in[1].Floats()
		out, dx := contentColumns(n, w), ir.NewArray(in[2].Shape...)
		eachSpan(in[3], in, func(p place, i int, s span) {
			for k := s.from; k < s.to; k++ {
				for j := range w {
					at := (p.Word+k)*w + j
					dx.F[at] += dy[i*out+j] / float64(s.to-s.from)
					if out > w {
						dx.F[at] += dy[i*out+w+j] * math.Exp(x[at]-content[i*out+w+j])
					}
				}
			}
		})
		return []*ir.Array{dx}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 2 * float64(s.Elements(n.In[0].Type.Shape)) * float64(s.W) / float64(max(1, s.B))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		args := "dy spans words chosen"
		if n.Flag("soft") {
			args = "dy content x spans words chosen"
		}
		return portable(n, "y = the gradient of a sequence's words by that of its candidates' content.", args, func(b *nest) {
			cols := b.cols["y"]
			b.clearRows("y", loop.V("words"))
			b.eachCandidate(func(i, from, to loop.Expr) {
				b.row("dyi", "dy", i)
				size := b.Let("size", loop.Fn("float", loop.Sub(to, from)))
				if n.Flag("soft") {
					b.row("ci", "content", i)
				}
				b.For("k", from, to, 1, func(k loop.Expr) {
					b.row("yk", "y", k)
					b.addTo("yk", cols, func(j loop.Expr) loop.Expr { return loop.Div(loop.At("dyi", j), size) })
					if !n.Flag("soft") {
						return
					}
					b.row("xk", "x", k)
					b.addTo("yk", cols, func(j loop.Expr) loop.Expr {
						at := loop.Add(loop.I(cols), j)
						return loop.Mul(loop.At("dyi", at), loop.Fn("exp", loop.Sub(loop.At("xk", j), loop.At("ci", at))))
					})
				})
			}, nil)
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(nil, normal(ir.S, ir.N(5)), normal(ir.S, ir.N(5)), normal(ir.W, ir.N(5)), spanPairs()),
		placeSample(attrs("soft", true), normal(ir.S, ir.N(10)), normal(ir.S, ir.N(10)), normal(ir.W, ir.N(5)), spanPairs())),
})
