package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// leastSquares is added to the sum of a row's squares, so that a row of zeros has a length.
const leastSquares = 1e-24

// rowLength returns the length of a row.
func rowLength(x []float64) float64 { return math.Sqrt(dot(x, x) + leastSquares) }

var _ = ir.Define(ir.Op{
	Name: "unit_rows", Class: ir.Rowwise,
	Doc: "Each row divided by its length: x / √(Σx² + 1e-24), [M, N] → [M, N].",
	In:  []ir.Operand{float("x", "[M, N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, _, err := matrix(n, 0)
		return []ir.Type{n.In[0].Type}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		x, w, y := in[0].Floats(), in[0].Shape[1], ir.NewArray(in[0].Shape...)
		for i := 0; i < len(x); i += w {
			addScaled(y.F[i:i+w], x[i:i+w], 1/rowLength(x[i:i+w]))
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "unit_rows_grad", nil, dy[0], n.In[0])}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 3 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = each of m rows, divided by its length.", "x m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.both(i)
				by := b.overLength()
				b.set("yi", b.cols["x"], func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("xi", j), by) })
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T, ir.N(5))), sample(nil, normal(ir.B, ir.N(16)))),
})

// overLength writes 1 divided by the length of the window xi.
func (b *nest) overLength() loop.Var {
	square := sumOf(b.Builder, "q", b.cols["x"], func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("xi", j), loop.At("xi", j)) })
	return b.Let("over", loop.Div(loop.F(1), loop.Fn("sqrt", loop.Add(square, loop.F(leastSquares)))))
}

var _ = ir.Define(ir.Op{
	Name: "unit_rows_grad", Class: ir.Rowwise,
	Doc: "The gradient of unit_rows: (dy - y·Σ(y·dy)) / √(Σx² + 1e-24) with the unit rows y of x, [M, N], [M, N] → [M, N].",
	In:  []ir.Operand{float("dy", "[M, N]"), float("x", "[M, N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, w, err := matrix(n, 0)
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, rows, ir.N(w)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		dy, x, w, out := in[0].Floats(), in[1].Floats(), in[0].Shape[1], ir.NewArray(in[0].Shape...)
		for i := 0; i < len(x); i += w {
			row, d := x[i:i+w], dy[i:i+w]
			length := rowLength(row)
			addScaled(out.F[i:i+w], d, 1/length)
			addScaled(out.F[i:i+w], row, -dot(row, d)/(length*length*length))
		}
		return []*ir.Array{out}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 7 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the gradients of m rows that are divided by their lengths.", "dy x m", func(b *nest) {
			w := b.cols["x"]
			b.rows(func(i loop.Expr) {
				b.both(i)
				b.row("di", "dy", i)
				by := b.overLength()
				product := b.Let("product", loop.Mul(by, loop.Mul(by, sumOf(b.Builder, "p", w,
					func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("xi", j), loop.At("di", j)) }))))
				b.set("yi", w, func(j loop.Expr) loop.Expr {
					return loop.Mul(by, loop.Sub(loop.At("di", j), loop.Mul(product, loop.At("xi", j))))
				})
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T, ir.N(5)), normal(ir.T, ir.N(5))), sample(nil, normal(ir.B, ir.N(16)), normal(ir.B, ir.N(16)))),
})
