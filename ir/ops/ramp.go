package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "ramp", Class: ir.Constant,
	Doc:   "The integers 0 … n-1: the row of each offset in a table that has one row per offset.",
	Attrs: []ir.AttrDef{{Name: "n", Type: ir.AttrInt, Required: true, Doc: "their number"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		if n.Int("n") < 1 {
			return nil, fmt.Errorf("%d integers", n.Int("n"))
		}
		return []ir.Type{i32(ir.N(n.Int("n")))}, nil
	},
	Ref: func(n *ir.Node, _ []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewInts(n.Int("n"))
		for i := range y.I {
			y.I[i] = int32(i)
		}
		return []*ir.Array{y}, nil
	},
	Rows:   func(n *ir.Node) int { return n.Int("n") },
	NoGrad: integers,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the integers at … at+m-1.", "m at", func(b *nest) {
			b.all("ys", "y", loop.V("m"))
			b.rows(func(i loop.Expr) { b.Store("ys", i, loop.Add(loop.V("at"), i)) })
		})
	},
	Sample: samples(sample(attrs("n", 5))),
})
