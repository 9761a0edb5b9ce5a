package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/bf16"
)

// pairsOperand returns an operand that bf16_pairs computes.
func pairsOperand(name, doc string) ir.Operand {
	return ir.Operand{Name: name, DType: ir.I32, Doc: doc}
}

var _ = ir.Define(ir.Op{
	Name: "product_bf16", Class: ir.Contraction,
	Doc: "x·w, or x·wᵀ with tb, (+ bias) (+ plus), where x and w are rounded to bfloat16 and sums are float32: pairs of the columns of [., K], and [K, N] → " +
		"[., N]. With plus the kernel adds to y, which must be plus's memory.",
	In: []ir.Operand{pairsOperand("x", "pairs of columns, [., ceil(K/2)]"), float("w", "[K, N], or [N, K] with tb"), optional("bias", "[N]"),
		optional("plus", "[., N]; its row distance is that of y")},
	Attrs: []ir.AttrDef{{Name: "tb", Type: ir.AttrBool, Doc: "w is transposed"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, pairs, err := matrix(n, 0)
		if err != nil {
			return nil, err
		}
		k, out, err := fixed(n, 1)
		if err != nil {
			return nil, err
		}
		if n.Flag("tb") {
			k, out = out, k
		}
		if pairs != (k+1)/2 {
			return nil, fmt.Errorf("x has %d columns of pairs, w has %d terms: there must be half as many pairs", pairs, k)
		}
		return []ir.Type{f32(rows, ir.N(out))}, first(vector(n, 2, out), shaped(n, 3, rows, ir.N(out)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, k, cols := in[0].Shape[0], in[1].Shape[0], in[1].Shape[1]
		w := rounded(in[1].Floats())
		if n.Flag("tb") {
			k, cols = cols, k
		} else {
			w = transposed(w, k, cols)
		}
		x := make([]float64, m*k)
		for i := range x {
			x[i] = half(in[0].I[i/k*in[0].Shape[1]+i%k/2], i%k%2)
		}
		y := &ir.Array{Shape: []int{m, cols}, F: product(x, w, m, cols, k)}
		addVector(y.F, data(in, 2), cols)
		addArray(y.F, data(in, 3))
		return []*ir.Array{y}, nil
	},
	NoGrad: notInGradients,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		p, _ := ProductOf(n)
		return bf16Cost(productCost(n, s, p.Terms, p.Bias != nil))
	},
	Lower:    lowerProduct,
	Launches: launchProduct,
	InPlace:  plusInPlace(3),
	Kernels:  []string{"pair_gemm", "pairs"},
	Sample: samples(
		sample(attrs("tb", true), paired(ir.T, ir.N(4)), normal(ir.N(5), ir.N(7)), normal(ir.N(5))),
		sample(attrs("tb", true), paired(ir.T, ir.N(4)), normal(ir.N(5), ir.N(8))),
		sample(attrs("tb", true), paired(ir.N(6), ir.N(2)), normal(ir.N(2), ir.N(3)), missing()),
		sample(attrs("tb", true), paired(ir.T, ir.N(2)), normal(ir.N(37), ir.N(3)), normal(ir.N(37)), normal(ir.T, ir.N(37))),
		sample(nil, paired(ir.T, ir.N(2)), normal(ir.N(3), ir.N(4))),
		sample(nil, paired(ir.T, ir.N(2)), normal(ir.N(4), ir.N(35)), missing(), normal(ir.T, ir.N(35))),
	),
})

var _ = ir.Define(ir.Op{
	Name: "product_tn_bf16", Class: ir.Reduction,
	Doc: "aᵀ·b (+ plus), where a and b are rounded to bfloat16 and sums are float32: pairs of the rows of [T, M] and of [T, N] → [M, N]. With plus the " +
		"kernel adds to y, which must be plus's memory.",
	In: []ir.Operand{pairsOperand("a", "pairs of rows, [T, M]"), pairsOperand("b", "pairs of rows, [T, N]"),
		optional("plus", "[M, N]; its row distance is that of the result")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, m, err := matrix(n, 0)
		if err != nil {
			return nil, err
		}
		other, c, err := matrix(n, 1)
		if err != nil {
			return nil, err
		}
		if rows != other {
			return nil, fmt.Errorf("%s and %s have different numbers of rows", n.In[0].Type, n.In[1].Type)
		}
		return []ir.Type{f32(ir.N(m), ir.N(c))}, shaped(n, 2, ir.N(m), ir.N(c))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		t, m, c := in[0].Shape[0], in[0].Shape[1], in[1].Shape[1]
		columns := func(a *ir.Array, cols int) []float64 { // the transposed matrix, [cols, t]
			out := make([]float64, cols*t)
			for i := range out {
				out[i] = half(a.I[i%t/2*cols+i/t], i%t%2)
			}
			return out
		}
		y := &ir.Array{Shape: []int{m, c}, F: product(columns(in[0], m), columns(in[1], c), m, c, t)}
		addArray(y.F, data(in, 2))
		return []*ir.Array{y}, nil
	},
	NoGrad: notInGradients,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return bf16Cost(productCost(n, s, s.Dim(n.In[0].Type.Shape[0]), false))
	},
	Lower:    lowerProduct,
	Launches: launchProduct,
	InPlace:  plusInPlace(2),
	Kernels:  []string{"pair_gemm_tn"},
	Sample: samples(
		sample(nil, paired(ir.N(8), ir.N(3)), paired(ir.N(8), ir.N(4))),
		sample(nil, paired(ir.T, ir.N(170)), paired(ir.T, ir.N(2)), normal(ir.N(170), ir.N(2))),
		lens(sample(nil, paired(ir.T, ir.N(2)), paired(ir.T, ir.N(130))), 3, 1, 2),
	),
})

// half returns the lower number of a pair, or the upper one if which is 1.
func half(pair int32, which int) float64 {
	if which == 1 {
		return float64(bf16.Upper(pair))
	}
	return float64(bf16.Lower(pair))
}

// rounded returns numbers rounded to bfloat16.
func rounded(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(bf16.Round(float32(v)))
	}
	return y
}

