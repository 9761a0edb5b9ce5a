package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "times_column", Class: ir.Rowwise,
	Doc:   "Each row of x times one number of the same row of p: y[i, j] = x[i, j]·p[i, column], [M, N], [M, E] → [M, N].",
	In:    []ir.Operand{float("x", "[M, N]"), float("p", "[M, E]")},
	Attrs: []ir.AttrDef{columnAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		_, e, err2 := matrix(n, 1)
		if c := n.Int("column"); err2 == nil && (c < 0 || c >= e) {
			err2 = fmt.Errorf("column %d of %d", c, e)
		}
		return []ir.Type{n.In[0].Type}, first(err, err2, shaped(n, 1, rows, ir.N(e)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, e, c := in[0].Shape[1], in[1].Shape[1], n.Int("column")
		x, p, y := in[0].Floats(), in[1].Floats(), ir.NewArray(in[0].Shape...)
		for i := range y.F {
			y.F[i] = x[i] * p[i/w*e+c]
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		products := b.Like(n, "row_sum", nil, b.Like(n, "mul", nil, dy[0], n.In[0]))
		return []*ir.Value{b.Like(n, "times_column", n.Attrs, dy[0], n.In[1]),
			b.Like(n, "in_column", attrs("column", n.Int("column"), "n", n.In[1].Type.Shape[1].N), products)}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the rows of x times a number of the same row of p, m rows.", "x p m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.both(i)
				b.row("pi", "p", i)
				v := b.Let("v", loop.At("pi", loop.I(n.Int("column"))))
				b.set("yi", b.cols["y"], func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("xi", j), v) })
			})
		})
	},
	Sample: samples(sample(attrs("column", 2), normal(ir.T, ir.N(5)), normal(ir.T, ir.N(3))),
		sample(attrs("column", 0), normal(ir.W, ir.N(16)), normal(ir.W, ir.N(1)))),
})

var _ = ir.Define(ir.Op{
	Name: "in_column", Class: ir.Rowwise,
	Doc:   "The number of each row in one column, and zeros in the others, [M] → [M, n].",
	In:    []ir.Operand{float("x", "[M]")},
	Attrs: []ir.AttrDef{columnAttr, {Name: "n", Type: ir.AttrInt, Required: true, Doc: "columns of the result"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, c, w := n.In[0].Type.Shape, n.Int("column"), n.Int("n")
		if len(s) != 1 || c < 0 || c >= w {
			return nil, fmt.Errorf("x is %s, put into column %d of %d", n.In[0].Type, c, w)
		}
		return []ir.Type{f32(s[0], ir.N(w))}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, y := n.Int("n"), ir.NewArray(in[0].Shape[0], n.Int("n"))
		for i, v := range in[0].Floats() {
			y.F[i*w+n.Int("column")] = v
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i, column] = x[i] and zeros elsewhere, m rows.", "x m", func(b *nest) {
			b.all("xs", "x", loop.V("m"))
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				b.clear("yi", b.cols["y"])
				b.Store("yi", loop.I(n.Int("column")), loop.At("xs", i))
			})
		})
	},
	Sample: samples(sample(attrs("column", 1, "n", 3), normal(ir.T))),
})
