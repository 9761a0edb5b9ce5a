package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "normalize", Class: ir.Rowwise,
	Doc:   "(x - mean) / sqrt(variance + eps) over each row, biased variance: a layer norm without gain and shift, [., H] → [., H].",
	In:    []ir.Operand{float("x", "[., H]")},
	Attrs: []ir.AttrDef{epsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, _, err := matrix(n, 0)
		return []ir.Type{n.In[0].Type}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y, _ := normalized(in[0], n.Float("eps"))
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{graph{b, n}.normalize(n.In[0], n.Out[0], dy[0], n.Float("eps"))}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 6 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, fmt.Sprintf("y = (x - mean)/sqrt(variance + %g), m rows.", n.Float("eps")), "x m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.both(i)
				mean, rstd := b.moments(n, b.cols["x"])
				b.set("yi", b.cols["x"], func(j loop.Expr) loop.Expr { return loop.Mul(loop.Sub(loop.At("xi", j), mean), rstd) })
			})
		})
	},
	Sample: samples(sample(attrs("eps", 1e-3), normal(ir.T, ir.N(5)))),
})
