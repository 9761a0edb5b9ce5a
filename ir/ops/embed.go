package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "embed", Class: ir.Gather,
	Doc: "Rows of a table: y[t] = table[ids[t]] (+ plus[t]), [V, E], [T] → [T, E]. With plus the kernel adds to y, which must be plus's memory.",
	In: []ir.Operand{whole(float("table", "[V, E], or [V, E16] with the attribute width")), {Name: "ids", DType: ir.I32, Doc: "[T] rows in 0 … V-1"},
		optional("plus", "[T, E]")},
	Attrs: []ir.AttrDef{
		{Name: "width", Type: ir.AttrInt, Doc: "E where the table's rows are padded; 0: all columns"},
		{Name: "frozen", Type: ir.AttrInt, Doc: "a row that gets no gradient through the lookup (padding); absent: there is no such row"},
		{Name: "stopped", Type: ir.AttrBool, Doc: "the table gets no gradient through the lookup"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, cols, err := fixed(n, 0)
		if err != nil {
			return nil, err
		}
		ids := n.In[1].Type.Shape
		if len(ids) != 1 {
			return nil, fmt.Errorf("ids is %s, not a vector", n.In[1].Type)
		}
		e := n.Int("width")
		if e == 0 {
			e = cols
		}
		if e < 1 || e > cols {
			return nil, fmt.Errorf("%d columns of a table that has %d", e, cols)
		}
		return []ir.Type{f32(ids[0], ir.N(e))}, shaped(n, 2, ids[0], ir.N(e))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		rows, cols := in[0].Shape[0], in[0].Shape[1]
		e := n.Int("width")
		if e == 0 {
			e = cols
		}
		y := ir.NewArray(in[1].Shape[0], e)
		buf := make([]float64, cols)
		for t, id := range in[1].I {
			if id < 0 || int(id) >= rows {
				return nil, fmt.Errorf("ids[%d] is %d, the table has %d rows", t, id, rows)
			}
			in[0].Row(int(id), buf)
			copy(y.F[t*e:(t+1)*e], buf)
		}
		if plus := data(in, 2); plus != nil {
			for i, v := range plus.Floats() {
				y.F[i] += v
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		table := n.In[0].Type.Shape
		if n.Flag("stopped") {
			return []*ir.Value{nil, nil, dy[0]}[:len(n.In)], nil
		}
		if table[1] != dy[0].Type.Shape[1] {
			return nil, fmt.Errorf("%v: no gradient goes to a padded table", n.Pos)
		}
		a := attrs("rows", table[0].N)
		if f := n.Attr("frozen"); f != nil {
			a = append(a, ir.A("frozen", f))
		}
		return []*ir.Value{b.Like(n, "scatter_add", a, dy[0], n.In[1]), nil, dy[0]}[:len(n.In)], b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		y := float64(s.Elements(n.Out[0].Type.Shape))
		if in(n, 2) == nil {
			return ir.Cost{Bytes: 8 * y}
		}
		return ir.Cost{FLOPs: y, Bytes: 12 * y}
	},
	Lower:    lowerEmbed,
	Launches: embedLaunches,
	Kernels:  []string{"embed"},
	Sample: samples(
		sample(nil, normal(ir.N(7), ir.N(5)), below(7, ir.T)),
		sample(nil, normal(ir.N(7), ir.N(16)), below(7, ir.T), normal(ir.T, ir.N(16))),
	),
})

// embedLaunches returns one call, which works in the memory of plus if that operand is there.
func embedLaunches(n *ir.Node, starts []int32, _ []*ir.Array) []ir.Launch {
	at := map[string]ir.Place{"y": {Operand: ir.Result}, "ids": {Operand: 1}, "table": {Operand: 0}}
	if in(n, 2) != nil {
		at["y"] = ir.Place{Operand: 2}
	}
	return []ir.Launch{{Memory: at, Counts: map[string]int{"m": int(starts[len(starts)-1])}}}
}

// lowerEmbed returns the portable form with the arguments (y, ids, table, m).
func lowerEmbed(n *ir.Node) (*loop.Nest, error) {
	cols, ldy, err := row(n.Out[0])
	_, ldt, err2 := row(n.In[0])
	if err := first(err, err2); err != nil {
		return nil, err
	}
	args := []loop.Arg{{Name: "y", Kind: loop.FloatPtr}, {Name: "ids", Kind: loop.IntPtr}, {Name: "table", Kind: loop.FloatPtr}, {Name: "m", Kind: loop.Count}}
	b := loop.New(fmt.Sprintf("y[i] = table[ids[i]], m rows of %d.", cols), args...)
	b.Slice("id", "ids", loop.I(0), loop.V("m"))
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
		b.Slice("ti", "table", loop.Mul(loop.At("id", i), loop.I(ldt)), loop.I(cols))
		b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) {
			v := loop.At("ti", j)
			if in(n, 2) != nil {
				v = loop.Add(loop.At("yi", j), v)
			}
			b.Store("yi", j, v)
		})
	})
	return b.Nest()
}
