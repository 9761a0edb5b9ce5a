package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "adapter_in", Class: ir.Contraction,
	Doc: "u = x·Aᵀ, the first product of a low-rank adapter (Hu et al. 2021, section 4.1), with A in panels: [., K], [⌈R/16⌉, K, 16] → [., R]. In a call " +
		"without an adapter it is 0, and no code runs.",
	In: []ir.Operand{float("x", "[., K]"), float("a", "[⌈R/16⌉, K, 16], see panels; of the adapter")},
	Attrs: []ir.AttrDef{
		{Name: "n", Type: ir.AttrInt, Required: true, Doc: "R, columns of the result"},
		{Name: "k", Type: ir.AttrInt, Required: true, Doc: "K, columns of x"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) { return ir.Lookup("gemm").Shape(GemmOf(n)) },
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		if in[1] == nil {
			return []*ir.Array{ir.NewArray(in[0].Shape[0], n.Int("n"))}, nil
		}
		return ir.Lookup("gemm").Ref(GemmOf(n), in)
	},
	NoGrad: afterGrad,
	Cost:   func(n *ir.Node, s ir.Sizes) ir.Cost { return productCost(n, s, n.Int("k"), false) },
	Lower:  func(n *ir.Node) (*loop.Nest, error) { return GemmNest(GemmOf(n), 16) },
	Launches: func(n *ir.Node, starts []int32, in []*ir.Array) []ir.Launch {
		return ir.Lookup("gemm").Launches(GemmOf(n), starts, in)
	},
	Kernels: []string{"gemm"},
	Sample: samples(
		sample(attrs("n", 19, "k", 7), normal(ir.T, ir.N(7)), panelled(19, 7)),
		sample(attrs("n", 4, "k", 5), normal(ir.B, ir.N(5)), panelled(4, 5)),
	),
})

// GemmOf returns the gemm that a node of a low-rank adapter is: it has the same operands in other places.
func GemmOf(n *ir.Node) *ir.Node {
	list := []*ir.Value{n.In[0], n.In[1]}
	if residual := in(n, 2); residual != nil {
		list = append(list, nil, residual)
	}
	return &ir.Node{Op: "gemm", In: list, Out: n.Out, Attrs: n.Attrs, Pos: n.Pos, Note: n.Note}
}
