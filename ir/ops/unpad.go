package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "unpack_panels", Class: ir.Layout,
	Doc:   "The gradient of panels: row 16p+c of the result is column c of panel p, [⌈N/16⌉, K, 16] → [N, K].",
	In:    []ir.Operand{whole(float("x", "[⌈N/16⌉, K, 16]"))},
	Attrs: []ir.AttrDef{{Name: "n", Type: ir.AttrInt, Required: true, Doc: "N, rows of the result"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, rows := n.In[0].Type.Shape, n.Int("n")
		if len(s) != 3 || rows < 1 || s[0] != ir.N(round16(rows)/16) || !s[1].Const() || s[2] != ir.N(16) {
			return nil, fmt.Errorf("x is %s, not the panels of %d rows", n.In[0].Type, rows)
		}
		return []ir.Type{f32(ir.N(rows), s[1])}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		k := in[0].Shape[1]
		return []*ir.Array{in[0].Rearrange([]int{n.Int("n"), k}, func(i int) int { return i/k/16*16*k + i%k*16 + i/k%16 })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "panels", nil, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = rows of panels, m rows from number at on.", "x m at", func(b *nest) {
			k := b.cols["y"]
			b.rows(func(i loop.Expr) {
				r := b.Let("r", loop.Add(loop.V("at"), i))
				b.row("panel", "x", loop.Div(r, loop.I(16)))
				b.row("yi", "y", i)
				b.set("yi", k, func(j loop.Expr) loop.Expr {
					return loop.At("panel", loop.Add(loop.Mul(j, loop.I(16)), loop.Mod(r, loop.I(16))))
				})
			})
		})
	},
	Sample: samples(sample(attrs("n", 19), normal(ir.N(2), ir.N(5), ir.N(16)))),
})

var _ = ir.Define(ir.Op{
	Name: "unpad", Class: ir.Layout,
	Doc:   "The gradient of pad: the first n columns of each row, [N16] → [n], [M, N16] → [M, n].",
	In:    []ir.Operand{whole(float("x", "[N16] or [M, N16]"))},
	Attrs: []ir.AttrDef{{Name: "n", Type: ir.AttrInt, Required: true, Doc: "columns of the result"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s := append(ir.Shape(nil), n.In[0].Type.Shape...)
		if len(s) < 1 || len(s) > 2 || n.Int("n") < 1 || s[len(s)-1] != ir.N(round16(n.Int("n"))) {
			return nil, fmt.Errorf("x is %s, not rows of %d numbers that pad has padded", n.In[0].Type, n.Int("n"))
		}
		s[len(s)-1] = ir.N(n.Int("n"))
		return []ir.Type{{Shape: s}}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		shape := append([]int(nil), in[0].Shape...)
		last := len(shape) - 1
		padded, w := shape[last], n.Int("n")
		shape[last] = w
		return []*ir.Array{in[0].Rearrange(shape, func(i int) int { return i/w*padded + i%w })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pad", nil, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return moveRows(n, "y = the first columns of the rows of x, m rows.", func(r loop.Expr) (from, ok loop.Expr) { return r, nil })
	},
	Sample: samples(sample(attrs("n", 5), normal(ir.N(16))), sample(attrs("n", 17), normal(ir.N(3), ir.N(32)))),
})

var _ = ir.Define(ir.Op{
	Name: "unpad_heads", Class: ir.Layout,
	Doc: "The gradient of pad_heads: D numbers of each head of DP, from place at on. Axis 0: [A·DP] → [A·D], [A·DP, K] → [A·D, K]; axis 1: " +
		"[N, A·DP] → [N, A·D].",
	In: []ir.Operand{whole(float("x", "a vector or matrix whose extent at the axis is A·DP"))},
	Attrs: []ir.AttrDef{headsAttr,
		{Name: "d", Type: ir.AttrInt, Required: true, Doc: "D, the head size of the result"},
		axisAttr, atAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s := append(ir.Shape(nil), n.In[0].Type.Shape...)
		axis, d := n.Int("axis"), n.Int("d")
		if len(s) < 1 || len(s) > 2 || axis < 0 || axis >= len(s) || !s[axis].Const() {
			return nil, fmt.Errorf("x is %s, which has no fixed axis %d", n.In[0].Type, axis)
		}
		a, err := heads(n, s[axis].N)
		if err == nil && (d < 1 || n.Int("at") < 0 || n.Int("at")+d > s[axis].N/a) {
			err = fmt.Errorf("heads of %d have no %d numbers from %d on", s[axis].N/a, d, n.Int("at"))
		}
		if err != nil {
			return nil, err
		}
		s[axis] = ir.N(a * d)
		return []ir.Type{{Shape: s}}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		axis, a, d := n.Int("axis"), n.Int("heads"), n.Int("d")
		shape := append([]int(nil), in[0].Shape...)
		dp := shape[axis] / a
		shape[axis] = a * d
		inner := after(shape, axis)
		return []*ir.Array{in[0].Rearrange(shape, func(i int) int {
			outer, at, rest := i/(inner*a*d), i/inner%(a*d), i%inner
			return (outer*a*dp+at/d*dp+at%d+n.Int("at"))*inner + rest
		})}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		a, axis := n.Int("heads"), n.Int("axis")
		forth := attrs("at", n.Int("at"), "axis", axis, "dp", n.In[0].Type.Shape[axis].N/a, "heads", a)
		return []*ir.Value{b.Like(n, "pad_heads", forth, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		axis, d, at := n.Int("axis"), n.Int("d"), n.Int("at")
		dp := n.In[0].Type.Shape[axis].N / n.Int("heads")
		const doc = "y = the data of padded heads, m rows from number at on."
		if axis == 0 {
			return moveRows(n, doc, func(r loop.Expr) (from, ok loop.Expr) {
				return loop.Add(loop.Mul(loop.Div(r, loop.I(d)), loop.I(dp)), loop.Mod(r, loop.I(d)), loop.I(at)), nil
			})
		}
		return headColumns(n, doc, func(b *nest, h, c loop.Expr) {
			b.Store("yi", loop.Add(loop.Mul(h, loop.I(d)), c), loop.At("xi", loop.Add(loop.Mul(h, loop.I(dp)), c, loop.I(at))))
		}, d)
	},
	Sample: samples(sample(attrs("d", 2, "heads", 3), normal(ir.N(12), ir.N(5))), sample(attrs("d", 2, "heads", 3), normal(ir.N(12))),
		sample(attrs("at", 1, "axis", 1, "d", 2, "heads", 3), normal(ir.N(5), ir.N(12)))),
})
