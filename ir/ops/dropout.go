package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/dropout"
)

var _ = ir.Define(ir.Op{
	Name: "dropout", Class: ir.Rowwise,
	Doc: "Each element is 0 with the probability rate, and otherwise divided by 1 - rate (Srivastava et al. 2014), [., N] → [., N]. The element's place " +
		"decides, see package runtime/dropout.",
	In:    []ir.Operand{float("x", "[., N]"), {Name: "key", DType: ir.I32, Whole: true, Doc: "[2] the key of the site"}},
	Attrs: []ir.AttrDef{{Name: "rate", Type: ir.AttrFloat, Required: true, Doc: "from 0 to less than 1"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, _, err := matrix(n, 0)
		if rate := n.Float("rate"); rate < 0 || rate >= 1 {
			err = fmt.Errorf("a rate of %g, not in [0, 1)", rate)
		}
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, ir.N(2)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		cols, x, rate := in[0].Shape[1], in[0].Floats(), n.Float("rate")
		y := ir.NewArray(in[0].Shape...)
		key := dropout.Key{uint32(in[1].I[0]), uint32(in[1].I[1])}
		for i, v := range x {
			if dropout.Number(dropout.Row(key, i/cols), i%cols) >= dropout.Limit(rate) {
				y.F[i] = v / (1 - rate)
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "dropout", n.Attrs, dy[0], n.In[1]), nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 8 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Cheap:   true,
	NoLower: "package runtime/dropout computes it",
	Sample: samples(
		sample(attrs("rate", 0.25), normal(ir.T, ir.N(19)), below(100, ir.N(2))),
		sample(attrs("rate", 0.5), normal(ir.N(4), ir.N(16)), below(100, ir.N(2))),
	),
})
