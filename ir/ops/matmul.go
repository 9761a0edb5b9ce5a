package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "matmul", Class: ir.Reduction,
	Doc: "a·b (+ plus), each transposed if its flag is set: [M, K], [K, N] → [M, N]. Any extent may depend on the batch. With plus the kernel adds to y, " +
		"which must be plus's memory.",
	In: []ir.Operand{float("a", "[M, K], or [K, M] with ta"), float("b", "[K, N], or [N, K] with tb"),
		optional("plus", "[M, N]; its row distance is that of the result")},
	Attrs: []ir.AttrDef{
		{Name: "ta", Type: ir.AttrBool, Doc: "a is transposed"},
		{Name: "tb", Type: ir.AttrBool, Doc: "b is transposed"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		a, b := n.In[0].Type.Shape, n.In[1].Type.Shape
		if len(a) != 2 || len(b) != 2 {
			return nil, fmt.Errorf("a is %s, b is %s: both must be matrices", n.In[0].Type, n.In[1].Type)
		}
		m, k, kb, c := a[0], a[1], b[0], b[1]
		if n.Flag("ta") {
			m, k = k, m
		}
		if n.Flag("tb") {
			kb, c = c, kb
		}
		if k != kb {
			return nil, fmt.Errorf("the inner extents of %s and %s are %s and %s", n.In[0].Type, n.In[1].Type, k, kb)
		}
		return []ir.Type{f32(m, c)}, shaped(n, 2, m, c)
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		a, m, k := in[0].Floats(), in[0].Shape[0], in[0].Shape[1]
		if n.Flag("ta") {
			a, m, k = transposed(a, m, k), k, m
		}
		b, c := in[1].Floats(), in[1].Shape[0]
		if !n.Flag("tb") { // product takes b as [N, K]
			b, c = transposed(b, k, in[1].Shape[1]), in[1].Shape[1]
		}
		y := &ir.Array{Shape: []int{m, c}, F: product(a, b, m, c, k)}
		addArray(y.F, data(in, 2))
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		ta, tb := n.Flag("ta"), n.Flag("tb")
		mm := func(x, y *ir.Value, tx, ty bool) *ir.Value {
			return b.Like(n, "matmul", attrs("ta", tx, "tb", ty), x, y)
		}
		da, db := mm(dy[0], n.In[1], false, !tb), mm(n.In[0], dy[0], !ta, false)
		if ta {
			da = mm(n.In[1], dy[0], tb, true)
		}
		if tb {
			db = mm(dy[0], n.In[0], true, ta)
		}
		if len(n.In) > 2 {
			return []*ir.Value{da, db, dy[0]}, b.Err()
		}
		return []*ir.Value{da, db}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		k := n.In[0].Type.Shape[1]
		if n.Flag("ta") {
			k = n.In[0].Type.Shape[0]
		}
		return productCost(n, s, s.Dim(k), false)
	},
	Lower:    lowerProduct,
	Launches: launchProduct,
	InPlace:  plusInPlace(2),
	Kernels:  []string{"gemm_tn", "gemm", "panels"},
	Sample: samples(
		sample(nil, normal(ir.T, ir.N(3)), normal(ir.N(3), ir.N(4))),
		sample(attrs("ta", true), normal(ir.T, ir.N(3)), normal(ir.T, ir.N(4))),
		sample(attrs("tb", true), normal(ir.T, ir.N(3)), normal(ir.N(5), ir.N(3))),
		sample(attrs("ta", true, "tb", true), normal(ir.N(3), ir.N(2)), normal(ir.N(5), ir.N(3))),
		sample(nil, normal(ir.T, ir.N(3)), normal(ir.N(3), ir.N(35)), normal(ir.T, ir.N(35))),
		sample(attrs("ta", true), normal(ir.T, ir.N(170)), normal(ir.T, ir.N(2)), normal(ir.N(170), ir.N(2))),
		sample(attrs("ta", true), normal(ir.T, ir.N(2)), normal(ir.T, ir.N(130))),
		sample(attrs("tb", true), normal(ir.T, ir.N(3)), normal(ir.N(5), ir.N(3)), normal(ir.T, ir.N(5))),
	),
})

// transposed returns the [c, m] form of an [m, c] matrix.
func transposed(x []float64, m, c int) []float64 {
	y := make([]float64, len(x))
	for i := 0; i < m; i++ {
		for j := 0; j < c; j++ {
			y[j*m+i] = x[i*c+j]
		}
	}
	return y
}
