package ops

import (
	"fmt"
	"maps"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "act_grad", Class: ir.Elementwise,
	Doc:   "dy · f'(x), the gradient of an activation f: any shape.",
	In:    []ir.Operand{float("dy", "any shape"), float("x", "the same shape")},
	Attrs: []ir.AttrDef{{Name: "act", Type: ir.AttrString, Required: true, Doc: "f, an activation's op"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		if _, ok := activations[n.Str("act")]; !ok {
			return nil, fmt.Errorf("%q is not an activation", n.Str("act"))
		}
		if !n.In[0].Type.Equal(n.In[1].Type) {
			return nil, fmt.Errorf("dy is %s, x is %s: they must have one shape", n.In[0].Type, n.In[1].Type)
		}
		return []ir.Type{n.In[0].Type}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		dy, slope := in[0].Floats(), activations[n.Str("act")].slope
		y := ir.NewArray(in[0].Shape...)
		for i, x := range in[1].Floats() {
			y.F[i] = dy[i] * slope(x)
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: (5 + activations[n.Str("act")].flops) * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		act := activations[n.Str("act")]
		return portable(n, fmt.Sprintf("y = dy·f'(x) for f = %s, m rows.", act.name), "dy x m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.both(i)
				b.row("di", "dy", i)
				b.set("yi", b.cols["x"], func(j loop.Expr) loop.Expr {
					e := b.Let("e", loop.At("xi", j))
					return loop.Mul(loop.At("di", j), act.slopeOf(b.Builder, e))
				})
			})
		})
	},
	Kernels: []string{"act_grad"},
	Sample: func() (list []ir.Sample) {
		for _, act := range slices.Sorted(maps.Keys(activations)) {
			list = append(list, sample(attrs("act", act), normal(ir.T, ir.N(19)), normal(ir.T, ir.N(19))))
		}
		return append(list, sample(attrs("act", "gelu"), normal(ir.B, ir.N(16)), normal(ir.B, ir.N(16))))
	},
})
