package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// tokenTargetIn is the operand that holds a token for each sequence.
var tokenTargetIn = ir.Operand{Name: "target", DType: ir.I32,
	Doc: "[B] a row for each sequence, counted from its first; a sequence with a number below 0 is ignored"}

// columnAttr is the attribute of ops that work on one column.
var columnAttr = ir.AttrDef{Name: "column", Type: ir.AttrInt, Required: true, Doc: "the column, from 0"}

// columnOf checks the attribute column against the columns of an operand.
func columnOf(n *ir.Node, i int) error {
	w, err := tokenRows(n, i)
	if c := n.Int("column"); err == nil && (c < 0 || c >= w) {
		err = fmt.Errorf("column %d of %s", c, n.In[i].Type)
	}
	return err
}

// eachToken calls visit with the number of each sequence that is not ignored, and with the row of the batch that its target stands for.
func eachToken(target, starts *ir.Array, rows int, visit func(sequence, row int)) error {
	list, err := filled(starts, rows)
	if err != nil {
		return err
	}
	for s, b := range list {
		t := int(target.I[s])
		if t >= b.n {
			return fmt.Errorf("target[%d] is %d, where the sequence has %d tokens: it must be below that number", s, t, b.n)
		}
		if t >= 0 {
			visit(s, b.row+t)
		}
	}
	return nil
}

var _ = ir.Define(ir.Op{
	Name: "pick_token", Class: ir.Sequencewise,
	Doc: "One number of each sequence: y[b] = x[starts[b] + target[b], column], and 0 where the target is below 0, [T, N], [B] → [B].",
	In:  []ir.Operand{float("x", "[T, N]"), tokenTargetIn, startsIn}, Attrs: []ir.AttrDef{columnAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		return []ir.Type{f32(ir.B)}, first(columnOf(n, 0), shaped(n, 1, ir.B), shaped(n, 2, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[1].Shape[0])
		return []*ir.Array{y}, eachToken(in[1], in[2], in[0].Shape[0], func(s, row int) { y.F[s] = x[row*w+n.Int("column")] })
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "put_token", n.Attrs, dy[0], n.In[1], n.In[2], n.In[0]), nil, nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = x[target, column], or 0 for a target below 0.", "x target n", func(b *nest) {
			b.all("to", "target", loop.I(1))
			b.all("ys", "y", loop.I(1))
			v := b.Let("v", loop.F(0))
			b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: loop.At("to", loop.I(0))}, func() {
				b.row("xt", "x", loop.At("to", loop.I(0)))
				b.Assign(v, loop.At("xt", loop.I(n.Int("column"))))
			}, nil)
			b.Store("ys", loop.I(0), v)
		})
	},
	Launches: sequenceLaunches,
	Sample:   samples(sample(attrs("column", 1), normal(ir.T, ir.N(2)), targets(1, ir.B), starts())),
})

var _ = ir.Define(ir.Op{
	Name: "put_token", Class: ir.Sequencewise,
	Doc: "The gradient of pick_token: y[starts[b] + target[b], column] = x[b] and zeros elsewhere, in the shape of like, whose numbers are not read, " +
		"[B], [B], [T, N] → [T, N].",
	In: []ir.Operand{float("x", "[B]"), tokenTargetIn, startsIn, float("like", "[T, N]")}, Attrs: []ir.AttrDef{columnAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		return []ir.Type{n.In[3].Type}, first(columnOf(n, 3), shaped(n, 0, ir.B), shaped(n, 1, ir.B), shaped(n, 2, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x := in[3].Shape[1], in[0].Floats()
		y := ir.NewArray(in[3].Shape...)
		return []*ir.Array{y}, eachToken(in[1], in[2], in[3].Shape[0], func(s, row int) { y.F[row*w+n.Int("column")] = x[s] })
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pick_token", n.Attrs, dy[0], n.In[1], n.In[2]), nil, nil, nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[target, column] = x and zeros elsewhere, n rows.", "x target n", func(b *nest) {
			b.each("i", loop.V("n"), func(i loop.Expr) {
				b.row("yi", "y", i)
				b.clear("yi", b.cols["y"])
			})
			b.all("to", "target", loop.I(1))
			b.all("xs", "x", loop.I(1))
			b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: loop.At("to", loop.I(0))}, func() {
				b.row("yt", "y", loop.At("to", loop.I(0)))
				b.Store("yt", loop.I(n.Int("column")), loop.At("xs", loop.I(0)))
			}, nil)
		})
	},
	Launches: sequenceLaunches,
	Sample:   samples(sample(attrs("column", 0), normal(ir.B), targets(1, ir.B), starts(), normal(ir.T, ir.N(2)))),
})
