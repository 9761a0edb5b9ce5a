package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
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
	In:    []ir.Operand{whole(float("w", "[N, N/groups, taps]"))},
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
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the kernels of m output channels, from number at on, as rows that multiply windows.", "w m at", func(b *nest) {
			out, each, taps := n.Out[0].Type.Shape[0].N, n.In[0].Type.Shape[1].N, n.In[0].Type.Shape[2].N
			b.taps(each, func(o, c, t loop.Expr) {
				b.Store("yi", loop.Add(loop.Mul(t, loop.I(out)), loop.Mul(loop.Div(o, loop.I(each)), loop.I(each)), c),
					loop.At("wi", loop.Add(loop.Mul(c, loop.I(taps)), t)))
			}, "w", taps)
		})
	},
	Sample: samples(sample(attrs("groups", 1), normal(ir.N(4), ir.N(4), ir.N(3))),
		sample(attrs("groups", 2), normal(ir.N(6), ir.N(3), ir.N(5)))),
})

var _ = ir.Define(ir.Op{
	Name: "conv_kernel", Class: ir.Layout,
	Doc: "The gradient of conv_weight: the numbers of the matrix that come from the kernel of the convolution, [N, taps·N] → [N, N/groups, taps].",
	In:  []ir.Operand{whole(float("x", "[N, taps·N]"))},
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
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the kernels of m output channels, from number at on, out of the rows that multiply windows.", "x m at", func(b *nest) {
			out, each, taps := n.In[0].Type.Shape[0].N, n.Out[0].Type.Shape[1].N, n.Int("taps")
			b.taps(each, func(o, c, t loop.Expr) {
				b.Store("yi", loop.Add(loop.Mul(c, loop.I(taps)), t),
					loop.At("xi", loop.Add(loop.Mul(t, loop.I(out)), loop.Mul(loop.Div(o, loop.I(each)), loop.I(each)), c)))
			}, "x", taps)
		})
	},
	Sample: samples(sample(attrs("groups", 1, "taps", 3), normal(ir.N(4), ir.N(12))),
		sample(attrs("groups", 2, "taps", 5), normal(ir.N(6), ir.N(30)))),
})

// taps writes loops over the m output channels, the channels of a group and the taps. The windows of an output channel are yi, which is cleared, and that of
// the operand, whose name ends in i.
func (b *nest) taps(each int, move func(o, c, t loop.Expr), operand string, taps int) {
	b.rows(func(i loop.Expr) {
		o := b.Let("o", loop.Add(loop.V("at"), i))
		b.row(operand+"i", operand, o)
		b.row("yi", "y", i)
		b.clear("yi", b.cols["y"])
		b.each("c", loop.I(each), func(c loop.Expr) {
			b.each("t", loop.I(taps), func(t loop.Expr) { move(o, c, t) })
		})
	})
}
