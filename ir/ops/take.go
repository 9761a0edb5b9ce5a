package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// rowsAttr says which rows of a sequence are taken.
var rowsAttr = ir.AttrDef{Name: "rows", Type: ir.AttrString, Required: true, Words: []string{"first"}, Doc: "which rows of each sequence"}

var _ = ir.Define(ir.Op{
	Name: "take", Class: ir.Gather,
	Doc:   "The first row of each sequence, [T, N] → [B, N]. Every sequence must have one.",
	In:    []ir.Operand{float("x", "[T, N]"), startsIn},
	Attrs: []ir.AttrDef{rowsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		return []ir.Type{f32(ir.B, ir.N(w))}, first(err, shaped(n, 1, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[1], in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		w := in[0].Shape[1]
		for s, b := range list {
			if b.n == 0 {
				return nil, fmt.Errorf("sequence %d has no tokens, so no first one", s)
			}
		}
		return []*ir.Array{in[0].Rearrange([]int{len(list), w}, func(i int) int { return list[i/w].row*w + i%w })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "put", n.Attrs, dy[0], n.In[1]), nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{Bytes: 8 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Lower:  lowerTake,
	Sample: samples(sample(attrs("rows", "first"), normal(ir.T, ir.N(5)), starts())),
})

// lowerTake is the portable form, arguments (y, x, starts, m) for m sequences.
func lowerTake(n *ir.Node) (*loop.Nest, error) {
	cols, ldx, err := row(n.In[0])
	_, ldy, err2 := row(n.Out[0])
	if err := first(err, err2); err != nil {
		return nil, err
	}
	args := append(append(loop.Floats("y", "x"), loop.Ints("starts")...), loop.Counts("m")...)
	b := loop.New(fmt.Sprintf("y[i] = x[starts[i]], m rows of %d.", cols), args...)
	b.Slice("from", "starts", loop.I(0), loop.V("m"))
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		b.Slice("xi", "x", loop.Mul(loop.At("from", i), loop.I(ldx)), loop.I(cols))
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
		b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) { b.Store("yi", j, loop.At("xi", j)) })
	})
	return b.Nest()
}
