package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "spread", Class: ir.Rowwise,
	Doc:   "The number of each row in all n columns of the row, [M] → [M, n].",
	In:    []ir.Operand{float("x", "[M]")},
	Attrs: []ir.AttrDef{{Name: "n", Type: ir.AttrInt, Required: true, Doc: "columns of the result"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s := n.In[0].Type.Shape
		if len(s) != 1 || n.Int("n") < 1 {
			return nil, fmt.Errorf("x is %s, spread over %d columns", n.In[0].Type, n.Int("n"))
		}
		return []ir.Type{f32(s[0], ir.N(n.Int("n")))}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		c := n.Int("n")
		return []*ir.Array{in[0].Rearrange([]int{in[0].Shape[0], c}, func(i int) int { return i / c })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "row_sum", nil, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i, j] = x[i], m rows.", "x m", func(b *nest) {
			b.all("xs", "x", loop.V("m"))
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				v := b.Let("v", loop.At("xs", i))
				b.set("yi", b.cols["y"], func(loop.Expr) loop.Expr { return v })
			})
		})
	},
	Sample: samples(sample(attrs("n", 3), normal(ir.T))),
})
