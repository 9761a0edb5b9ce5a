package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "collect_bias", Class: ir.Reduction,
	Doc:   "The gradient of score_bias: t[a, r] = Σ s[a, ij] over the pairs whose row is r, [A, P] → [A, rows].",
	In:    []ir.Operand{float("s", "[A, P]"), indexIn, startsIn, posIn},
	Attrs: []ir.AttrDef{flipAttr, {Name: "rows", Type: ir.AttrInt, Required: true, Doc: "R, rows of the result"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		a, err := pairShape(n, 0)
		if n.Int("rows") < 1 {
			return nil, fmt.Errorf("a result of %d rows", n.Int("rows"))
		}
		return []ir.Type{f32(ir.N(a), ir.N(n.Int("rows")))}, first(err, lookupShape(n, 1))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[2], in[3].Shape[0])
		if err != nil {
			return nil, err
		}
		a, rows, s := in[0].Shape[0], n.Int("rows"), in[0].Floats()
		t := ir.NewArray(a, rows)
		err = lookupOf(n, in, 1, rows).each(list, func(_, _, p, r int) {
			for h := 0; h < a; h++ {
				t.F[h*rows+r] += s[h*in[0].Shape[1]+p]
			}
		})
		return []*ir.Array{t}, err
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "score_bias", attrs("flip", n.Flag("flip")), dy[0], n.In[1], n.In[2], n.In[3]), nil, nil, nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))}
	},
	NoLower: fusedGrad,
	Sample: samples(
		sample(attrs("rows", 7), normal(ir.N(2), ir.P), index(7), starts(), positions()),
		sample(attrs("rows", 7, "flip", true), normal(ir.N(2), ir.P), index(7), starts(), positions()),
	),
})
