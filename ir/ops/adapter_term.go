package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "adapter_term", Class: ir.Contraction,
	Doc: "t = u·Bᵀ + residual, what a low-rank adapter adds to a product (see adapter_in), with B in panels: [., R], [⌈N/16⌉, R, 16] → [., N]. In a call " +
		"without an adapter it is the residual, or 0, and no code runs: the product then adds its residual itself.",
	In: []ir.Operand{float("u", "[., R]"), float("b", "[⌈N/16⌉, R, 16], see panels; of the adapter"),
		optional("residual", "[., N]; its row distance is that of t")},
	Attrs: []ir.AttrDef{
		{Name: "n", Type: ir.AttrInt, Required: true, Doc: "N, columns of the result"},
		{Name: "k", Type: ir.AttrInt, Required: true, Doc: "R, columns of u"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) { return ir.Lookup("gemm").Shape(GemmOf(n)) },
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		residual := data(in, 2)
		switch {
		case in[1] == nil && residual == nil:
			return []*ir.Array{ir.NewArray(in[0].Shape[0], n.Int("n"))}, nil
		case in[1] == nil:
			return []*ir.Array{residual}, nil
		}
		return ir.Lookup("gemm").Ref(GemmOf(n), []*ir.Array{in[0], in[1], nil, residual})
	},
	NoGrad: afterGrad,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return productCost(n, s, n.Int("k"), in(n, 2) != nil)
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) { return GemmNest(GemmOf(n), 16) },
	Launches: func(n *ir.Node, starts []int32, in []*ir.Array) []ir.Launch {
		list := ir.Lookup("gemm").Launches(GemmOf(n), starts, in)
		for _, l := range list { // the product has its bias between
			l.Memory["r"] = ir.Place{Operand: 2, At: l.Memory["r"].At}
			delete(l.Memory, "bias")
		}
		return list
	},
	Kernels: []string{"gemm"},
	Sample: samples(
		sample(attrs("n", 19, "k", 3), normal(ir.T, ir.N(3)), panelled(19, 3)),
		sample(attrs("n", 34, "k", 4), normal(ir.T, ir.N(4)), panelled(34, 4), normal(ir.T, ir.N(34))),
	),
})
