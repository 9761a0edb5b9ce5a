package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/dropout"
)

var _ = ir.Define(ir.Op{
	Name: "drop_pairs", Class: ir.Pairs,
	Doc: "Dropout of the probabilities of an attention: each number is 0 with the probability rate, and otherwise divided by 1 - rate, [A, P] → [A, P]. The " +
		"decision depends on the query's row in the batch, the head, and the key's row in the sequence, see attention.Drop.",
	In:    []ir.Operand{float("p", "[A, P]"), {Name: "key", DType: ir.I32, Doc: "[2] the key of the site"}, startsIn},
	Attrs: []ir.AttrDef{{Name: "rate", Type: ir.AttrFloat, Required: true, Doc: "from 0 to less than 1"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, err := pairShape(n, 0)
		if rate := n.Float("rate"); rate < 0 || rate >= 1 {
			err = fmt.Errorf("a rate of %g, not in [0, 1)", rate)
		}
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, ir.N(2)), shaped(n, 2, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		starts := in[2].I
		list, err := filled(in[2], int(starts[len(starts)-1]))
		if err != nil {
			return nil, err
		}
		return []*ir.Array{dropped(in[0], in[1], list, n.Float("rate"))}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "drop_pairs", n.Attrs, dy[0], n.In[1], n.In[2]), nil, nil}, b.Err()
	},
	NoLower: fusedFirst,
	Sample:  samples(sample(attrs("rate", 0.25), normal(ir.N(3), ir.P), below(100, ir.N(2)), starts())),
})

// dropped returns the numbers of pairs [A, P], of which some are dropped.
func dropped(p, key *ir.Array, list []block, rate float64) *ir.Array {
	heads, pairs, x := p.Shape[0], p.Shape[1], p.Floats()
	y, k := ir.NewArray(p.Shape...), dropout.Key{uint32(key.I[0]), uint32(key.I[1])}
	for h := range heads {
		for _, b := range list {
			for i := range b.n {
				row := dropout.Row(k, (b.row+i)*heads+h)
				for j := range b.n {
					at := h*pairs + b.pair + i*b.n + j
					if dropout.Number(row, j) >= dropout.Limit(rate) {
						y.F[at] = x[at] / (1 - rate)
					}
				}
			}
		}
	}
	return y
}
