package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "panels", Class: ir.Layout,
	Doc: "A weight in the order in which gemm reads it: [N, K] → [⌈N/16⌉, K, 16]. Column c of panel p is row 16p+c, or zeros beyond N.",
	In:  []ir.Operand{whole(float("w", "[N, K]"))},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, k, err := fixed(n, 0)
		return []ir.Type{f32(ir.N(round16(rows)/16), ir.N(k), ir.N(16))}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		n, k := in[0].Shape[0], in[0].Shape[1]
		return []*ir.Array{in[0].Rearrange([]int{round16(n) / 16, k, 16}, func(i int) int {
			if r := i/(16*k)*16 + i%16; r < n {
				return r*k + i/16%k
			}
			return -1
		})}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "unpack_panels", attrs("n", n.In[0].Type.Shape[0].N), dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = panels of 16 rows of w, m panels from number at on.", "w m at", func(b *nest) {
			rows, k := n.In[0].Type.Shape[0].N, b.cols["w"]
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				b.each("c", loop.I(16), func(c loop.Expr) {
					r := b.Let("r", loop.Add(loop.Mul(loop.Add(loop.V("at"), i), loop.I(16)), c))
					to := func(j loop.Expr) loop.Expr { return loop.Add(loop.Mul(j, loop.I(16)), c) }
					b.If(loop.Less(r, loop.I(rows)), func() {
						b.row("wr", "w", r)
						b.each("j", loop.I(k), func(j loop.Expr) { b.Store("yi", to(j), loop.At("wr", j)) })
					}, func() {
						b.each("j", loop.I(k), func(j loop.Expr) { b.Store("yi", to(j), loop.F(0)) })
					})
				})
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.N(19), ir.N(5))), sample(nil, normal(ir.N(16), ir.N(3)))),
})