// bf16Cost returns the cost of a product whose operations are those of bfloat16.
func bf16Cost(c ir.Cost) ir.Cost {
	c.BF16 = c.FLOPs
	return c
}

// PairTerms returns the number of pairs of terms of a product of bfloat16.
func (p Product) PairTerms() int { return (p.Terms + 1) / 2 }

// blockOfPairs writes the block of a transposed product of pairs, pair by pair.
func (g *productNest) blockOfPairs() {
	rows, cols := loop.V("rows"), loop.V("cols")
	if g.Plus == nil {
		g.clearBlock()
	}
	g.For("t", loop.I(0), loop.Div(loop.Add(loop.V("terms"), loop.I(1)), loop.I(2)), 1, func(t loop.Expr) {
		g.Slice("at", "a", loop.Mul(t, loop.I(g.lda)), rows)
		g.Slice("bt", "b", loop.Mul(t, loop.I(g.ldb)), cols)
		g.For("n", loop.I(0), rows, 1, func(n loop.Expr) {
			v, u := g.Let("v", loop.Fn("lower", loop.At("at", n))), g.Let("u", loop.Fn("upper", loop.At("at", n)))
			g.Slice("yt", "y", loop.Mul(n, loop.I(g.ldy)), cols)
			g.For("k", loop.I(0), cols, 1, func(k loop.Expr) {
				b := loop.At("bt", k)
				g.Store("yt", k, loop.Add(loop.At("yt", k), loop.Mul(v, loop.Fn("lower", b)), loop.Mul(u, loop.Fn("upper", b))))
			})
		})
	})
}

// sumsOfPairs writes the product of pairs with weights, which it rounds first: scratch holds them as [2·pairs][ProductColumns].
func (g *productNest) sumsOfPairs() {
	cols, width := loop.V("cols"), ProductColumns
	g.Slice("panel", "scratch", loop.I(0), loop.I(2*g.PairTerms()*width))
	g.For("j", loop.I(0), cols, 1, func(j loop.Expr) {
		at := func(t loop.Expr) loop.Expr { return loop.Add(loop.Mul(t, loop.I(width)), j) }
		if g.TB {
			g.Slice("wj", g.b, loop.Mul(j, loop.I(g.ldb)), loop.I(g.Terms))
		} else {
			g.Slice("wj", g.b, j, loop.I((g.Terms-1)*g.ldb+1))
		}
		g.For("t", loop.I(0), loop.I(g.Terms), 1, func(t loop.Expr) {
			from := t
			if !g.TB {
				from = loop.Mul(t, loop.I(g.ldb))
			}
			g.Store("panel", at(t), loop.Fn("round", loop.At("wj", from)))
		})
		if g.Terms%2 > 0 {
			g.Store("panel", at(loop.I(g.Terms)), loop.F(0))
		}
	})
	g.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		g.Slice("yi", "y", loop.Mul(i, loop.I(g.ldy)), cols)
		g.startOfSums()
		g.Slice("xi", g.a, loop.Mul(i, loop.I(g.lda)), loop.I(g.PairTerms()))
		g.For("c", loop.I(0), loop.I(g.PairTerms()), 1, func(c loop.Expr) {
			v, u := g.Let("v", loop.Fn("lower", loop.At("xi", c))), g.Let("u", loop.Fn("upper", loop.At("xi", c)))
			g.Slice("pc", "panel", loop.Mul(c, loop.I(2*width)), loop.I(2*width))
			g.For("j", loop.I(0), cols, 1, func(j loop.Expr) {
				g.Store("yi", j, loop.Add(loop.At("yi", j), loop.Mul(v, loop.At("pc", j)), loop.Mul(u, loop.At("pc", loop.Add(j, loop.I(width))))))
			})
		})
	})
}

// startOfSums sets the row yi to what the products are added to: the bias, the row itself with plus, both, or 0.
func (g *productNest) startOfSums() {
	if g.Bias == nil && g.Plus != nil {
		return
	}
	if g.Bias != nil {
		g.Slice("add", "bias", loop.I(0), loop.V("cols"))
	}
	g.For("j", loop.I(0), loop.V("cols"), 1, func(j loop.Expr) {
		switch {
		case g.Bias == nil:
			g.Store("yi", j, loop.F(0))
		case g.Plus != nil:
			g.Store("yi", j, loop.Add(loop.At("yi", j), loop.At("add", j)))
		default:
			g.Store("yi", j, loop.At("add", j))
		}
	})
}
