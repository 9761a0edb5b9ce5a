package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// epsAttr is the number under the root of a norm.
var epsAttr = ir.AttrDef{Name: "eps", Type: ir.AttrFloat, Required: true, Doc: "added to the variance"}

var _ = ir.Define(ir.Op{
	Name: "layernorm", Class: ir.Rowwise,
	Doc: "y = gain ⊙ (x - mean) / sqrt(variance + eps) + shift over each row, biased variance (Ba et al. 2016), [., H] → [., H].",
	In: []ir.Operand{float("x", "[., H]"), whole(float("gain", "[H], or padded to [H16]")),
		whole(float("shift", "[H], or padded to [H16]"))},

	Attrs: []ir.AttrDef{epsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, h, err := matrix(n, 0)
		return []ir.Type{n.In[0].Type}, first(err, vector(n, 1, h, round16(h)), vector(n, 2, h, round16(h)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		h, gain := in[0].Shape[1], in[1].Floats()
		y, _ := normalized(in[0], n.Float("eps"))
		for i := range y.F {
			y.F[i] *= gain[i%h]
		}
		addVector(y.F, in[2], h)
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		if !n.In[1].Type.Shape.Equal(n.In[0].Type.Shape[1:]) || !n.In[2].Type.Shape.Equal(n.In[0].Type.Shape[1:]) {
			return nil, fmt.Errorf("%v: padded vectors have no gradient", n.Pos)
		}
		g := graph{b, n}
		moments := g.op("moments", attrs("eps", n.Float("eps")), n.In[0])
		return []*ir.Value{g.op("layernorm_grad", nil, dy[0], n.In[0], n.In[1], moments),
			g.op("layernorm_gain_grad", nil, dy[0], n.In[0], moments), g.op("col_sum", nil, dy[0])}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 8 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Cheap:   true,
	Lower:   lowerLayernorm,
	Kernels: []string{"layernorm"},
	Sample: samples(
		sample(attrs("eps", 1e-7), normal(ir.T, ir.N(19)), normal(ir.N(19)), normal(ir.N(19))),
		sample(attrs("eps", 0.1), normal(ir.N(4), ir.N(16)), normal(ir.N(16)), normal(ir.N(16))),
	),
})

// normalized returns (x - mean) / sqrt(variance + eps) for each row, and 1 / sqrt(variance + eps).
func normalized(x *ir.Array, eps float64) (y, rstd *ir.Array) {
	m, h, src := x.Shape[0], x.Shape[1], x.Floats()
	y, rstd = ir.NewArray(m, h), ir.NewArray(m)
	for i := 0; i < m; i++ {
		r, out := src[i*h:(i+1)*h], y.F[i*h:(i+1)*h]
		mean, variance := 0.0, 0.0
		for _, v := range r {
			mean += v
		}
		mean /= float64(h)
		for _, v := range r {
			variance += (v - mean) * (v - mean)
		}
		rstd.F[i] = 1 / math.Sqrt(variance/float64(h)+eps)
		for j, v := range r {
			out[j] = (v - mean) * rstd.F[i]
		}
	}
	return y, rstd
}

// normalize returns the gradient of x from d, the gradient of its normalised form hat: rstd · (d - mean(d) - hat·mean(d·hat)) over each row.
func (g graph) normalize(x, hat, d *ir.Value, eps float64) *ir.Value {
	h := x.Type.Shape[1].N
	mean := func(v *ir.Value) *ir.Value {
		return g.op("spread", attrs("n", h), g.scale(g.op("row_sum", nil, v), 1/float64(h)))
	}
	inner := g.sub(g.sub(d, mean(d)), g.mul(hat, mean(g.mul(d, hat))))
	return g.mul(inner, g.op("spread", attrs("n", h), g.op("rstd", attrs("eps", eps), x)))
}

// lowerLayernorm returns the portable form with the arguments (y, x, gain, shift, m). It makes two passes over a row, with four partial sums each. The columns
// from H to the next multiple of 16 become 0 if the rows of y are long enough.
func lowerLayernorm(n *ir.Node) (*loop.Nest, error) {
	h, ldx, err := row(n.In[0])
	_, ldy, err2 := row(n.Out[0])
	if err := first(err, err2); err != nil {
		return nil, err
	}
	padded := min(round16(h), ldy)
	args := append(loop.Floats("y", "x", "gain", "shift"), loop.Counts("m")...)
	b := loop.New(fmt.Sprintf("y = gain·(x - mean)/sqrt(variance + %g) + shift, m rows of %d.", n.Float("eps"), h), args...)
	b.Slice("gains", "gain", loop.I(0), loop.I(h))
	b.Slice("shifts", "shift", loop.I(0), loop.I(h))
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		b.Slice("xi", "x", loop.Mul(i, loop.I(ldx)), loop.I(h))
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(padded))
		mean := b.Let("mean", loop.Mul(sumOf(b, "s", h, func(j loop.Expr) loop.Expr { return loop.At("xi", j) }), loop.F(1/float64(h))))
		square := sumOf(b, "q", h, func(j loop.Expr) loop.Expr {
			d := loop.Sub(loop.At("xi", j), mean)
			return loop.Mul(d, d)
		})
		rstd := b.Let("rstd", loop.Div(loop.F(1), loop.Fn("sqrt", loop.Add(loop.Mul(square, loop.F(1/float64(h))), loop.F(n.Float("eps"))))))
		b.For("j", loop.I(0), loop.I(h), 1, func(j loop.Expr) {
			hat := loop.Mul(loop.Sub(loop.At("xi", j), mean), rstd)
			b.Store("yi", j, loop.Add(loop.Mul(hat, loop.At("gains", j)), loop.At("shifts", j)))
		})
		if padded > h {
			b.For("jp", loop.I(h), loop.I(padded), 1, func(j loop.Expr) { b.Store("yi", j, loop.F(0)) })
		}
	})
	return b.Nest()
}

// sumOf writes the sum of n terms in four partial sums, (s0 + s1) + (s2 + s3). The last n mod 4 terms are added to s0. Names begin with prefix.
func sumOf(b *loop.Builder, prefix string, n int, term func(j loop.Expr) loop.Expr) loop.Expr {
	var part [4]loop.Var
	for c := range part {
		part[c] = b.Let(fmt.Sprintf("%s%d", prefix, c), loop.F(0))
	}
	b.For(prefix+"j", loop.I(0), loop.I(n/4*4), 4, func(j loop.Expr) {
		for c := range part {
			b.AddTo(part[c], term(loop.Add(j, loop.I(c))))
		}
	})
	for j := n / 4 * 4; j < n; j++ {
		b.AddTo(part[0], term(loop.I(j)))
	}
	return loop.Add(loop.Add(part[0], part[1]), loop.Add(part[2], part[3]))
}
