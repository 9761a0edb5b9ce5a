package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "head_part", Class: ir.Layout,
	Doc: "One part of a weight in which each head's rows of all parts lie together, as in DeBERTa's first in_proj: rows (a·parts + part)·D … of each " +
		"head a, [A·parts·D, …] → [A·D, …].",
	In:    []ir.Operand{whole(float("x", "[A·parts·D, …]"))},
	Attrs: partAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, a, p := n.In[0].Type.Shape, n.Int("heads"), n.Int("parts")
		if len(s) == 0 || !s[0].Const() || a < 1 || p < 1 || s[0].N%(a*p) != 0 || n.Int("part") < 0 || n.Int("part") >= p {
			return nil, fmt.Errorf("x is %s: part %d of %d for %d heads", n.In[0].Type, n.Int("part"), p, a)
		}
		return []ir.Type{{Shape: append(ir.Shape{ir.N(s[0].N / p)}, s[1:]...)}}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		parts, width := n.Int("parts"), widthOf(in[0])
		d := in[0].Shape[0] / n.Int("heads") / parts
		shape := append([]int{in[0].Shape[0] / parts}, in[0].Shape[1:]...)
		return []*ir.Array{in[0].Rearrange(shape, func(i int) int {
			r := i / width
			return ((r/d*parts+n.Int("part"))*d+r%d)*width + i%width
		})}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "head_join", n.Attrs, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		parts := n.Int("parts")
		d := loop.I(n.In[0].Type.Shape[0].N / n.Int("heads") / parts)
		return moveRows(n, "y = the rows of one part of each head, m rows from number at on.", func(r loop.Expr) (from, ok loop.Expr) {
			part := loop.Add(loop.Mul(loop.Div(r, d), loop.I(parts)), loop.I(n.Int("part")))
			return loop.Add(loop.Mul(part, d), loop.Mod(r, d)), nil
		})
	},
	Sample: samples(sample(attrs("heads", 2, "parts", 3, "part", 1), normal(ir.N(18), ir.N(2))),
		sample(attrs("heads", 3, "parts", 2, "part", 0), normal(ir.N(12)))),
})

// partAttrs are the attributes of head_part and head_join.
func partAttrs() []ir.AttrDef {
	return []ir.AttrDef{headsAttr,
		{Name: "parts", Type: ir.AttrInt, Required: true, Doc: "parts of each head"},
		{Name: "part", Type: ir.AttrInt, Required: true, Doc: "the part, from 0"}}
}

// widthOf returns the number of elements of each row.
func widthOf(x *ir.Array) int {
	width := 1
	for _, d := range x.Shape[1:] {
		width *= d
	}
	return width
}

var _ = ir.Define(ir.Op{
	Name: "head_join", Class: ir.Layout,
	Doc: "The gradient of head_part: the rows of one part in their places, and zeros in the rows of the other parts, [A·D, …] → [A·parts·D, …].",
	In:  []ir.Operand{whole(float("x", "[A·D, …]"))}, Attrs: partAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, a, p := n.In[0].Type.Shape, n.Int("heads"), n.Int("parts")
		if len(s) == 0 || !s[0].Const() || a < 1 || p < 1 || s[0].N%a != 0 || n.Int("part") < 0 || n.Int("part") >= p {
			return nil, fmt.Errorf("x is %s: part %d of %d for %d heads", n.In[0].Type, n.Int("part"), p, a)
		}
		return []ir.Type{{Shape: append(ir.Shape{ir.N(s[0].N * p)}, s[1:]...)}}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		parts, width := n.Int("parts"), widthOf(in[0])
		d := in[0].Shape[0] / n.Int("heads")
		shape := append([]int{in[0].Shape[0] * parts}, in[0].Shape[1:]...)
		return []*ir.Array{in[0].Rearrange(shape, func(i int) int {
			r := i / width
			if r/d%parts != n.Int("part") {
				return -1
			}
			return (r/d/parts*d+r%d)*width + i%width
		})}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "head_part", n.Attrs, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		parts := loop.I(n.Int("parts"))
		d := loop.I(n.In[0].Type.Shape[0].N / n.Int("heads"))
		return moveRows(n, "y = the rows of one part of each head in their places, m rows from number at on.", func(r loop.Expr) (from, ok loop.Expr) {
			part := loop.Div(r, d)
			return loop.Add(loop.Mul(loop.Div(part, parts), d), loop.Mod(r, d)), loop.Bin{Op: "==", X: loop.Mod(part, parts), Y: loop.I(n.Int("part"))}
		})
	},
	Sample: samples(sample(attrs("heads", 2, "parts", 3, "part", 1), normal(ir.N(6), ir.N(2))),
		sample(attrs("heads", 3, "parts", 2, "part", 0), normal(ir.N(6)))),
})
