package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "put", Class: ir.Sequencewise,
	Doc: "The gradient of take: each row at the first place of its sequence and zeros elsewhere, or in all places of its sequence, for a mean divided by " +
		"their number, [B, N] → [T, N].",
	In:    []ir.Operand{float("x", "[B, N]"), startsIn},
	Attrs: []ir.AttrDef{rowsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, w, err := matrix(n, 0)
		if err == nil && rows != ir.B {
			err = fmt.Errorf("x is %s, not one row per sequence", n.In[0].Type)
		}
		return []ir.Type{f32(ir.T, ir.N(w))}, first(err, shaped(n, 1, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		rows := int(in[1].I[len(in[1].I)-1])
		list, err := filled(in[1], rows)
		if err != nil {
			return nil, err
		}
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(rows, w)
		for s, b := range list {
			if n.Str("rows") == "first" {
				b.n = 1
			}
			for i := b.row * w; i < (b.row+b.n)*w; i++ {
				y.F[i] = x[s*w+i%w] * share(n, b)
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "take", n.Attrs, dy[0], n.In[1]), nil}, b.Err()
	},
	Cost: func(*ir.Node, ir.Sizes) ir.Cost { return ir.Cost{} },
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		rows := n.Str("rows")
		return portable(n, fmt.Sprintf("y = the gradient of n rows by that of their %s.", rows), "x n", func(b *nest) {
			b.row("x0", "x", loop.I(0))
			if rows == "mean" {
				count := b.Let("count", loop.Fn("float", loop.V("n")))
				b.each("i", loop.V("n"), func(i loop.Expr) {
					b.row("yi", "y", i)
					b.set("yi", b.cols["y"], func(j loop.Expr) loop.Expr { return loop.Div(loop.At("x0", j), count) })
				})
				return
			}
			b.row("y0", "y", loop.I(0))
			b.set("y0", b.cols["y"], of("x0"))
			b.For("i", loop.I(1), loop.V("n"), 1, func(i loop.Expr) {
				b.row("yi", "y", i)
				if rows == "sum" {
					b.set("yi", b.cols["y"], of("x0"))
				} else {
					b.clear("yi", b.cols["y"])
				}
			})
		})
	},
	Launches: sequenceLaunches,
	Sample: samples(sample(attrs("rows", "first"), normal(ir.B, ir.N(5)), starts()),
		sample(attrs("rows", "mean"), normal(ir.B, ir.N(5)), starts()), sample(attrs("rows", "sum"), normal(ir.B, ir.N(5)), starts())),
})
