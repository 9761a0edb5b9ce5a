package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// targetIn is the operand of losses that holds the class of each row.
var targetIn = ir.Operand{Name: "target", DType: ir.I32, Doc: "[M] a column for each row; a row with a number below 0 is ignored"}

var _ = ir.Define(ir.Op{
	Name: "pick_column", Class: ir.Rowwise,
	Doc: "One number of each row: y[i] = x[i, target[i]], and 0 for a row whose target is below 0, [M, N], [M] → [M].",
	In:  []ir.Operand{float("x", "[M, N]"), targetIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		return []ir.Type{f32(rows)}, first(err, shaped(n, 1, rows))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[0].Shape[0])
		return []*ir.Array{y}, eachTarget(in[1], w, func(i, c int) { y.F[i] = x[i*w+c] })
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "put_column", attrs("n", n.In[0].Type.Shape[1].N), dy[0], n.In[1]), nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = x[i, target[i]], or 0 for a target below 0, m rows.", "x target m", func(b *nest) {
			b.all("to", "target", loop.V("m"))
			b.all("ys", "y", loop.V("m"))
			b.rows(func(i loop.Expr) {
				v := b.Let("v", loop.F(0))
				column := b.Let("column", loop.At("to", i))
				b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: column}, func() {
					b.row("xi", "x", i)
					b.Assign(v, loop.At("xi", column))
				}, nil)
				b.Store("ys", i, v)
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T, ir.N(3)), targets(3, ir.T)), sample(nil, normal(ir.B, ir.N(2)), targets(2, ir.B))),
})

// eachTarget calls visit with the number of each row that is not ignored, and with its column. A column after the last of w is an error.
func eachTarget(target *ir.Array, w int, visit func(row, column int)) error {
	for i, c := range target.I {
		if int(c) >= w {
			return fmt.Errorf("target[%d] is %d, where there are %d columns: it must be below that number", i, c, w)
		}
		if c >= 0 {
			visit(i, int(c))
		}
	}
	return nil
}

var _ = ir.Define(ir.Op{
	Name: "put_column", Class: ir.Rowwise,
	Doc: "The gradient of pick_column: y[i, target[i]] = x[i] and zeros elsewhere; a row whose target is below 0 is zero, [M], [M] → [M, n].",
	In:  []ir.Operand{float("x", "[M]"), targetIn},
	Attrs: []ir.AttrDef{
		{Name: "n", Type: ir.AttrInt, Required: true, Doc: "columns of the result"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s := n.In[0].Type.Shape
		if len(s) != 1 || n.Int("n") < 1 {
			return nil, fmt.Errorf("x is %s, put into one of %d columns", n.In[0].Type, n.Int("n"))
		}
		return []ir.Type{f32(s[0], ir.N(n.Int("n")))}, shaped(n, 1, s[0])
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := n.Int("n"), in[0].Floats()
		y := ir.NewArray(in[0].Shape[0], w)
		return []*ir.Array{y}, eachTarget(in[1], w, func(i, c int) { y.F[i*w+c] = x[i] })
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pick_column", nil, dy[0], n.In[1]), nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i, target[i]] = x[i] and zeros elsewhere, m rows.", "x target m", func(b *nest) {
			b.all("to", "target", loop.V("m"))
			b.all("xs", "x", loop.V("m"))
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				b.clear("yi", b.cols["y"])
				column := b.Let("column", loop.At("to", i))
				b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: column}, func() { b.Store("yi", column, loop.At("xs", i)) }, nil)
			})
		})
	},
	Sample: samples(sample(attrs("n", 3), normal(ir.T), targets(3, ir.T))),
})
