package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "head_panels", Class: ir.Layout,
	Doc: "A projected relative table in the order in which attention reads it: [R, A·D] → [A, ⌈R/16⌉, DP, 16]. Element (a, p, d, c) is column a·D+d " +
		"of row 16p+c; it is zero beyond R and D.",
	In:    []ir.Operand{float("t", "[R, A·D]")},
	Attrs: []ir.AttrDef{headsAttr, {Name: "dp", Type: ir.AttrInt, Required: true, Doc: "DP, the head size after padding"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, cols, err := fixed(n, 0)
		if err != nil {
			return nil, err
		}
		a, err := heads(n, cols)
		if err != nil {
			return nil, err
		}
		if n.Int("dp") < cols/a {
			return nil, fmt.Errorf("heads of %d do not fit into %d", cols/a, n.Int("dp"))
		}
		return []ir.Type{f32(ir.N(a), ir.N(round16(rows)/16), ir.N(n.Int("dp")), ir.N(16))}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		rows, cols := in[0].Shape[0], in[0].Shape[1]
		a, dp := n.Int("heads"), n.Int("dp")
		d, panels := cols/a, round16(rows)/16
		return []*ir.Array{in[0].Rearrange([]int{a, panels, dp, 16}, func(i int) int {
			head, r, col := i/(panels*dp*16), i/(dp*16)%panels*16+i%16, i/16%dp
			if r >= rows || col >= d {
				return -1
			}
			return r*cols + head*d + col
		})}, nil
	},
	NoGrad:  afterGrad,
	NoLower: atPacking,
	Sample:  samples(sample(attrs("heads", 2, "dp", 16), normal(ir.N(19), ir.N(6)))),
})
