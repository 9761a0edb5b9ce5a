package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "sgd", Class: ir.Flat,
	Doc: "A step of gradient descent with momentum, and with decoupled decay as in SGDW (Loshchilov and Hutter 2019, algorithm 1): " +
		"first = momentum·first + clip·grad, p = p - rate·(first + decay·p). Without momentum p = p - rate·(clip·grad + decay·p), and there is no first. " +
		"The results lie in the memory of p and first.",
	In:    []ir.Operand{paramIn, gradIn, rateIn, clipIn, optional("first", "as p; 0 before the first step; missing without momentum")},
	Attrs: []ir.AttrDef{decayAttr, touchedAttr, {Name: "momentum", Type: ir.AttrFloat, Required: true, Doc: "weight of the old sum of gradients; 0: none"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		results := []int{0}
		if in(n, 4) != nil {
			results = append(results, 4)
		}
		types, err := updated(n, []int{1, 4}, results...)
		if err == nil && (n.Float("momentum") == 0) != (in(n, 4) == nil) {
			err = fmt.Errorf("a momentum of %g, with first %v", n.Float("momentum"), map[bool]string{true: "missing", false: "given"}[in(n, 4) == nil])
		}
		return types, first(err, fraction(n, "momentum"), positiveDecay(n), hasRows(n), shaped(n, 2, ir.N(1)), shaped(n, 3, ir.N(1)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		p, g, rate, clip := in[0].Floats(), in[1].Floats(), in[2].Floats()[0], in[3].Floats()[0]
		next, moment := ir.NewArray(in[0].Shape...), ir.NewArray(in[0].Shape...)
		for i := range p {
			d := clip * g[i]
			if len(n.Out) > 1 {
				d += n.Float("momentum") * in[4].Floats()[i]
			}
			moment.F[i], next.F[i] = d, p[i]-rate*(d+n.Float("decay")*p[i])
		}
		out := []*ir.Array{next, moment}[:len(n.Out)]
		keepRows(n, in, out, []int{0, 4}[:len(n.Out)]...)
		return out, nil
	},
	NoGrad: onlyLast,
	InPlace: func(n *ir.Node) []int {
		return []int{0, 4}[:len(n.Out)]
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		e := float64(s.Elements(n.In[0].Type.Shape))
		return ir.Cost{FLOPs: 7 * e, Bytes: float64(4+8*len(n.Out)) * e}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		tensors := []string{"p", "grad", "first"}[:1+len(n.Out)]
		b := newNest("SGD: n parameters and their sums of gradients, in place.", nil, tensors, []string{"rate", "clip"})
		rate, clip := b.number("r", "rate", 0), b.number("c", "clip", 0)
		b.each(func(i loop.Expr, at func(string) loop.Expr) {
			d := loop.Mul(clip, at("grad"))
			if len(n.Out) > 1 {
				d = b.Let("d", loop.Add(loop.Mul(loop.F(n.Float("momentum")), at("first")), d))
				b.Store("firsts", i, d)
			}
			if decay := n.Float("decay"); decay != 0 {
				d = loop.Add(d, loop.Mul(loop.F(decay), at("p")))
			}
			b.Store("ps", i, loop.Sub(at("p"), loop.Mul(rate, d)))
		})
		return b.Nest()
	},
	Launches: touchedLaunches,
	Kernels:  []string{"update"},
	Sample: samples(
		sample(attrs("decay", 0.01, "momentum", 0.9, "touched", true), withSome(sgdArgs(normal, ir.N(8), ir.N(19)))...),
		sample(attrs("decay", 0.0, "momentum", 0.0, "touched", true), withSome(sgdArgs(func(...ir.Dim) ir.Arg { return missing() }, ir.N(5), ir.N(33)))...),
		sample(attrs("decay", 0.01, "momentum", 0.9), sgdArgs(normal, ir.N(5), ir.N(19))...),
		sample(attrs("decay", 0.0, "momentum", 0.0), sgdArgs(func(...ir.Dim) ir.Arg { return missing() }, ir.N(7))...),
	),
})

// sgdArgs are the operands of a sample of sgd.
func sgdArgs(moment func(dims ...ir.Dim) ir.Arg, dims ...ir.Dim) []ir.Arg {
	return []ir.Arg{normal(dims...), normal(dims...), positive(ir.N(1)), positive(ir.N(1)), moment(dims...)}
}
