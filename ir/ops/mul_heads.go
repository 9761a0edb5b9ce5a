package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "mul_heads", Class: ir.Rowwise,
	Doc:   "y[r, a·D+d] = x[r, a·D+d] · t[a, r], [R, A·D], [A, R] → [R, A·D].",
	In:    []ir.Operand{float("x", "[R, A·D]"), whole(float("t", "[A, R]"))},
	Attrs: []ir.AttrDef{headsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, w, err := fixed(n, 0)
		if err != nil {
			return nil, err
		}
		a, err := heads(n, w)
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, ir.N(a), ir.N(rows)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		a, rows, w := n.Int("heads"), in[0].Shape[0], in[0].Shape[1]
		x, t, y := in[0].Floats(), in[1].Floats(), ir.NewArray(rows, w)
		for i := range x {
			r, h := i/w, i%w/(w/a)
			y.F[i] = x[i] * t[h*rows+r]
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		h := attrs("heads", n.Int("heads"))
		return []*ir.Value{b.Like(n, "mul_heads", h, dy[0], n.In[1]), b.Like(n, "table_pp", h, dy[0], n.In[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		a, rows := n.Int("heads"), n.In[0].Type.Shape[0].N
		return portable(n, "y = rows of x whose heads are multiplied by columns of t, m rows from number at on.", "x t m at", func(b *nest) {
			d, ld := b.cols["x"]/a, b.ld["t"]
			b.Slice("ts", "t", loop.I(0), loop.I((a-1)*ld+rows))
			b.rows(func(i loop.Expr) {
				b.both(i)
				b.each("h", loop.I(a), func(h loop.Expr) {
					by := b.Let("by", loop.At("ts", loop.Add(loop.Mul(h, loop.I(ld)), loop.V("at"), i)))
					b.For("j", loop.Mul(h, loop.I(d)), loop.Mul(loop.Add(h, loop.I(1)), loop.I(d)), 1, func(j loop.Expr) {
						b.Store("yi", j, loop.Mul(loop.At("xi", j), by))
					})
				})
			})
		})
	},
	Sample: samples(sample(attrs("heads", 2), normal(ir.N(5), ir.N(6)), normal(ir.N(2), ir.N(5)))),
})
