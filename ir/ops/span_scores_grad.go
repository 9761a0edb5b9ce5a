package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "span_scores_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands a, b and u of span_scores. It computes the inner layer again: [G, K], [W, I], [W, I], [C, I+1] → [W, I], [W, I], " +
		"[C, I+1].",
	In: []ir.Operand{float("dy", "[G, K]"), float("a", "[W, I]"), float("b", "[W, I]"), float("u", "[C, I+1]"), wordStartsIn, markStartsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, i, err := matrix(n, 1)
		_, k, err2 := matrix(n, 0)
		return []ir.Type{n.In[1].Type, n.In[2].Type, n.In[3].Type}, first(err, err2, shaped(n, 0, ir.G, ir.N(k)), shaped(n, 1, ir.W, ir.N(i)),
			shaped(n, 2, ir.W, ir.N(i)), shaped(n, 3, ir.C, ir.N(i+1)), shaped(n, 4, ir.Bound), shaped(n, 5, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		i, k := in[1].Shape[1], in[0].Shape[1]
		dy, a, b, u := in[0].Floats(), in[1].Floats(), in[2].Floats(), in[3].Floats()
		da, db, du := ir.NewArray(in[1].Shape...), ir.NewArray(in[2].Shape...), ir.NewArray(in[3].Shape...)
		list, _, err := wordPairs(in[4], in[5], in[1].Shape[0], in[3].Shape[0])
		for _, p := range list {
			for at := range min(k, p.end-p.word) {
				g := dy[p.row*k+at]
				du.F[p.label*(i+1)+i] += g
				for j := range i {
					from, to, label := p.word*i+j, (p.word+at)*i+j, p.label*(i+1)+j
					if h := a[from] + b[to]; h > 0 {
						du.F[label] += g * h
						da.F[from] += g * u[label]
						db.F[to] += g * u[label]
					}
				}
			}
		}
		return []*ir.Array{da, db, du}, err
	},
	NoGrad:  onlyFirst,
	NoLower: forTraining,
	Sample: samples(lens(sample(nil, normal(ir.G, ir.N(3)), normal(ir.W, ir.N(5)), normal(ir.W, ir.N(5)), normal(ir.C, ir.N(6)), wordStarts(),
		markStarts()), 9, 1, 4)),
})
