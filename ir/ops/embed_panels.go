package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "embed_panels", Class: ir.Gather,
	Doc: "The op embed for a table in panels, which products read too: y[t] = row ids[t] (+ plus[t]), [⌈V/16⌉, E, 16], [T] → [T, E]. With plus it adds to y, " +
		"which must be plus's memory.",
	In: []ir.Operand{whole(float("table", "[⌈V/16⌉, E, 16], see panels")),
		{Name: "ids", DType: ir.I32, Doc: "[T] rows in 0 … V-1"}, optional("plus", "[T, E]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, ids := n.In[0].Type.Shape, n.In[1].Type.Shape
		if len(s) != 3 || !s[0].Const() || !s[1].Const() || s[2] != ir.N(16) {
			return nil, fmt.Errorf("table is %s, not panels", n.In[0].Type)
		}
		if len(ids) != 1 {
			return nil, fmt.Errorf("ids is %s, not a vector", n.In[1].Type)
		}
		return []ir.Type{f32(ids[0], s[1])}, shaped(n, 2, ids[0], s[1])
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		rows, e := in[0].Shape[0]*16, in[0].Shape[1]
		table, y := in[0].Floats(), ir.NewArray(in[1].Shape[0], e)
		for t, id := range in[1].I {
			if id < 0 || int(id) >= rows {
				return nil, fmt.Errorf("ids[%d] is %d, the table has %d rows", t, id, rows)
			}
			for j := range e {
				y.F[t*e+j] = table[(int(id)/16*e+j)*16+int(id)%16]
			}
		}
		if plus := data(in, 2); plus != nil {
			for i, v := range plus.Floats() {
				y.F[i] += v
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: afterGrad,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{Bytes: 8 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Lower:    lowerEmbedPanels,
	Launches: embedLaunches,
	Sample: samples(
		sample(nil, panelled(19, 5), below(19, ir.T)),
		sample(nil, panelled(16, 3), below(16, ir.T), normal(ir.T, ir.N(3))),
	),
})

// lowerEmbedPanels returns the portable form with the arguments (y, table, ids, m).
func lowerEmbedPanels(n *ir.Node) (*loop.Nest, error) {
	cols, ldy, err := row(n.Out[0])
	if err != nil {
		return nil, err
	}
	args := append(append(loop.Floats("y", "table"), loop.Ints("ids")...), loop.Counts("m")...)
	b := loop.New(fmt.Sprintf("y[i] = row ids[i] of a table in panels, m rows of %d.", cols), args...)
	b.Slice("id", "ids", loop.I(0), loop.V("m"))
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
		b.Slice("panel", "table", loop.Mul(loop.Div(loop.At("id", i), loop.I(16)), loop.I(16*cols)), loop.I(16*cols))
		lane := b.Let("lane", loop.Mod(loop.At("id", i), loop.I(16)))
		b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) {
			v := loop.At("panel", loop.Add(loop.Mul(j, loop.I(16)), lane))
			if in(n, 2) != nil {
				v = loop.Add(loop.At("yi", j), v)
			}
			b.Store("yi", j, v)
		})
	})
	return b.Nest()
}
