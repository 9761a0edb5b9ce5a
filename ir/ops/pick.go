package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/ragged"
)

// pickedIn is the operand that lists the rows for pick and place.
var pickedIn = ir.Operand{Name: "rows", DType: ir.I32, Doc: "[R] rows in 0 … T-1"}

var _ = ir.Define(ir.Op{
	Name: "pick", Class: ir.Gather,
	Doc: "Rows of the batch by their numbers: y[r] = x[rows[r]], [T, N], [R] → [R, N].",
	In:  []ir.Operand{whole(float("x", "[T, N]")), pickedIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		s := n.In[1].Type.Shape
		if len(s) != 1 {
			return nil, fmt.Errorf("rows is %s, not a vector", n.In[1].Type)
		}
		return []ir.Type{f32(s[0], ir.N(w))}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w := in[0].Shape[1]
		for r, t := range in[1].I {
			if t < 0 || int(t) >= in[0].Shape[0] {
				return nil, fmt.Errorf("rows[%d] is %d, the batch has %d rows", r, t, in[0].Shape[0])
			}
		}
		return []*ir.Array{in[0].Rearrange([]int{in[1].Shape[0], w}, func(i int) int { return int(in[1].I[i/w])*w + i%w })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "place", nil, dy[0], n.In[1], n.In[0]), nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{Bytes: 8 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Lower: lowerPick,
	Sample: samples(
		sample(nil, normal(ir.T, ir.N(5)), ir.PartArg(ragged.Rows)),
		sample(nil, normal(ir.T, ir.N(16)), ir.PartArg(ragged.Marks)),
	),
})

// lowerPick returns the portable form for m rows of the result, with the arguments (y, x, rows, m).
func lowerPick(n *ir.Node) (*loop.Nest, error) {
	cols, ldx, err := row(n.In[0])
	_, ldy, err2 := row(n.Out[0])
	if err := first(err, err2); err != nil {
		return nil, err
	}
	args := append(append(loop.Floats("y", "x"), loop.Ints("rows")...), loop.Counts("m")...)
	b := loop.New(fmt.Sprintf("y[i] = x[rows[i]], m rows of %d.", cols), args...)
	b.Slice("from", "rows", loop.I(0), loop.V("m"))
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		b.Slice("xi", "x", loop.Mul(loop.At("from", i), loop.I(ldx)), loop.I(cols))
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
		b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) { b.Store("yi", j, loop.At("xi", j)) })
	})
	return b.Nest()
}

var _ = ir.Define(ir.Op{
	Name: "place", Class: ir.Gather,
	Doc: "The gradient of pick: each row added to its place in a matrix of zeros that has as many rows as like, [R, N], [R], [T, N] → [T, N]. The numbers " +
		"of like are not read.",
	In: []ir.Operand{whole(float("x", "[R, N]")), whole(pickedIn), float("like", "[T, N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, w, err := matrix(n, 0)
		_, err2 := tokenRows(n, 2)
		return []ir.Type{f32(ir.T, ir.N(w))}, first(err, err2, shaped(n, 1, rows), shaped(n, 2, ir.T, ir.N(w)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[2].Shape...)
		for i, v := range x {
			t := int(in[1].I[i/w])
			if t < 0 || t >= y.Shape[0] {
				return nil, fmt.Errorf("rows[%d] is %d, the batch has %d rows", i/w, t, y.Shape[0])
			}
			y.F[t*w+i%w] += v
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pick", nil, dy[0], n.In[1]), nil, nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[rows[k]] = the sum of the rows x[k], m rows from number at on.", "x rows m at rowsRows",
			func(b *nest) { b.scatter("rows", "rowsRows", -1) })
	},
	Sample: samples(sample(nil, normal(ir.M, ir.N(5)), ir.PartArg(ragged.Rows), normal(ir.T, ir.N(5)))),
})
