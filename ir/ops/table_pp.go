package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "table_pp", Class: ir.Rowwise,
	Doc:   "offset·offset: t[a, r] = qr_r·kr_r over the columns of head a, [R, A·D], [R, A·D] → [A, R].",
	In:    []ir.Operand{whole(float("qr", "[R, A·D]")), whole(float("kr", "[R, A·D]"))},
	Attrs: []ir.AttrDef{headsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, w, err := fixed(n, 0)
		if err != nil {
			return nil, err
		}
		if !n.In[0].Type.Equal(n.In[1].Type) {
			return nil, fmt.Errorf("qr is %s, kr is %s: they must have one shape", n.In[0].Type, n.In[1].Type)
		}
		a, err := heads(n, w)
		return []ir.Type{f32(ir.N(a), ir.N(rows))}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		a, rows, w := n.Int("heads"), in[0].Shape[0], in[0].Shape[1]
		d := w / a
		x, y, t := in[0].Floats(), in[1].Floats(), ir.NewArray(a, rows)
		for h := 0; h < a; h++ {
			for r := 0; r < rows; r++ {
				t.F[h*rows+r] = dot(x[r*w+h*d:][:d], y[r*w+h*d:][:d])
			}
		}
		return []*ir.Array{t}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		h := attrs("heads", n.Int("heads"))
		return []*ir.Value{b.Like(n, "mul_heads", h, n.In[1], dy[0]), b.Like(n, "mul_heads", h, n.In[0], dy[0])}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 2 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		rows, w := n.In[0].Type.Shape[0].N, n.In[0].Type.Shape[1].N
		d := w / n.Int("heads")
		return portable(n, "y = the products of the rows of qr and kr for m heads from number at on.", "qr kr m at", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				from := b.Let("from", loop.Mul(loop.Add(loop.V("at"), i), loop.I(d)))
				b.each("r", loop.I(rows), func(r loop.Expr) {
					for _, name := range []string{"qr", "kr"} {
						b.Slice(name+"h", name, loop.Add(loop.Mul(r, loop.I(b.ld[name])), from), loop.I(d))
					}
					b.Store("yi", r, sumOf(b.Builder, "s", d, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("qrh", j), loop.At("krh", j)) }))
				})
			})
		})
	},
	Sample: samples(sample(attrs("heads", 2), normal(ir.N(5), ir.N(6)), normal(ir.N(5), ir.N(6)))),
})
