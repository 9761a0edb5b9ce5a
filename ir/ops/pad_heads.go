package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// The attributes of pad_heads and its gradient.
var (
	axisAttr = ir.AttrDef{Name: "axis", Type: ir.AttrInt, Doc: "the axis of the heads, 0 or 1"}
	atAttr   = ir.AttrDef{Name: "at", Type: ir.AttrInt, Doc: "zeros before the data of a head"}
)

// after returns the number of elements after an axis of a vector or matrix.
func after(shape []int, axis int) int {
	if axis == 0 && len(shape) == 2 {
		return shape[1]
	}
	return 1
}

var _ = ir.Define(ir.Op{
	Name: "pad_heads", Class: ir.Layout,
	Doc: "Each head padded with zeros from D to DP along an axis; its data begins at place at. Axis 0: [A·D] → [A·DP], " +
		"[A·D, K] → [A·DP, K]; axis 1: [N, A·D] → [N, A·DP].",
	In: []ir.Operand{whole(float("x", "a vector or matrix whose extent at the axis is A·D"))},
	Attrs: []ir.AttrDef{headsAttr,
		{Name: "dp", Type: ir.AttrInt, Required: true, Doc: "DP, the head size after padding"},
		axisAttr, atAttr,
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s := append(ir.Shape(nil), n.In[0].Type.Shape...)
		axis := n.Int("axis")
		if len(s) < 1 || len(s) > 2 || axis < 0 || axis >= len(s) || !s[axis].Const() {
			return nil, fmt.Errorf("x is %s, which has no fixed axis %d", n.In[0].Type, axis)
		}
		a, err := heads(n, s[axis].N)
		if err != nil {
			return nil, err
		}
		if n.Int("at") < 0 || n.Int("dp") < n.Int("at")+s[axis].N/a {
			return nil, fmt.Errorf("heads of %d that begin at %d do not fit into %d", s[axis].N/a, n.Int("at"), n.Int("dp"))
		}
		s[axis].N = a * n.Int("dp")
		return []ir.Type{{Shape: s}}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		axis, a, dp := n.Int("axis"), n.Int("heads"), n.Int("dp")
		shape := append([]int(nil), in[0].Shape...)
		d := shape[axis] / a
		shape[axis] = a * dp
		inner := after(shape, axis)
		return []*ir.Array{in[0].Rearrange(shape, func(i int) int {
			outer, at, rest := i/(inner*a*dp), i/inner%(a*dp), i%inner
			col := at%dp - n.Int("at")
			if col < 0 || col >= d {
				return -1
			}
			return (outer*a*d+at/dp*d+col)*inner + rest
		})}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		a, axis := n.Int("heads"), n.Int("axis")
		back := attrs("at", n.Int("at"), "axis", axis, "d", n.In[0].Type.Shape[axis].N/a, "heads", a)
		return []*ir.Value{b.Like(n, "unpad_heads", back, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		axis, dp, at := n.Int("axis"), n.Int("dp"), n.Int("at")
		d := n.In[0].Type.Shape[axis].N / n.Int("heads")
		const doc = "y = heads with zeros around their data, m rows from number at on."
		if axis == 0 {
			return moveRows(n, doc, func(r loop.Expr) (from, ok loop.Expr) {
				c := loop.Sub(loop.Mod(r, loop.I(dp)), loop.I(at))
				return loop.Add(loop.Mul(loop.Div(r, loop.I(dp)), loop.I(d)), c), within(c, loop.I(d))
			})
		}
		return headColumns(n, doc, func(b *nest, h, c loop.Expr) {
			b.Store("yi", loop.Add(loop.Mul(h, loop.I(dp)), c, loop.I(at)), loop.At("xi", loop.Add(loop.Mul(h, loop.I(d)), c)))
		}, d)
	},
	Sample: samples(
		sample(attrs("heads", 3, "dp", 4), normal(ir.N(6), ir.N(5))),
		sample(attrs("heads", 3, "dp", 4), normal(ir.N(6))),
		sample(attrs("heads", 3, "dp", 16, "at", 2), normal(ir.N(6), ir.N(5))),
		sample(attrs("heads", 3, "dp", 16, "axis", 1), normal(ir.N(5), ir.N(6))),
	),
})

// headColumns returns a nest that moves d columns of each head from row at+i of x to row i of y, whose other columns become zeros.
func headColumns(n *ir.Node, doc string, move func(b *nest, h, c loop.Expr), d int) (*loop.Nest, error) {
	return portable(n, doc, "x m at", func(b *nest) {
		b.rows(func(i loop.Expr) {
			b.row("xi", "x", loop.Add(loop.V("at"), i))
			b.row("yi", "y", i)
			if b.cols["y"] > n.Int("heads")*d {
				b.clear("yi", b.cols["y"])
			}
			b.each("h", loop.I(n.Int("heads")), func(h loop.Expr) {
				b.each("c", loop.I(d), func(c loop.Expr) { move(b, h, c) })
			})
		})
	})
}
