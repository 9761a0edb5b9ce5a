package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "place_columns", Class: ir.Layout,
	Doc: "The columns of x from column at on, and zeros in the other ones: [M, N] → [M, columns].",
	In:  []ir.Operand{whole(float("x", "[M, N]"))},
	Attrs: []ir.AttrDef{
		{Name: "at", Type: ir.AttrInt, Required: true, Doc: "the column of the first column of x, from 0"},
		{Name: "columns", Type: ir.AttrInt, Required: true, Doc: "columns of the result"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, cols, err := fixed(n, 0)
		if at, all := n.Int("at"), n.Int("columns"); err == nil && (at < 0 || at+cols > all) {
			return nil, fmt.Errorf("%d columns from column %d on do not fit %d columns", cols, at, all)
		}
		return []ir.Type{f32(ir.N(rows), ir.N(n.Int("columns")))}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		cols, at, all := in[0].Shape[1], n.Int("at"), n.Int("columns")
		return []*ir.Array{in[0].Rearrange([]int{in[0].Shape[0], all}, func(i int) int {
			if c := i%all - at; c >= 0 && c < cols {
				return i/all*cols + c
			}
			return -1
		})}, nil
	},
	NoGrad:  afterGrad,
	NoLower: "it runs when adapters are packed",
	Sample: samples(sample(attrs("at", 2, "columns", 7), normal(ir.N(3), ir.N(4))), sample(attrs("at", 0, "columns", 4), normal(ir.N(3), ir.N(4))),
		sample(attrs("at", 5, "columns", 6), normal(ir.N(2), ir.N(1)))),
})
