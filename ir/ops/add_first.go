package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "add_first", Class: ir.Sequencewise,
	Doc: "The first row of each sequence added to every row of it, itself included: y[t] = x[t] + x[first], [T, N] → [T, N].",
	In:  []ir.Operand{float("x", "[T, N]"), startsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		return []ir.Type{f32(ir.T, ir.N(w))}, first(err, shaped(n, 1, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := filled(in[1], in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[0].Shape...)
		for _, b := range list {
			for i := b.row * w; i < (b.row+b.n)*w; i++ {
				y.F[i] = x[i] + x[b.row*w+i%w]
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		sum := b.Like(n, "take", attrs("rows", "sum"), dy[0], n.In[1])
		return []*ir.Value{b.Like(n, "add", nil, dy[0], b.Like(n, "put", attrs("rows", "first"), sum, n.In[1])), nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		cols, ldx, err := row(n.In[0])
		_, ldy, err2 := row(n.Out[0])
		if err := first(err, err2); err != nil {
			return nil, err
		}
		args := append(loop.Floats("y", "x"), loop.Counts("n")...)
		b := loop.New(fmt.Sprintf("y[i] = x[i] + x[0], n rows of %d.", cols), args...)
		b.Slice("x0", "x", loop.I(0), loop.I(cols))
		b.For("i", loop.I(0), loop.V("n"), 1, func(i loop.Expr) {
			b.Slice("xi", "x", loop.Mul(i, loop.I(ldx)), loop.I(cols))
			b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
			b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) { b.Store("yi", j, loop.Add(loop.At("xi", j), loop.At("x0", j))) })
		})
		return b.Nest()
	},
	Launches: sequenceLaunches,
	Sample:   samples(sample(nil, normal(ir.T, ir.N(5)), starts()), sample(nil, normal(ir.T, ir.N(16)), starts())),
})
