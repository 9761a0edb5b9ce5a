package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "conv_weight", Class: ir.Layout,
	Doc: "The kernel of a convolution over tokens as the matrix that multiplies windows: [N, N/groups, taps] → [N, taps·N], zeros between channels of " +
		"different groups.",
	In:    []ir.Operand{float("w", "[N, N/groups, taps]")},
	Attrs: []ir.AttrDef{{Name: "groups", Type: ir.AttrInt, Required: true, Doc: "channels in → channels out that do not mix"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, g := n.In[0].Type.Shape, n.Int("groups")
		if len(s) != 3 || !s[0].Const() || g < 1 || s[0].N%g != 0 || s[1] != ir.N(s[0].N/g) || !s[2].Const() {
			return nil, fmt.Errorf("w is %s, no kernel of %d groups", n.In[0].Type, g)
		}
		return []ir.Type{f32(s[0], ir.N(s[2].N*s[0].N))}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		out, each, taps := in[0].Shape[0], in[0].Shape[1], in[0].Shape[2]
		w := in[0].Floats()
		y := ir.NewArray(out, taps*out)
		for i, v := range w {
			o, c, t := i/(each*taps), i/taps%each, i%taps
			group := o / (out / n.Int("groups"))
			y.F[o*taps*out+t*out+group*each+c] = v
		}
		return []*ir.Array{y}, nil
	},
	NoGrad:  atPackingGrad,
	NoLower: atPacking,
	Sample: samples(sample(attrs("groups", 1), normal(ir.N(4), ir.N(4), ir.N(3))),
		sample(attrs("groups", 2), normal(ir.N(6), ir.N(3), ir.N(5)))),
})
