package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "linear", Class: ir.Contraction,
	Doc: "y = x·Wᵀ + bias (+ plus), [., K], [N, K], [N] → [., N]. With plus the kernel adds to y, which must be plus's memory.",
	In: []ir.Operand{float("x", "[., K]"), float("w", "[N, K]"), optional("bias", "[N]"),
		optional("plus", "[., N]; its row distance is that of y")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, k, err := matrix(n, 0)
		if err != nil {
			return nil, err
		}
		out, kw, err := fixed(n, 1)
		if err != nil {
			return nil, err
		}
		if k != kw {
			return nil, fmt.Errorf("x has %d columns, w has %d: they must be equal", k, kw)
		}
		return []ir.Type{f32(rows, ir.N(out))}, first(vector(n, 2, out), shaped(n, 3, rows, ir.N(out)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, k, n := in[0].Shape[0], in[0].Shape[1], in[1].Shape[0]
		y := &ir.Array{Shape: []int{m, n}, F: product(in[0].Floats(), in[1].Floats(), m, n, k)}
		addVector(y.F, data(in, 2), n)
		addArray(y.F, data(in, 3))
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		out := []*ir.Value{
			b.Like(n, "matmul", nil, dy[0], n.In[1]),
			b.Like(n, "matmul", attrs("ta", true), dy[0], n.In[0]),
		}
		if len(n.In) > 2 {
			out = append(out, nil)
			if n.In[2] != nil {
				out[2] = b.Like(n, "col_sum", nil, dy[0])
			}
		}
		if len(n.In) > 3 {
			out = append(out, dy[0])
		}
		return out, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return productCost(n, s, n.In[1].Type.Shape[1].N, in(n, 2) != nil)
	},
	Lower:    lowerProduct,
	Launches: launchProduct,
	InPlace:  plusInPlace(3),
	Kernels:  []string{"gemm", "panels"},
	Sample: samples(
		sample(nil, normal(ir.T, ir.N(7)), normal(ir.N(5), ir.N(7)), normal(ir.N(5))),
		sample(nil, normal(ir.T, ir.N(7)), normal(ir.N(5), ir.N(7))),
		sample(nil, normal(ir.N(6), ir.N(3)), normal(ir.N(2), ir.N(3)), missing()),
		sample(nil, normal(ir.T, ir.N(3)), normal(ir.N(37), ir.N(3)), normal(ir.N(37)), normal(ir.T, ir.N(37))),
	),
})

// addVector adds a vector, if there is one, to each row of n columns. If the vector is padded, it uses the first n numbers.
func addVector(y []float64, v *ir.Array, n int) {
	if v == nil {
		return
	}
	add := v.Floats()
	for i := range y {
		y[i] += add[i%n]
	}
}

// addArray adds the numbers of an array, if there is one.
func addArray(y []float64, a *ir.Array) {
	if a == nil {
		return
	}
	for i, v := range a.Floats() {
		y[i] += v
	}
}

// productCost returns the work of a product with k terms per element.
func productCost(n *ir.Node, s ir.Sizes, k int, bias bool) ir.Cost {
	y := float64(s.Elements(n.Out[0].Type.Shape))
	c := ir.Cost{FLOPs: 2 * y * float64(k)}
	if bias {
		c.FLOPs += y
	}
	return c
}
