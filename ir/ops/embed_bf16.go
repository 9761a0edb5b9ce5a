package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "embed_bf16", Class: ir.Gather,
	Doc: "The op embed for a table that is rounded to bfloat16: y[t] = row ids[t] (+ plus[t]), [T] → [T, E]. The table is in rows of pairs of columns, with " +
		"zeros up to a multiple of 16 columns, or in the panels that products read too. With plus it adds to y, which must be plus's memory.",
	In: []ir.Operand{whole(pairsOperand("table", "[V, E16/2] pairs, see bf16_pairs, or [⌈V/16⌉, ⌈E/2⌉, 16], see panels_bf16")),
		{Name: "ids", DType: ir.I32, Doc: "[T] rows in 0 … V-1"}, optional("plus", "[T, E]")},
	Attrs: []ir.AttrDef{{Name: "width", Type: ir.AttrInt, Required: true, Doc: "E"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, ids, e := n.In[0].Type.Shape, n.In[1].Type.Shape, n.Int("width")
		rows := len(s) == 2 && s[1] == ir.N(round16(e)/2)
		panels := len(s) == 3 && s[1] == ir.N((e+1)/2) && s[2] == ir.N(16)
		if e < 1 || !rows && !panels || !s[0].Const() {
			return nil, fmt.Errorf("table is %s for rows of %d", n.In[0].Type, e)
		}
		if len(ids) != 1 {
			return nil, fmt.Errorf("ids is %s, not a vector", n.In[1].Type)
		}
		return []ir.Type{f32(ids[0], ir.N(e))}, shaped(n, 2, ids[0], ir.N(e))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		table, e := in[0], n.Int("width")
		rows, place := table.Shape[0], func(r, j int) int { return r*table.Shape[1] + j/2 }
		if len(table.Shape) == 3 {
			rows, place = 16*rows, func(r, j int) int { return (r/16*table.Shape[1]+j/2)*16 + r%16 }
		}
		y := ir.NewArray(in[1].Shape[0], e)
		for t, id := range in[1].I {
			if id < 0 || int(id) >= rows {
				return nil, fmt.Errorf("ids[%d] is %d, the table has %d rows", t, id, rows)
			}
			for j := range e {
				y.F[t*e+j] = half(table.I[place(int(id), j)], j%2)
			}
		}
		if plus := data(in, 2); plus != nil {
			for i, v := range plus.Floats() {
				y.F[i] += v
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: notInGradients,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{Bytes: 6 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Lower:    lowerEmbedPairs,
	Launches: embedLaunches,
	Kernels:  []string{"pair_embed"},
	Sample: samples(
		sample(attrs("width", 5), paired(ir.N(7), ir.N(8)), below(7, ir.T)),
		sample(attrs("width", 32), paired(ir.N(7), ir.N(16)), below(7, ir.T), normal(ir.T, ir.N(32))),
		sample(attrs("width", 5), panelledPairs(19, 5), below(19, ir.T)),
		sample(attrs("width", 4), panelledPairs(16, 4), below(16, ir.T), normal(ir.T, ir.N(4))),
	),
})

// lowerEmbedPairs returns the portable form with the arguments (y, ids, table, m), as the kernel has, or for panels (y, table, ids, m).
func lowerEmbedPairs(n *ir.Node) (*loop.Nest, error) {
	cols, ldy, err := row(n.Out[0])
	if err != nil {
		return nil, err
	}
	s, form, ints := n.In[0].Type.Shape, "rows", loop.Ints("ids", "table")
	if len(s) == 3 {
		form, ints = "panels", loop.Ints("table", "ids")
	}
	args := append(append(loop.Floats("y"), ints...), loop.Counts("m")...)
	b := loop.New(fmt.Sprintf("y[i] = row ids[i] of a table of bfloat16 in %s, m rows of %d.", form, cols), args...)
	b.Slice("id", "ids", loop.I(0), loop.V("m"))
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
		pair := func(c loop.Expr) loop.Expr { return loop.At("ti", c) }
		if len(s) == 2 {
			b.Slice("ti", "table", loop.Mul(loop.At("id", i), loop.I(s[1].N)), loop.I((cols+1)/2))
		} else {
			size := loop.I(16 * s[1].N)
			b.Slice("ti", "table", loop.Mul(loop.Div(loop.At("id", i), loop.I(16)), size), size)
			lane := b.Let("lane", loop.Mod(loop.At("id", i), loop.I(16)))
			pair = func(c loop.Expr) loop.Expr { return loop.At("ti", loop.Add(loop.Mul(c, loop.I(16)), lane)) }
		}
		put := func(j loop.Expr, v loop.Expr) {
			if in(n, 2) != nil {
				v = loop.Add(loop.At("yi", j), v)
			}
			b.Store("yi", j, v)
		}
		b.For("c", loop.I(0), loop.I(cols/2), 1, func(c loop.Expr) {
			p, j := b.Let("p", pair(c)), loop.Mul(c, loop.I(2))
			put(j, loop.Fn("lower", p))
			put(loop.Add(j, loop.I(1)), loop.Fn("upper", p))
		})
		if cols%2 > 0 {
			put(loop.I(cols-1), loop.Fn("lower", pair(loop.I(cols/2))))
		}
	})
	return b.Nest()
}
