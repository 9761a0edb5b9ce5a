package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// groupsAttr is the number of groups of a convolution.
var groupsAttr = ir.AttrDef{Name: "groups", Type: ir.AttrInt, Required: true, Doc: "channels in → channels out that do not mix"}

// tapAt returns the place of element i of a kernel [N, N/groups, taps] in the matrix [N, taps·N] that multiplies windows.
func tapAt(i, n, taps, groups int) int {
	each := n / groups
	o, c, t := i/(each*taps), i/taps%each, i%taps
	return o*taps*n + t*n + o/each*each + c
}

var _ = ir.Define(ir.Op{
	Name: "conv_weight", Class: ir.Layout,
	Doc: "The kernel of a convolution over tokens as the matrix that multiplies windows: [N, N/groups, taps] → [N, taps·N], zeros between channels of " +
		"different groups.",
	In:    []ir.Operand{float("w", "[N, N/groups, taps]")},
	Attrs: []ir.AttrDef{groupsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, g := n.In[0].Type.Shape, n.Int("groups")
		if len(s) != 3 || !s[0].Const() || g < 1 || s[0].N%g != 0 || s[1] != ir.N(s[0].N/g) || !s[2].Const() {
			return nil, fmt.Errorf("w is %s, no kernel of %d groups", n.In[0].Type, g)
		}
		return []ir.Type{f32(s[0], ir.N(s[2].N*s[0].N))}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		out, taps := in[0].Shape[0], in[0].Shape[2]
		y := ir.NewArray(out, taps*out)
		for i, v := range in[0].Floats() {
			y.F[tapAt(i, out, taps, n.Int("groups"))] = v
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "conv_kernel", attrs("groups", n.Int("groups"), "taps", n.In[0].Type.Shape[2].N), dy[0])}, b.Err()
	},
	NoLower: atPacking,
	Sample: samples(sample(attrs("groups", 1), normal(ir.N(4), ir.N(4), ir.N(3))),
		sample(attrs("groups", 2), normal(ir.N(6), ir.N(3), ir.N(5)))),
})

var _ = ir.Define(ir.Op{
	Name: "conv_kernel", Class: ir.Layout,
	Doc: "The gradient of conv_weight: the numbers of the matrix that come from the kernel of the convolution, [N, taps·N] → [N, N/groups, taps].",
	In:  []ir.Operand{float("x", "[N, taps·N]")},
	Attrs: []ir.AttrDef{groupsAttr,
		{Name: "taps", Type: ir.AttrInt, Required: true, Doc: "rows of a window"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		out, cols, err := fixed(n, 0)
		g, taps := n.Int("groups"), n.Int("taps")
		if err == nil && (g < 1 || taps < 1 || out%g != 0 || cols != taps*out) {
			err = fmt.Errorf("x is %s, not the matrix of %d taps and %d groups", n.In[0].Type, taps, g)
		}
		if err != nil {
			return nil, err
		}
		return []ir.Type{f32(ir.N(out), ir.N(out/g), ir.N(taps))}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		out, g, taps := in[0].Shape[0], n.Int("groups"), n.Int("taps")
		return []*ir.Array{in[0].Rearrange([]int{out, out / g, taps}, func(i int) int { return tapAt(i, out, taps, g) })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "conv_weight", attrs("groups", n.Int("groups")), dy[0])}, b.Err()
	},
	NoLower: forTraining,
	Sample: samples(sample(attrs("groups", 1, "taps", 3), normal(ir.N(4), ir.N(12))),
		sample(attrs("groups", 2, "taps", 5), normal(ir.N(6), ir.N(30)))),
})
