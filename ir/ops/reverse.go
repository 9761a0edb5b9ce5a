package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "reverse", Class: ir.Layout,
	Doc: "The rows in reverse order: it turns a table by offset i-j into one by j-i, [M, N] → [M, N].",
	In:  []ir.Operand{whole(float("x", "[M, N]"))},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, _, err := fixed(n, 0)
		return []ir.Type{n.In[0].Type}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, c := in[0].Shape[0], in[0].Shape[1]
		return []*ir.Array{in[0].Rearrange([]int{m, c}, func(i int) int { return (m-1-i/c)*c + i%c })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "reverse", nil, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return moveRows(n, "y = the rows of x in reverse order, m rows from number at on.", func(r loop.Expr) (from, ok loop.Expr) {
			return loop.Sub(loop.I(n.In[0].Type.Shape[0].N-1), r), nil
		})
	},
	Sample: samples(sample(nil, normal(ir.N(5), ir.N(3)))),
})
