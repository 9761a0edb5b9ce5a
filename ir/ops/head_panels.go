package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/bf16"
)

var _ = ir.Define(ir.Op{
	Name: "head_panels", Class: ir.Layout,
	Doc: "A projected relative table in the order in which attention reads it: [R, A·D] → [A, ⌈R/16⌉, DP, 16]. Element (a, p, d, c) is column a·D+d " +
		"of row 16p+c; it is zero beyond R and D.",
	In:    []ir.Operand{float("t", "[R, A·D]")},
	Attrs: []ir.AttrDef{headsAttr, {Name: "dp", Type: ir.AttrInt, Required: true, Doc: "DP, the head size after padding"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		a, panels, err := headPanelsShape(n)
		return []ir.Type{f32(ir.N(a), ir.N(panels), ir.N(n.Int("dp")), ir.N(16))}, err
	},
	Ref:     func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) { return []*ir.Array{headPanels(n, in[0])}, nil },
	NoGrad:  afterGrad,
	NoLower: atPacking,
	Sample:  samples(sample(attrs("heads", 2, "dp", 16), normal(ir.N(19), ir.N(6)))),
})

var _ = ir.Define(ir.Op{
	Name: "head_panels_bf16", Class: ir.Layout,
	Doc: "The op head_panels for a table that is rounded to bfloat16: [R, A·D] → [A, ⌈R/16⌉, DP/2, 16] pairs. Pair (a, p, d, c) is that of the columns 2d " +
		"and 2d+1 of head a.",
	In:    []ir.Operand{float("t", "[R, A·D]")},
	Attrs: []ir.AttrDef{headsAttr, {Name: "dp", Type: ir.AttrInt, Required: true, Doc: "DP, the head size after padding, which is even"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		a, panels, err := headPanelsShape(n)
		if err == nil && n.Int("dp")%2 > 0 {
			err = fmt.Errorf("%d columns have no pairs", n.Int("dp"))
		}
		return []ir.Type{i32(ir.N(a), ir.N(panels), ir.N(n.Int("dp")/2), ir.N(16))}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		x := headPanels(n, in[0])
		from, pairs := x.Floats(), n.Int("dp")/2
		y := ir.NewInts(x.Shape[0], x.Shape[1], pairs, 16)
		for i := range y.I {
			at := i/16*32 + i%16 // a pair takes the place of two columns
			y.I[i] = bf16.Pair(float32(from[at]), float32(from[at+16]))
		}
		return []*ir.Array{y}, nil
	},
	NoGrad:  notInGradients,
	NoLower: atPacking,
	Sample:  samples(sample(attrs("heads", 2, "dp", 16), normal(ir.N(19), ir.N(6)))),
})

// headPanelsShape returns the number of heads and of panels of a table.
func headPanelsShape(n *ir.Node) (a, panels int, err error) {
	rows, cols, err := fixed(n, 0)
	if err != nil {
		return 0, 0, err
	}
	if a, err = heads(n, cols); err != nil {
		return 0, 0, err
	}
	if n.Int("dp") < cols/a {
		return 0, 0, fmt.Errorf("heads of %d do not fit into %d", cols/a, n.Int("dp"))
	}
	return a, round16(rows) / 16, nil
}

// headPanels returns a table in panels.
func headPanels(n *ir.Node, t *ir.Array) *ir.Array {
	rows, cols := t.Shape[0], t.Shape[1]
	a, dp := n.Int("heads"), n.Int("dp")
	d, panels := cols/a, round16(rows)/16
	return t.Rearrange([]int{a, panels, dp, 16}, func(i int) int {
		head, r, col := i/(panels*dp*16), i/(dp*16)%panels*16+i%16, i/16%dp
		if r >= rows || col >= d {
			return -1
		}
		return r*cols + head*d + col
	})
}
