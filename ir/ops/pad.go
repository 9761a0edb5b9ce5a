package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "pad", Class: ir.Layout,
	Doc: "Each row with zeros after it, up to a multiple of 16: [N] → [N16], [M, N] → [M, N16].",
	In:  []ir.Operand{float("x", "[N] or [M, N]")},
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
	NoLower: atPacking,
	Sample:  samples(sample(nil, normal(ir.N(5))), sample(nil, normal(ir.N(3), ir.N(17))), sample(nil, normal(ir.N(16)))),
})
