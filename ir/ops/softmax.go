package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "softmax", Class: ir.Pairs,
	Doc: "p[a, ij] = exp(s[a, ij]) / Σ_j exp(s[a, ij]) over the keys j of i's sequence that query i may see (see mask), " +
		"and 0 for the others, [A, P] → [A, P].",
	In:    []ir.Operand{float("s", "[A, P]"), startsIn, prefixIn},
	Attrs: []ir.AttrDef{maskAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, err := pairShape(n, 0)
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, ir.Bound), maskShape(n, 2))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[1], int(in[1].I[len(in[1].I)-1]))
		if err != nil {
			return nil, err
		}
		p := &ir.Array{Shape: in[0].Shape, F: append([]float64(nil), in[0].Floats()...)}
		for h := 0; h < in[0].Shape[0]; h++ {
			for s, b := range list {
				for i := 0; i < b.n; i++ {
					row, seen := p.F[h*p.Shape[1]+b.pair+i*b.n:][:b.n], seenKeys(n, data(in, 2), s, i, b.n)
					softmaxRow(row[:seen])
					clear(row[seen:])
				}
			}
		}
		return []*ir.Array{p}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g, p := graph{b, n}, n.Out[0] // p·(dy - Σ_j dy·p)
		mean := g.op("pair_spread", nil, g.op("pair_sum", nil, g.mul(dy[0], p), n.In[1]), n.In[1])
		return []*ir.Value{g.mul(p, g.sub(dy[0], mean)), nil, nil}[:len(n.In)], b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 14 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	NoLower: fusedFirst,
	Sample: samples(
		sample(nil, normal(ir.N(2), ir.P), starts()),
		sample(attrs("mask", "causal"), normal(ir.N(2), ir.P), starts()),
		sample(attrs("mask", "prefix"), normal(ir.N(2), ir.P), starts(), prefixes()),
	),
})

// softmaxRow replaces scores with probabilities.
func softmaxRow(s []float64) {
	top, sum := math.Inf(-1), 0.0
	for _, v := range s {
		top = max(top, v)
	}
	for j, v := range s {
		s[j] = math.Exp(v - top)
		sum += s[j]
	}
	for j := range s {
		s[j] /= sum
	}
}
