package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "transpose", Class: ir.Layout,
	Doc: "[M, N] → [N, M].",
	In:  []ir.Operand{float("x", "[M, N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, cols, err := fixed(n, 0)
		return []ir.Type{f32(ir.N(cols), ir.N(rows))}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, c := in[0].Shape[0], in[0].Shape[1]
		return []*ir.Array{in[0].Rearrange([]int{c, m}, func(i int) int { return i%m*c + i/m })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "transpose", nil, dy[0])}, b.Err()
	},
	NoLower: atPacking,
	Sample:  samples(sample(nil, normal(ir.N(5), ir.N(3)))),
})
