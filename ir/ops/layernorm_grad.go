package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// rowMomentsIn is the operand of ops that need the mean and 1/σ of rows.
var rowMomentsIn = float("moments", "[., 2], see moments")

var _ = ir.Define(ir.Op{
	Name: "moments", Class: ir.Rowwise,
	Doc:   "The mean of each row and 1 / sqrt(variance + eps), biased variance, [., H] → [., 2].",
	In:    []ir.Operand{float("x", "[., H]")},
	Attrs: []ir.AttrDef{epsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		return []ir.Type{f32(rows, ir.N(2))}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, h, x := in[0].Shape[0], in[0].Shape[1], in[0].Floats()
		_, rstd := normalized(in[0], n.Float("eps"))
		y := ir.NewArray(m, 2)
		for i := range m {
			for _, v := range x[i*h : (i+1)*h] {
				y.F[2*i] += v / float64(h)
			}
			y.F[2*i+1] = rstd.F[i]
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 4 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, fmt.Sprintf("y = mean and 1/sqrt(variance + %g) of each of m rows.", n.Float("eps")), "x m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.both(i)
				mean, rstd := b.moments(n, b.cols["x"])
				b.Store("yi", loop.I(0), mean)
				b.Store("yi", loop.I(1), rstd)
			})
		})
	},
	Kernels: []string{"moments"},
	Sample: samples(
		sample(attrs("eps", 1e-7), normal(ir.T, ir.N(19))),
		sample(attrs("eps", 0.1), normal(ir.N(4), ir.N(16))),
	),
})

