package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "identity", Class: ir.Layout,
	Doc:   "x itself, of any shape: gives an operand of a region a name in the store.",
	In:    []ir.Operand{float("x", "any shape")},
	Shape: func(n *ir.Node) ([]ir.Type, error) { return []ir.Type{n.In[0].Type}, nil },
	Ref:   func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) { return in, nil },
	Grad: func(_ *ir.Builder, _ *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return dy, nil
	},
	NoLower: atPacking,
	Sample:  samples(sample(nil, normal(ir.N(5), ir.N(3)))),
})
