package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "zeros", Class: ir.Constant,
	Doc:   "Zeros of the given shape.",
	Attrs: []ir.AttrDef{{Name: "shape", Type: ir.AttrInts, Required: true, Doc: "the extents"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		t := f32()
		for _, d := range n.Ints("shape") {
			if d < 1 {
				return nil, fmt.Errorf("extent %d in the shape %v", d, n.Ints("shape"))
			}
			t.Shape = append(t.Shape, ir.N(d))
		}
		return []ir.Type{t}, nil
	},
	Ref: func(n *ir.Node, _ []*ir.Array) ([]*ir.Array, error) {
		return []*ir.Array{ir.NewArray(n.Ints("shape")...)}, nil
	},
	NoGrad: "it has no operands",
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = zeros, m rows.", "m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				b.clear("yi", b.cols["y"])
			})
		})
	},
	Sample: samples(sample(attrs("shape", []int{2, 3})), sample(attrs("shape", []int{4}))),
})