var _ = ir.Define(ir.Op{
	Name: "layernorm_grad", Class: ir.Rowwise,
	Doc: "The gradient of layernorm's x: rstd · (d - mean(d) - hat·mean(d·hat)) over each row, with d = dy ⊙ gain and hat = (x - mean)·rstd, [., H] → [., H].",
	In:  []ir.Operand{float("dy", "[., H]"), float("x", "[., H]"), whole(float("gain", "[H]")), rowMomentsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, h, err := matrix(n, 0)
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, rows, ir.N(h)), vector(n, 2, h), shaped(n, 3, rows, ir.N(2)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		h, dy, gain := in[0].Shape[1], in[0].Floats(), in[2].Floats()
		hat, moments := hatOf(in[1], in[3]), in[3].Floats()
		y := ir.NewArray(in[0].Shape...)
		for i := range in[0].Shape[0] {
			sum, inner := 0.0, 0.0
			for j := i * h; j < (i+1)*h; j++ {
				d := dy[j] * gain[j%h]
				sum += d / float64(h)
				inner += d * hat[j] / float64(h)
			}
			for j := i * h; j < (i+1)*h; j++ {
				y.F[j] = moments[2*i+1] * (dy[j]*gain[j%h] - sum - hat[j]*inner)
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 11 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower:   lowerLayernormGrad,
	Kernels: []string{"layernorm_grad"},
	Sample: samples(
		sample(nil, normal(ir.T, ir.N(19)), normal(ir.T, ir.N(19)), normal(ir.N(19)), positive(ir.T, ir.N(2))),
		sample(nil, normal(ir.N(3), ir.N(16)), normal(ir.N(3), ir.N(16)), normal(ir.N(16)), positive(ir.N(3), ir.N(2))),
	),
})

var _ = ir.Define(ir.Op{
	Name: "layernorm_gain_grad", Class: ir.Reduction,
	Doc: "The gradient of layernorm's gain: the sum over the rows of dy ⊙ (x - mean)·rstd, [M, H] → [H].",
	In:  []ir.Operand{whole(float("dy", "[M, H]")), whole(float("x", "[M, H]")), whole(rowMomentsIn)},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, h, err := matrix(n, 0)
		return []ir.Type{f32(ir.N(h))}, first(err, shaped(n, 1, rows, ir.N(h)), shaped(n, 2, rows, ir.N(2)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		h, hat := in[0].Shape[1], hatOf(in[1], in[2])
		y := ir.NewArray(h)
		for i, d := range in[0].Floats() {
			y.F[i%h] += d * hat[i]
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 4 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = Σ dy·(x - mean)·rstd over all rows, m columns from column at on.", "dy x moments m at dyRows", func(b *nest) {
			b.columns("dyRows", func(i loop.Expr) func(j loop.Expr) loop.Expr {
				b.Slice("di", "dy", loop.Add(loop.Mul(i, loop.I(b.ld["dy"])), loop.V(ir.CountAt)), loop.V(ir.CountRows))
				b.Slice("xi", "x", loop.Add(loop.Mul(i, loop.I(b.ld["x"])), loop.V(ir.CountAt)), loop.V(ir.CountRows))
				b.row("mi", "moments", i)
				mean, rstd := b.Let("mean", loop.At("mi", loop.I(0))), b.Let("rstd", loop.At("mi", loop.I(1)))
				return func(j loop.Expr) loop.Expr {
					return loop.Mul(loop.At("di", j), loop.Mul(loop.Sub(loop.At("xi", j), mean), rstd))
				}
			})
		})
	},
	Kernels: []string{"col_sum"},
	Sample:  samples(sample(nil, normal(ir.T, ir.N(19)), normal(ir.T, ir.N(19)), positive(ir.T, ir.N(2)))),
})

// hatOf returns (x - mean)·rstd.
func hatOf(x, moments *ir.Array) []float64 {
	h, m := x.Shape[1], moments.Floats()
	y := make([]float64, len(x.Floats()))
	for i, v := range x.Floats() {
		y[i] = (v - m[i/h*2]) * m[i/h*2+1]
	}
	return y
}

// columns writes the sum over all rows for m columns. terms makes the windows of row i, and returns the term of column j. Rows are added one after the other.
func (b *nest) columns(rows string, terms func(i loop.Expr) func(j loop.Expr) loop.Expr) {
	b.all("ys", "y", loop.V(ir.CountRows))
	b.each("j", loop.V(ir.CountRows), func(j loop.Expr) { b.Store("ys", j, loop.F(0)) })
	b.each("i", loop.V(rows), func(i loop.Expr) {
		term := terms(i)
		b.each("j", loop.V(ir.CountRows), func(j loop.Expr) { b.Store("ys", j, loop.Add(loop.At("ys", j), term(j))) })
	})
}

// lowerLayernormGrad returns the portable form with the arguments (y, dy, x, gain, moments, m). It makes two passes over a row.
func lowerLayernormGrad(n *ir.Node) (*loop.Nest, error) {
	return portable(n, "y = rstd·(d - mean(d) - hat·mean(d·hat)) with d = dy·gain and hat = (x - mean)·rstd, m rows.", "dy x gain moments m", func(b *nest) {
		h := b.cols["x"]
		b.all("gains", "gain", loop.I(h))
		b.rows(func(i loop.Expr) {
			b.both(i)
			b.row("di", "dy", i)
			b.row("mi", "moments", i)
			mean, rstd := b.Let("mean", loop.At("mi", loop.I(0))), b.Let("rstd", loop.At("mi", loop.I(1)))
			d := func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("di", j), loop.At("gains", j)) }
			hat := func(j loop.Expr) loop.Expr { return loop.Mul(loop.Sub(loop.At("xi", j), mean), rstd) }
			sum := b.Let("sum", loop.Mul(sumOf(b.Builder, "s", h, d), loop.F(1/float64(h))))
			inner := b.Let("inner", loop.Mul(sumOf(b.Builder, "q", h, func(j loop.Expr) loop.Expr { return loop.Mul(d(j), hat(j)) }), loop.F(1/float64(h))))
			b.set("yi", h, func(j loop.Expr) loop.Expr {
				return loop.Mul(rstd, loop.Sub(loop.Sub(d(j), sum), loop.Mul(hat(j), inner)))
			})
		})
	})
}
