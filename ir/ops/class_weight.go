package ops

import (
	"errors"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "numbers", Class: ir.Constant,
	Doc:   "A vector of the given numbers.",
	Attrs: []ir.AttrDef{{Name: "of", Type: ir.AttrFloats, Required: true, Doc: "the numbers, at least one"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		list := n.FloatList("of")
		if len(list) == 0 {
			return nil, errors.New("no numbers")
		}
		return []ir.Type{f32(ir.N(len(list)))}, nil
	},
	Ref: func(n *ir.Node, _ []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(len(n.FloatList("of")))
		copy(y.F, n.FloatList("of"))
		return []*ir.Array{y}, nil
	},
	NoGrad:  "it has no operands",
	NoLower: atPacking,
	Sample:  samples(sample(attrs("of", []float64{1, 0.25, -3}))),
})

var _ = ir.Define(ir.Op{
	Name: "class_weight", Class: ir.Rowwise,
	Doc: "The weight of each row's class: y[i] = x[target[i]], and 0 for a row whose target is below 0, [N], [M] → [M].",
	In:  []ir.Operand{whole(float("x", "[N]")), targetIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, err := numbers(n, 0)
		rows, err2 := numbers(n, 1)
		return []ir.Type{f32(rows)}, first(err, err2)
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		x, y := in[0].Floats(), ir.NewArray(in[1].Shape[0])
		return []*ir.Array{y}, eachTarget(in[1], len(x), func(i, c int) { y.F[i] = x[c] })
	},
	NoGrad: "the weights of classes are constants",
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = x[target[i]], or 0 for a target below 0, m rows.", "x target m", func(b *nest) {
			b.all("xs", "x", loop.I(n.In[0].Type.Shape[0].N))
			b.all("to", "target", loop.V("m"))
			b.all("ys", "y", loop.V("m"))
			b.rows(func(i loop.Expr) {
				v := b.Let("v", loop.F(0))
				class := b.Let("class", loop.At("to", i))
				b.If(notBelow0(class), func() { b.Assign(v, loop.At("xs", class)) }, nil)
				b.Store("ys", i, v)
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.N(3)), targets(3, ir.T)), sample(nil, normal(ir.N(2)), targets(2, ir.B))),
})
