package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "lookahead", Class: ir.Flat,
	Doc: "The outer step of lookahead (Zhang et al. 2019, algorithm 1), which runs once per k steps of another optimizer: slow = slow + mix·(p - slow), and " +
		"p = slow. The results lie in the memory of p and slow, and are equal.",
	In:    []ir.Operand{paramIn, float("slow", "as p, the slow weights; the parameters before the first step")},
	Attrs: []ir.AttrDef{{Name: "mix", Type: ir.AttrFloat, Required: true, Doc: "weight of the fast weights, above 0 and at most 1"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		types, err := updated(n, []int{1}, 0, 1)
		if m := n.Float("mix"); err == nil && (m <= 0 || m > 1) {
			err = fmt.Errorf("mix is %g, not above 0 and at most 1", m)
		}
		return types, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		p, slow, y := in[0].Floats(), in[1].Floats(), ir.NewArray(in[0].Shape...)
		for i := range p {
			y.F[i] = slow[i] + n.Float("mix")*(p[i]-slow[i])
		}
		return []*ir.Array{y, y}, nil
	},
	NoGrad:  onlyLast,
	InPlace: func(*ir.Node) []int { return []int{0, 1} },
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 3 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		b := newNest("Lookahead: n parameters and their slow weights, in place.", nil, []string{"p", "slow"}, nil)
		b.each(func(i loop.Expr, at func(string) loop.Expr) {
			v := b.Let("v", loop.Add(at("slow"), loop.Mul(loop.F(n.Float("mix")), loop.Sub(at("p"), at("slow")))))
			b.Store("slows", i, v)
			b.Store("ps", i, v)
		})
		return b.Nest()
	},
	Launches: chunkLaunches(0),
	Kernels:  []string{"update"},
	Sample: samples(sample(attrs("mix", 0.5), normal(ir.N(5), ir.N(19)), normal(ir.N(5), ir.N(19))),
		sample(attrs("mix", 1.0), normal(ir.N(7)), normal(ir.N(7)))),
})

var _ = ir.Define(ir.Op{
	Name: "accumulate", Class: ir.Flat,
	Doc: "The sum of gradients over the parts of a batch: sum + grad, or grad alone if keep is 0; then sum is not read. The result lies in the memory of sum.",
	In:  []ir.Operand{float("sum", "any fixed shape"), float("grad", "as sum"), float("keep", "[1] 0 for the first part of a batch, 1 for the others")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		types, err := updated(n, []int{1}, 0)
		return types, first(err, shaped(n, 2, ir.N(1)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		if in[2].Floats()[0] == 0 {
			return []*ir.Array{in[1]}, nil
		}
		y, sum := ir.NewArray(in[0].Shape...), in[0].Floats()
		for i, g := range in[1].Floats() {
			y.F[i] = sum[i] + g
		}
		return []*ir.Array{y}, nil
	},
	NoGrad:  onlyLast,
	InPlace: func(*ir.Node) []int { return []int{0} },
	Lower: func(*ir.Node) (*loop.Nest, error) {
		b := newNest("sum = grad, or sum + grad unless keep is 0, n numbers.", nil, []string{"sum", "grad"}, []string{"keep"})
		keep := b.number("k", "keep", 0)
		b.If(loop.Bin{Op: "==", X: keep, Y: loop.F(0)}, func() {
			b.each(func(i loop.Expr, at func(string) loop.Expr) { b.Store("sums", i, at("grad")) })
		}, func() {
			b.each(func(i loop.Expr, at func(string) loop.Expr) { b.Store("sums", i, loop.Add(at("sum"), at("grad"))) })
		})
		return b.Nest()
	},
	Launches: chunkLaunches(0),
	Kernels:  []string{"update"},
	Sample: samples(sample(nil, normal(ir.N(5), ir.N(19)), normal(ir.N(5), ir.N(19)), positive(ir.N(1))),
		sample(nil, normal(ir.N(7)), normal(ir.N(7)), ir.Arg{Type: f32(ir.N(1)), Fill: ir.FillZero})),
})
