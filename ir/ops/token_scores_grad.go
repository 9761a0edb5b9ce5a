package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "token_scores_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands x, z, a, b, w and v of token_scores. It computes the inner layer again: [G, 3], [W, K], [C, K], [W, N], [C, N], " +
		"[⌈N/16⌉, K, 16], [3, (N+1)16] → the types of the last six.",
	In: []ir.Operand{float("dy", "[G, 3]"), float("x", "[W, K]"), float("z", "[C, K]"), float("a", "[W, N]"), float("b", "[C, N]"),
		float("w", "[⌈N/16⌉, K, 16], see panels"), float("v", "[3, (N+1)16], see pad"), wordStartsIn, markStartsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, k, err := matrix(n, 1)
		_, inner, err2 := matrix(n, 3)
		if err := first(err, err2); err != nil {
			return nil, err
		}
		var types []ir.Type
		for _, v := range n.In[1:7] {
			types = append(types, v.Type)
		}
		return types, first(shaped(n, 0, ir.G, ir.N(TokenColumns)), shaped(n, 1, ir.W, ir.N(k)), shaped(n, 2, ir.C, ir.N(k)), shaped(n, 3, ir.W, ir.N(inner)),
			shaped(n, 4, ir.C, ir.N(inner)), shaped(n, 5, ir.N(round16(inner)/16), ir.N(k), ir.N(16)), shaped(n, 6, ir.N(3), ir.N(round16(inner+1))),
			shaped(n, 7, ir.Bound), shaped(n, 8, ir.Bound))
	},
	Ref:     refTokenScoresGrad,
	NoGrad:  onlyFirst,
	NoLower: forTraining,
	Sample: samples(lens(sample(nil, normal(ir.G, ir.N(3)), normal(ir.W, ir.N(5)), normal(ir.C, ir.N(5)), normal(ir.W, ir.N(20)), normal(ir.C, ir.N(20)),
		panelled(20, 5), normal(ir.N(3), ir.N(32)), wordStarts(), markStarts()), 31, 1, 4)),
})

// refTokenScoresGrad computes token_scores_grad.
func refTokenScoresGrad(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
	var src, dst [7][]float64
	var out []*ir.Array
	for i := range src {
		if src[i] = in[i].Floats(); i > 0 {
			out = append(out, ir.NewArray(in[i].Shape...))
			dst[i] = out[i-1].F
		}
	}
	const x, z, a, b, w, v = 1, 2, 3, 4, 5, 6
	k, inner, ldv := in[x].Shape[1], in[a].Shape[1], in[v].Shape[1]
	list, _, err := wordPairs(in[7], in[8], in[x].Shape[0], in[z].Shape[0])
	for _, p := range list {
		dy := src[0][p.row*3:][:3]
		for o, g := range dy {
			dst[v][o*ldv+inner] += g
		}
		for r := range inner {
			panel := r/16*16*k + r%16
			h := src[a][p.word*inner+r] + src[b][p.label*inner+r]
			for j := range k {
				h += src[x][p.word*k+j] * src[z][p.label*k+j] * src[w][panel+j*16]
			}
			if h <= 0 {
				continue
			}
			dh := 0.0
			for o, g := range dy {
				dst[v][o*ldv+r] += g * h
				dh += g * src[v][o*ldv+r]
			}
			dst[a][p.word*inner+r] += dh
			dst[b][p.label*inner+r] += dh
			for j := range k {
				xj, zj, wj := src[x][p.word*k+j], src[z][p.label*k+j], src[w][panel+j*16]
				dst[x][p.word*k+j] += dh * zj * wj
				dst[z][p.label*k+j] += dh * xj * wj
				dst[w][panel+j*16] += dh * xj * zj
			}
		}
	}
	return out, err
}
