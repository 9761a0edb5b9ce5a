package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// adam holds the constants of an update by moments.
type adam struct{ beta1, beta2, decay float64 }

// adamOf returns the constants of a node.
func adamOf(n *ir.Node) adam { return adam{n.Float("beta1"), n.Float("beta2"), n.Float("decay")} }

// moments returns the next moving means of the gradient and of its square.
func (a adam) moments(g, first, second []float64, clip float64) (nextFirst, nextSecond []float64) {
	nextFirst, nextSecond = make([]float64, len(g)), make([]float64, len(g))
	for i, x := range g {
		x *= clip
		nextFirst[i] = a.beta1*first[i] + (1-a.beta1)*x
		nextSecond[i] = a.beta2*second[i] + (1-a.beta2)*x*x
	}
	return nextFirst, nextSecond
}

// direction returns what is subtracted from each parameter, without the rate: the moments' quotient and the decay.
func (a adam) direction(p, first, second, moments []float64) []float64 {
	d := make([]float64, len(p))
	for i := range d {
		d[i] = moments[0]*first[i]/(moments[1]*math.Sqrt(second[i])+moments[2]) + a.decay*p[i]
	}
	return d
}

var _ = ir.Define(ir.Op{
	Name: "adamw", Class: ir.Flat,
	Doc: "A step of AdamW (Loshchilov and Hutter 2019, algorithm 2): first = β1·first + (1-β1)·clip·grad, second = β2·second + (1-β2)·(clip·grad)², and " +
		"p = p - rate·(a·first/(b·√second + c) + decay·p), where moments holds a, b, c. With bias correction a = 1/(1-β1ᵗ), b = 1/√(1-β2ᵗ), c = eps; " +
		"without, a = b = 1. RAdam (Liu et al. 2020, algorithm 2) is the same op with other numbers. The results lie in the memory of p, first and second.",
	In:    []ir.Operand{paramIn, gradIn, firstIn, secondIn, rateIn, clipIn, momentsIn},
	Attrs: []ir.AttrDef{beta1Attr, beta2Attr, decayAttr, touchedAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		types, err := updated(n, []int{1, 2, 3}, 0, 2, 3)
		return types, first(err, fraction(n, "beta1", "beta2"), positiveDecay(n), hasRows(n), shaped(n, 4, ir.N(1)), shaped(n, 5, ir.N(1)),
			shaped(n, 6, ir.N(3)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		a, p, rate := adamOf(n), in[0].Floats(), in[4].Floats()[0]
		first, second := a.moments(in[1].Floats(), in[2].Floats(), in[3].Floats(), in[5].Floats()[0])
		next := a.direction(p, first, second, in[6].Floats())
		for i, d := range next {
			next[i] = p[i] - rate*d
		}
		out := []*ir.Array{{Shape: in[0].Shape, F: next}, {Shape: in[0].Shape, F: first}, {Shape: in[0].Shape, F: second}}
		keepRows(n, in, out, 0, 2, 3)
		return out, nil
	},
	NoGrad:  onlyLast,
	InPlace: func(*ir.Node) []int { return []int{0, 2, 3} },
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		e := float64(s.Elements(n.In[0].Type.Shape))
		return ir.Cost{FLOPs: 17 * e, Bytes: 28 * e}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		a := adamOf(n)
		b := newNest("AdamW: p, first and second of n parameters, in place.", nil,
			[]string{"p", "grad", "first", "second"}, []string{"rate", "clip", "moments"})
		k := b.adamNumbers()
		rate := b.number("r", "rate", 0)
		b.each(func(i loop.Expr, at func(string) loop.Expr) {
			first, second := a.nextMoments(b, k, i, at)
			b.Store("ps", i, loop.Sub(at("p"), loop.Mul(rate, a.way(b, k, at("p"), first, second))))
		})
		return b.Nest()
	},
	Launches: touchedLaunches,
	Kernels:  []string{"update"},
	Sample: samples(
		sample(attrs("beta1", 0.9, "beta2", 0.999, "decay", 0.01, "touched", true), withSome(adamArgs(ir.N(8), ir.N(19)))...),
		sample(attrs("beta1", 0.9, "beta2", 0.999, "decay", 0.01, "touched", true), withSome(adamArgs(ir.N(7), ir.N(8000)))...),
		sample(attrs("beta1", 0.9, "beta2", 0.999, "decay", 0.01), adamArgs(ir.N(5), ir.N(19))...),
		sample(attrs("beta1", 0.0, "beta2", 0.0, "decay", 0.0), adamArgs(ir.N(7))...),
		sample(attrs("beta1", 0.5, "beta2", 0.5, "decay", 0.0), adamArgs(ir.N(5), ir.N(8000))...),
	),
})

// adamArgs are the operands of a sample of adamw.
func adamArgs(dims ...ir.Dim) []ir.Arg {
	return []ir.Arg{normal(dims...), normal(dims...), normal(dims...), positive(dims...), positive(ir.N(1)), positive(ir.N(1)), positive(ir.N(3))}
}

// withSome makes the gradient of an update one of some rows.
func withSome(args []ir.Arg) []ir.Arg {
	args[1].Fill = ir.FillSome
	return args
}

// adamNumbers are the numbers of a step as variables of a nest.
type adamNumbers struct{ clip, mean, root, plus loop.Expr }

// adamNumbers writes the variables of a nest with the arguments clip and moments.
func (b nestOf) adamNumbers() adamNumbers {
	k := b.adamRatio()
	k.clip = b.number("c", "clip", 0)
	return k
}

// adamRatio writes the variables of a nest with the argument moments.
func (b nestOf) adamRatio() adamNumbers {
	return adamNumbers{mean: b.number("mean", "moments", 0), root: b.number("root", "moments", 1), plus: b.number("plus", "moments", 2)}
}

// nextMoments writes the next moments, stores them and returns them.
func (a adam) nextMoments(b nestOf, k adamNumbers, i loop.Expr, at func(string) loop.Expr) (first, second loop.Expr) {
	g := b.Let("gc", loop.Mul(at("grad"), k.clip))
	first = b.Let("m", loop.Add(loop.Mul(loop.F(a.beta1), at("first")), loop.Mul(loop.F(1-a.beta1), g)))
	second = b.Let("v", loop.Add(loop.Mul(loop.F(a.beta2), at("second")), loop.Mul(loop.F(1-a.beta2), g, g)))
	b.Store("firsts", i, first)
	b.Store("seconds", i, second)
	return first, second
}

// way returns what is subtracted from a parameter, without the rate.
func (a adam) way(b nestOf, k adamNumbers, p, first, second loop.Expr) loop.Expr {
	d := loop.Div(loop.Mul(k.mean, first), loop.Add(loop.Mul(k.root, loop.Fn("sqrt", second)), k.plus))
	if a.decay != 0 {
		d = loop.Add(d, loop.Mul(loop.F(a.decay), p))
	}
	return b.Let("d", d)
}
