package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/bf16"
)

var _ = ir.Define(ir.Op{
	Name: "gemm_bf16", Class: ir.Contraction,
	Doc: "The op gemm where x and W are rounded to bfloat16 and sums are float32: pairs of the columns of [., 2K], W in panels of pairs " +
		"[⌈N/16⌉, K, 16] → [., N].",
	In: []ir.Operand{pairsOperand("x", "pairs of columns, [., K]"), pairsOperand("w", "[⌈N/16⌉, K, 16], see panels_bf16"), optional("bias", "[N16], see pad"),
		optional("residual", "[., N]; its row distance is that of y"), optional("plus", "[., N], as that of gemm")},
	Attrs: gemmAttrs("K, columns of pairs of x"),
	Shape: gemmShape,
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, k, c := in[0].Shape[0], n.Int("k"), n.Int("n")
		x, w := make([]float64, 2*m*k), make([]float64, 2*c*k)
		for i := range x {
			x[i] = half(in[0].I[i/2], i%2)
		}
		for i := range w { // column t of row r
			r, t := i/(2*k), i%(2*k)
			w[i] = half(in[1].I[r/16*16*k+t/2*16+r%16], t%2)
		}
		y := &ir.Array{Shape: []int{m, c}, F: product(x, w, m, c, 2*k)}
		gemmEpilogue(n, in, y)
		return []*ir.Array{y}, nil
	},
	NoGrad: afterGrad,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		c := gemmCost(n, s, 2*n.Int("k"))
		c.BF16 = c.FLOPs
		return c
	},
	Lower:    func(n *ir.Node) (*loop.Nest, error) { return GemmNest(n, 16) },
	Launches: launchGemm,
	Kernels:  []string{"pair_gemm"},
	Sample: samples(
		sample(attrs("n", 19, "k", 4), paired(ir.T, ir.N(4)), panelledPairs(19, 7), normal(ir.N(32))),
		sample(attrs("n", 16, "k", 2, "act", "gelu"), paired(ir.T, ir.N(2)), panelledPairs(16, 4), normal(ir.N(16))),
		sample(attrs("n", 5, "k", 2, "act", "tanh"), paired(ir.B, ir.N(2)), panelledPairs(5, 3), normal(ir.N(16))),
		sample(attrs("n", 33, "k", 2), paired(ir.T, ir.N(2)), panelledPairs(33, 3), normal(ir.N(48)), normal(ir.T, ir.N(33))),
		sample(attrs("n", 5, "k", 2), paired(ir.T, ir.N(2)), panelledPairs(5, 4)),
		sample(attrs("n", 18, "k", 2, "act", "gelu"), paired(ir.T, ir.N(2)), panelledPairs(18, 3), normal(ir.N(32)), missing(), normal(ir.T, ir.N(18))),
	),
})

var _ = ir.Define(ir.Op{
	Name: "panels_bf16", Class: ir.Layout,
	Doc: "A weight rounded to bfloat16 in the order in which gemm_bf16 reads it: [N, K] → [⌈N/16⌉, ⌈K/2⌉, 16] pairs. Column c of panel p is row 16p+c, or " +
		"zeros beyond N; an odd K has a zero after it.",
	In: []ir.Operand{whole(float("w", "[N, K]"))},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, k, err := fixed(n, 0)
		return []ir.Type{i32(ir.N(round16(rows)/16), ir.N((k+1)/2), ir.N(16))}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		return []*ir.Array{pairPanels(in[0])}, nil
	},
	NoGrad:  notInGradients,
	NoLower: "it is computed when weights are packed",
	Sample:  samples(sample(nil, normal(ir.N(19), ir.N(5))), sample(nil, normal(ir.N(16), ir.N(4)))),
})

// panelledPairs returns random panels of pairs of a matrix with n rows and k columns.
func panelledPairs(n, k int) ir.Arg { return paired(ir.N(round16(n)/16), ir.N((k+1)/2), ir.N(16)) }

// pairPanels returns the panels of pairs of a matrix.
func pairPanels(w *ir.Array) *ir.Array {
	n, k := w.Shape[0], w.Shape[1]
	x, terms := w.Floats(), (k+1)/2
	at := func(r, t int) float32 {
		if r >= n || t >= k {
			return 0
		}
		return float32(x[r*k+t])
	}
	y := ir.NewInts(round16(n)/16, terms, 16)
	for i := range y.I {
		r, t := i/(16*terms)*16+i%16, i/16%terms
		y.I[i] = bf16.Pair(at(r, 2*t), at(r, 2*t+1))
	}
	return y
}
