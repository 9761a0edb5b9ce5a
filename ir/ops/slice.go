package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "slice", Class: ir.Layout,
	Doc: "The count rows that begin at row from: [M, …] → [count, …].",
	In:  []ir.Operand{whole(float("x", "[M, …]"))},
	Attrs: []ir.AttrDef{
		{Name: "from", Type: ir.AttrInt, Required: true, Doc: "the first row"},
		{Name: "count", Type: ir.AttrInt, Required: true, Doc: "how many rows"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s := n.In[0].Type.Shape
		from, count := n.Int("from"), n.Int("count")
		if len(s) == 0 || !s[0].Const() || from < 0 || count < 1 || from+count > s[0].N {
			return nil, fmt.Errorf("rows %d … %d of %s", from, from+count-1, n.In[0].Type)
		}
		return []ir.Type{{Shape: append(ir.Shape{ir.N(count)}, s[1:]...)}}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		width := 1
		for _, d := range in[0].Shape[1:] {
			width *= d
		}
		shape := append([]int{n.Int("count")}, in[0].Shape[1:]...)
		return []*ir.Array{in[0].Rearrange(shape, func(i int) int { return n.Int("from")*width + i })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		s := n.In[0].Type.Shape
		zeros := func(rows int) *ir.Value {
			shape := []int{rows}
			for _, d := range s[1:] {
				shape = append(shape, d.N)
			}
			return b.Like(n, "zeros", attrs("shape", shape))
		}
		parts := []*ir.Value{dy[0]}
		from, end := n.Int("from"), n.Int("from")+n.Int("count")
		if from > 0 {
			parts = append([]*ir.Value{zeros(from)}, parts...)
		}
		if end < s[0].N {
			parts = append(parts, zeros(s[0].N-end))
		}
		return []*ir.Value{b.Like(n, "concat", nil, parts...)}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return moveRows(n, "y = rows of x, m rows from number at on.", func(r loop.Expr) (from, ok loop.Expr) {
			return loop.Add(r, loop.I(n.Int("from"))), nil
		})
	},
	Sample: samples(
		sample(attrs("from", 1, "count", 3), normal(ir.N(5), ir.N(2))),
		sample(attrs("from", 0, "count", 2), normal(ir.N(4))),
	),
})
