package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "pad", Class: ir.Layout,
	Doc: "Each row with zeros after it, up to a multiple of 16: [N] → [N16], [M, N] → [M, N16].",
	In:  []ir.Operand{whole(float("x", "[N] or [M, N]"))},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s := n.In[0].Type.Shape
		if len(s) < 1 || len(s) > 2 || !s[len(s)-1].Const() {
			return nil, fmt.Errorf("x is %s, not a vector or matrix", n.In[0].Type)
		}
		out := append(ir.Shape(nil), s...)
		out[len(s)-1].N = round16(out[len(s)-1].N)
		return []ir.Type{{Shape: out}}, nil
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		shape := append([]int(nil), in[0].Shape...)
		last := len(shape) - 1
		n := shape[last]
		shape[last] = round16(n)
		if shape[last] == n {
			return in, nil
		}
		return []*ir.Array{in[0].Rearrange(shape, func(i int) int {
			if r, c := i/shape[last], i%shape[last]; c < n {
				return r*n + c
			}
			return -1
		})}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		s := n.In[0].Type.Shape
		return []*ir.Value{b.Like(n, "unpad", attrs("n", s[len(s)-1].N), dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		if len(n.In[0].Type.Shape) == 1 {
			return moveRows(n, "y = x with zeros after it.", func(r loop.Expr) (from, ok loop.Expr) { return r, loop.Less(r, loop.I(n.In[0].Type.Shape[0].N)) })
		}
		return portable(n, "y = rows of x with zeros after them, m rows.", "x m at", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.row("xi", "x", loop.Add(loop.V("at"), i))
				b.row("yi", "y", i)
				b.set("yi", b.cols["x"], of("xi"))
				b.For("j", loop.I(b.cols["x"]), loop.I(b.cols["y"]), 1, func(j loop.Expr) { b.Store("yi", j, loop.F(0)) })
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.N(5))), sample(nil, normal(ir.N(3), ir.N(17))), sample(nil, normal(ir.N(16)))),
})
