package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "fill_prefix", Class: ir.Sequencewise,
	Doc: "The rows of each sequence from number prefix on, and one number in all places of the rows in front of them, [T, N], [B+1], [B] → [T, N]. " +
		"An LSTM whose gates are closed by a large negative number there begins with the row after them.",
	In: []ir.Operand{float("x", "[T, N]"), startsIn,
		{Name: "prefix", DType: ir.I32, Doc: "[B] how many of each sequence's first rows are filled"}},
	Attrs: []ir.AttrDef{{Name: "value", Type: ir.AttrFloat, Required: true, Doc: "the number"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		return []ir.Type{f32(ir.T, ir.N(w))}, first(err, shaped(n, 1, ir.Bound), shaped(n, 2, ir.B))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := texts(in[1], in[2], in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		w := in[0].Shape[1]
		y := ir.NewArray(in[0].Shape[0], w)
		copy(y.F, in[0].Floats())
		for _, t := range list {
			for i := (t.from - t.before) * w; i < t.from*w; i++ {
				y.F[i] = n.Float("value")
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		zero := []ir.Attr{{Key: "value", Value: 0.0}}
		return []*ir.Value{b.Like(n, "fill_prefix", zero, dy[0], n.In[1], n.In[2]), nil, nil}, b.Err()
	},
	Cost: func(*ir.Node, ir.Sizes) ir.Cost { return ir.Cost{} },
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = n rows of a sequence, whose first ones are filled with one number.", "x prefix n", func(b *nest) {
			from := b.textBounds(true)
			b.For("i", loop.I(0), from, 1, func(i loop.Expr) {
				b.row("yi", "y", i)
				b.set("yi", b.cols["y"], func(loop.Expr) loop.Expr { return loop.F(n.Float("value")) })
			})
			b.For("i", from, loop.V("n"), 1, func(i loop.Expr) {
				b.row("xi", "x", i)
				b.row("yi", "y", i)
				b.set("yi", b.cols["y"], of("xi"))
			})
		})
	},
	Launches: sequenceLaunches,
	Sample: samples(lens(sample(attrs("value", -2.0), normal(ir.T, ir.N(5)), starts(), prefixes()), 9, 1, 4, 7),
		lens(sample(attrs("value", 0.0), normal(ir.T, ir.N(16)), starts(), prefixes()), 3, 8)),
})
