package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// TokenColumns is the number of columns of token_scores: start, end, inside.
const TokenColumns = 3

// TokenBlock is the greatest number of words, and of labels, in one call of the kernel of token_scores.
const TokenBlock = 8

// TokenScratch returns how many floats the kernel of token_scores may use as scratch memory. For each pair of a block it holds a row of products, ldk floats
// long, and a row of the inner layer, ldn floats long; one row of zeros follows.
func TokenScratch(ldk, ldn int) int { return TokenBlock*TokenBlock*(ldk+ldn) + ldn }

var _ = ir.Define(ir.Op{
	Name: "token_scores", Class: ir.Wordwise,
	Doc: "GLiNER's token scores: start, end and inside of a label. An inner layer reads a word, a label, and the product of a part of both. Its parts that " +
		"read one of them, a and b, are computed before. y[w, c] = relu(a[w] + b[c] + (x[w] ⊙ z[c])·Wᵀ)·vᵀ, where v's last column is added as a constant: " +
		"[W, K], [C, K], [W, N], [C, N], [⌈N/16⌉, K, 16], [3, (N+1)16] → [G, 3].",
	In: []ir.Operand{float("x", "[W, K]"), float("z", "[C, K]"), float("a", "[W, N]"), float("b", "[C, N]"), float("w", "[⌈N/16⌉, K, 16], see panels"),
		float("v", "[3, (N+1)16], see pad"), wordStartsIn, markStartsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, k, err := matrix(n, 0)
		_, inner, err2 := matrix(n, 2)
		if err := first(err, err2); err != nil {
			return nil, err
		}
		if rows != ir.W || inner%4 != 0 {
			return nil, fmt.Errorf("x is %s and a is %s: a must have a multiple of four columns", n.In[0].Type, n.In[2].Type)
		}
		return []ir.Type{f32(ir.G, ir.N(TokenColumns))}, first(shaped(n, 1, ir.C, ir.N(k)), shaped(n, 2, ir.W, ir.N(inner)), shaped(n, 3, ir.C, ir.N(inner)),
			shaped(n, 4, ir.N(round16(inner)/16), ir.N(k), ir.N(16)),
			shaped(n, 5, ir.N(3), ir.N(round16(inner+1))), shaped(n, 6, ir.Bound), shaped(n, 7, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		k, inner, ldv := in[0].Shape[1], in[2].Shape[1], in[5].Shape[1]
		x, z, a, b, w, v := in[0].Floats(), in[1].Floats(), in[2].Floats(), in[3].Floats(), in[4].Floats(), in[5].Floats()
		list, g, err := wordPairs(in[6], in[7], in[0].Shape[0], in[1].Shape[0])
		if err != nil {
			return nil, err
		}
		y := ir.NewArray(g, 3)
		for _, p := range list {
			for o := range 3 {
				y.F[p.row*3+o] = v[o*ldv+inner]
			}
			for r := range inner {
				sum := a[p.word*inner+r] + b[p.label*inner+r]
				for j := range k {
					sum += x[p.word*k+j] * z[p.label*k+j] * w[r/16*16*k+j*16+r%16]
				}
				for o := range 3 {
					y.F[p.row*3+o] += max(sum, 0) * v[o*ldv+r]
				}
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return gradTokenScores(graph{b, n}, dy[0]), b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		k, inner := float64(n.In[0].Type.Shape[1].N), float64(n.In[2].Type.Shape[1].N)
		return ir.Cost{FLOPs: float64(s.G) * (k + inner*(2*k+9))}
	},
	Lower:    lowerTokenScores,
	Launches: tokenLaunches,
	Kernels:  []string{"gemm", "spans"},
	Sample: samples(
		lens(sample(nil, normal(ir.W, ir.N(5)), normal(ir.C, ir.N(5)), normal(ir.W, ir.N(20)), normal(ir.C, ir.N(20)), panelled(20, 5),
			normal(ir.N(3), ir.N(32)),
			wordStarts(), markStarts()), 31, 1, 4),
	),
})

// gradTokenScores appends the gradients of token_scores's operands. It computes the inner layer of all pairs again, as a product of matrices.
func gradTokenScores(g graph, dy *ir.Value) []*ir.Value {
	x, z, a, b, v := g.n.In[0], g.n.In[1], g.n.In[2], g.n.In[3], g.n.In[5]
	inner := attrs("n", a.Type.Shape[1].N)
	over := func(op string, v *ir.Value) *ir.Value { return g.op(op, nil, v, g.n.In[6], g.n.In[7]) }
	w := g.op("unpack_panels", inner, g.n.In[4])
	word, label := over("expand_words", x), over("expand_labels", z)
	products := g.mul(word, label)
	h := g.add(g.op("linear", nil, products, w), g.add(over("expand_words", a), over("expand_labels", b)))
	dv := g.op("matmul", attrs("ta", true), dy, g.op("with_one", nil, g.op("relu", nil, h)))
	dh := g.mul(g.op("first_columns", inner, g.op("matmul", nil, dy, v)), g.op("step", nil, h))
	dproducts := g.op("matmul", nil, dh, w)
	dw := g.op("panels", nil, g.op("matmul", attrs("ta", true), dh, products))
	return []*ir.Value{over("sum_words", g.mul(dproducts, label)), over("sum_labels", g.mul(dproducts, word)), over("sum_words", dh), over("sum_labels", dh),
		dw, dv, nil, nil}
}

// lowerTokenScores returns the portable form for words and labels of one sequence, with the arguments (y, x, z, a, b, w, v, scratch, words, labels, stride). In
// y, the rows of two consecutive words lie stride rows apart. The portable form does not use scratch.
func lowerTokenScores(n *ir.Node) (*loop.Nest, error) {
	var ld [4]int
	var errs []error
	for i := range ld {
		_, l, err := row(n.In[i])
		ld[i], errs = l, append(errs, err)
	}
	_, ldy, err := row(n.Out[0])
	if err := first(append(errs, err)...); err != nil {
		return nil, err
	}
	k, inner, ldv := n.In[0].Type.Shape[1].N, n.In[2].Type.Shape[1].N, n.In[5].Type.Shape[1].N
	b := loop.New(fmt.Sprintf("y = relu(a + b + (x ⊙ z)·w)·v for words and labels, %d products, an inner layer of %d.", k, inner),
		append(loop.Floats("y", "x", "z", "a", "b", "w", "v", "scratch"), loop.Counts("words", "labels", "stride")...)...)
	for o := range 3 {
		b.Slice(fmt.Sprintf("v%d", o), "v", loop.I(o*ldv), loop.I(inner+1))
	}
	each := func(s string, i int) string { return fmt.Sprintf("%s%d", s, i) }
	b.For("i", loop.I(0), loop.V("words"), 1, func(i loop.Expr) {
		b.Slice("xi", "x", loop.Mul(i, loop.I(ld[0])), loop.I(k))
		b.Slice("ai", "a", loop.Mul(i, loop.I(ld[2])), loop.I(inner))
		b.For("c", loop.I(0), loop.V("labels"), 1, func(c loop.Expr) {
			b.Slice("zc", "z", loop.Mul(c, loop.I(ld[1])), loop.I(k))
			b.Slice("bc", "b", loop.Mul(c, loop.I(ld[3])), loop.I(inner))
			b.Slice("yc", "y", loop.Mul(loop.Add(loop.Mul(i, loop.V("stride")), c), loop.I(ldy)), loop.I(3))
			var sums [3]loop.Var
			for o := range sums {
				sums[o] = b.Let(each("sum", o), loop.At(each("v", o), loop.I(inner)))
			}
			b.For("r", loop.I(0), loop.I(inner), 4, func(r loop.Expr) {
				b.Slice("panel", "w", loop.Add(loop.Mul(loop.Div(r, loop.I(16)), loop.I(16*k)), loop.Mod(r, loop.I(16))), loop.I(16*k-12))
				var terms [4]loop.Var
				for q := range terms {
					terms[q] = b.Let(each("s", q), loop.F(0))
				}
				b.For("t", loop.I(0), loop.I(k), 1, func(t loop.Expr) {
					b.Slice("four", "panel", loop.Mul(t, loop.I(16)), loop.I(4))
					v := b.Let("p", loop.Mul(loop.At("xi", t), loop.At("zc", t)))
					for q := range 4 {
						b.AddTo(terms[q], loop.Mul(v, loop.At("four", loop.I(q))))
					}
				})
				for q := range 4 {
					at := loop.Add(r, loop.I(q))
					b.Assign(terms[q], loop.Fn("max", loop.Add(terms[q], loop.At("ai", at), loop.At("bc", at)), loop.F(0)))
					for o := range 3 {
						b.AddTo(sums[o], loop.Mul(terms[q], loop.At(each("v", o), at)))
					}
				}
			})
			for o := range 3 {
				b.Store("yc", loop.I(o), sums[o])
			}
		})
	})
	return b.Nest()
}

// tokenLaunches returns one call per block of words and labels.
func tokenLaunches(n *ir.Node, _ []int32, in []*ir.Array) []ir.Launch {
	var ld [4]int
	for i := range ld {
		_, ld[i], _ = row(n.In[i])
	}
	_, ldy, _ := row(n.Out[0])
	words, marks := in[6].I, in[7].I
	var out []ir.Launch
	pair := 0
	for s := 0; s+1 < len(words); s++ {
		labels := int(marks[s+1] - marks[s])
		for w := int(words[s]); w < int(words[s+1]); w += TokenBlock {
			for c := 0; c < labels; c += TokenBlock {
				l := int(marks[s]) + c
				out = append(out, ir.Launch{Memory: map[string]ir.Place{
					"y": {Operand: ir.Result, At: (pair + (w-int(words[s]))*labels + c) * ldy},
					"x": {Operand: 0, At: w * ld[0]}, "z": {Operand: 1, At: l * ld[1]}, "a": {Operand: 2, At: w * ld[2]}, "b": {Operand: 3, At: l * ld[3]},
					"w": {Operand: 4}, "v": {Operand: 5}, "scratch": {Operand: ir.Scratch, At: TokenScratch(ld[0], ld[2])},
				}, Counts: map[string]int{"words": min(TokenBlock, int(words[s+1])-w), "labels": min(TokenBlock, labels-c), "stride": labels}})
			}
		}
		pair += (int(words[s+1]) - int(words[s])) * labels
	}
	return out
}
