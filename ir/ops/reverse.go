package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "reverse", Class: ir.Layout,
	Doc: "The rows in reverse order: it turns a table by offset i-j into one by j-i, [M, N] → [M, N].",
	In:  []ir.Operand{float("x", "[M, N]")},
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
	NoLower: atPacking,
	Sample:  samples(sample(nil, normal(ir.N(5), ir.N(3)))),
})
