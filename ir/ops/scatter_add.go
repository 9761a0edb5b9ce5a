package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "scatter_add", Class: ir.Reduction,
	Doc: "The gradient of embed: y[ids[t]] += x[t] from zeros, [T, E], [T] → [rows, E].",
	In:  []ir.Operand{whole(float("x", "[T, E]")), {Name: "ids", DType: ir.I32, Whole: true, Doc: "[T]"}},
	Attrs: []ir.AttrDef{
		{Name: "rows", Type: ir.AttrInt, Required: true, Doc: "rows of the result"},
		{Name: "frozen", Type: ir.AttrInt, Doc: "a row that stays 0; absent: there is no such row"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		m, cols, err := matrix(n, 0)
		if err != nil {
			return nil, err
		}
		if n.Int("rows") < 1 {
			return nil, fmt.Errorf("a result of %d rows", n.Int("rows"))
		}
		return []ir.Type{f32(ir.N(n.Int("rows")), ir.N(cols))}, shaped(n, 1, m)
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		e, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(n.Int("rows"), e)
		for t, id := range in[1].I {
			if id < 0 || int(id) >= n.Int("rows") {
				return nil, fmt.Errorf("ids[%d] is %d, the table has %d rows", t, id, n.Int("rows"))
			}
			if n.Attr("frozen") != nil && int(id) == n.Int("frozen") {
				continue
			}
			for j := 0; j < e; j++ {
				y.F[int(id)*e+j] += x[t*e+j]
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		if n.Attr("frozen") != nil {
			return nil, fmt.Errorf("%v: no second derivative through a lookup with a frozen row", n.Pos)
		}
		return []*ir.Value{b.Like(n, "embed", nil, dy[0], n.In[1]), nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		frozen := -1
		if n.Attr("frozen") != nil {
			frozen = n.Int("frozen")
		}
		return portable(n, "y = the sums of the rows of x with the ids at … at+m-1, m rows.", "x ids m at idsRows",
			func(b *nest) { b.scatter("ids", "idsRows", frozen) })
	},
	Sample: samples(sample(attrs("rows", 7), normal(ir.T, ir.N(5)), below(7, ir.T)), sample(attrs("rows", 40), normal(ir.T, ir.N(16)), below(40, ir.T))),
})

// scatter writes the sums of the rows of x by their places in the result: row k is added to row to[k]. Rows are added in their order. A
// frozen row becomes 0; below 0, no row is frozen. The nest looks at all places, and adds the rows that go to the m rows of the result from number at on.
func (b *nest) scatter(to, count string, frozen int) {
	b.zeros("yz", "y")
	b.all("rowOf", to, loop.V(count))
	b.each("k", loop.V(count), func(k loop.Expr) {
		place := b.Let("place", loop.Sub(loop.At("rowOf", k), loop.V("at")))
		b.If(within(place, loop.V("m")), func() {
			b.row("xk", "x", k)
			b.row("yk", "y", place)
			b.addTo("yk", b.cols["y"], of("xk"))
		}, nil)
	})
	if frozen < 0 {
		return
	}
	still := b.Let("still", loop.Sub(loop.I(frozen), loop.V("at")))
	b.If(within(still, loop.V("m")), func() {
		b.row("ys", "y", still)
		b.clear("ys", b.cols["y"])
	}, nil)
}
