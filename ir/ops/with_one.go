package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "with_one", Class: ir.Rowwise,
	Doc: "A 1 after the numbers of each row, then zeros up to a multiple of 16: a product with weights whose column N holds the bias, [M, N] → [M, (N+1)16].",
	In:  []ir.Operand{float("x", "[M, N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, w, err := matrix(n, 0)
		return []ir.Type{f32(rows, ir.N(round16(w+1)))}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, w, x := in[0].Shape[0], in[0].Shape[1], in[0].Floats()
		wide := round16(w + 1)
		y := ir.NewArray(m, wide)
		for i := range m {
			copy(y.F[i*wide:], x[i*w:(i+1)*w])
			y.F[i*wide+w] = 1
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "first_columns", attrs("n", n.In[0].Type.Shape[1].N), dy[0])}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{Bytes: 8 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = rows of x with a 1 and zeros after them, m rows.", "x m", func(b *nest) {
			w := b.cols["x"]
			b.rows(func(i loop.Expr) {
				b.both(i)
				b.set("yi", w, of("xi"))
				b.Store("yi", loop.I(w), loop.F(1))
				b.For("j", loop.I(w+1), loop.I(b.cols["y"]), 1, func(j loop.Expr) { b.Store("yi", j, loop.F(0)) })
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T, ir.N(5))), sample(nil, normal(ir.T, ir.N(15))), sample(nil, normal(ir.T, ir.N(16)))),
})

var _ = ir.Define(ir.Op{
	Name: "first_columns", Class: ir.Rowwise,
	Doc:   "The first n columns, [M, N] → [M, n].",
	In:    []ir.Operand{float("x", "[M, N]")},
	Attrs: []ir.AttrDef{{Name: "n", Type: ir.AttrInt, Required: true, Doc: "columns of the result"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, w, err := matrix(n, 0)
		if err == nil && (n.Int("n") < 1 || n.Int("n") > w) {
			err = fmt.Errorf("%d columns of %s", n.Int("n"), n.In[0].Type)
		}
		return []ir.Type{f32(rows, ir.N(n.Int("n")))}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, wide := n.Int("n"), in[0].Shape[1]
		return []*ir.Array{in[0].Rearrange([]int{in[0].Shape[0], w}, func(i int) int { return i/w*wide + i%w })}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{Bytes: 8 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the first columns of x, m rows.", "x m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.both(i)
				b.set("yi", b.cols["y"], of("xi"))
			})
		})
	},
	Sample: samples(sample(attrs("n", 5), normal(ir.T, ir.N(7)))),
})
