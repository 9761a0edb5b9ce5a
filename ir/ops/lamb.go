package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "lamb_moments", Class: ir.Flat,
	Doc: "The first pass of LAMB over a tensor (You et al. 2020, algorithm 2): the moments of adamw, and Σp² and Σd² for each chunk of memory, S of them, " +
		"where d = a·first/(b·√second + c) + decay·p. The first two results lie in the memory of first and second.",
	In:    []ir.Operand{paramIn, gradIn, firstIn, secondIn, clipIn, momentsIn},
	Attrs: []ir.AttrDef{beta1Attr, beta2Attr, decayAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		types, err := updated(n, []int{1, 2, 3}, 2, 3)
		if err = first(err, fraction(n, "beta1", "beta2"), positiveDecay(n), shaped(n, 4, ir.N(1)), shaped(n, 5, ir.N(3))); err != nil {
			return nil, err
		}
		chunks, err := chunksOf(n.In[0])
		return append(types, f32(ir.N(2*chunks))), err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		a, p := adamOf(n), in[0].Floats()
		first, second := a.moments(in[1].Floats(), in[2].Floats(), in[3].Floats(), in[4].Floats()[0])
		squares := ir.NewArray(n.Out[2].Type.Shape[0].N)
		for i, d := range a.direction(p, first, second, in[5].Floats()) {
			c := chunkOf(in[0].Shape, i)
			squares.F[2*c] += p[i] * p[i]
			squares.F[2*c+1] += d * d
		}
		return []*ir.Array{{Shape: in[0].Shape, F: first}, {Shape: in[0].Shape, F: second}, squares}, nil
	},
	NoGrad:  onlyLast,
	InPlace: func(*ir.Node) []int { return []int{2, 3, -1} },
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		e := float64(s.Elements(n.In[0].Type.Shape))
		return ir.Cost{FLOPs: 19 * e, Bytes: 24 * e}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		a := adamOf(n)
		b := newNest("LAMB, first pass: first and second of n parameters, in place, and y = Σp², Σd².",
			[]string{"y"}, []string{"p", "grad", "first", "second"}, []string{"clip", "moments"})
		b.Slice("ys", "y", loop.I(0), loop.I(2))
		k := b.adamNumbers()
		pp, dd := b.Let("pp", loop.F(0)), b.Let("dd", loop.F(0))
		b.each(func(i loop.Expr, at func(string) loop.Expr) {
			first, second := a.nextMoments(b, k, i, at)
			d := a.way(b, k, at("p"), first, second)
			b.AddTo(pp, loop.Mul(at("p"), at("p")))
			b.AddTo(dd, loop.Mul(d, d))
		})
		b.Store("ys", loop.I(0), pp)
		b.Store("ys", loop.I(1), dd)
		return b.Nest()
	},
	Launches: chunkLaunches(2),
	Kernels:  []string{"update"},
	Sample: samples(
		sample(attrs("beta1", 0.9, "beta2", 0.999, "decay", 0.01), momentsArgs(ir.N(5), ir.N(19))...),
		sample(attrs("beta1", 0.5, "beta2", 0.5, "decay", 0.0), momentsArgs(ir.N(7))...),
		sample(attrs("beta1", 0.5, "beta2", 0.5, "decay", 0.0), momentsArgs(ir.N(3), ir.N(8000))...),
	),
})

// momentsArgs are the operands of a sample of lamb_moments.
func momentsArgs(dims ...ir.Dim) []ir.Arg {
	all := adamArgs(dims...)
	return append(all[:4:4], all[5:]...)
}

var _ = ir.Define(ir.Op{
	Name: "trust", Class: ir.Reduction,
	Doc: "LAMB's trust ratio of a tensor, √Σp² / √Σd² over all chunks, or 1 if one of both is 0 (You et al. 2020, algorithm 2, with φ the identity), " +
		"[2·S] → [1].",
	In: []ir.Operand{whole(float("squares", "[2·S] Σp² and Σd² of each chunk"))},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		d, err := numbers(n, 0)
		if err == nil && (!d.Const() || d.N%2 != 0) {
			err = fmt.Errorf("squares is %s, not pairs of numbers", n.In[0].Type)
		}
		return []ir.Type{f32(ir.N(1))}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		p, d, y := 0.0, 0.0, ir.NewArray(1)
		for i, x := range in[0].Floats() {
			if i%2 == 0 {
				p += x
			} else {
				d += x
			}
		}
		if y.F[0] = 1; p > 0 && d > 0 {
			y.F[0] = math.Sqrt(p) / math.Sqrt(d)
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyLast,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		pairs := n.In[0].Type.Shape[0].N / 2
		b := loop.New("y = √Σp²/√Σd², or 1 if one of both is 0.", append(loop.Floats("y", "squares"), loop.Counts("m")...)...)
		b.Slice("xs", "squares", loop.I(0), loop.I(2*pairs))
		b.Slice("ys", "y", loop.I(0), loop.V("m"))
		sum := func(column int) loop.Expr {
			return sumOf(b, []string{"p", "d"}[column], pairs, func(j loop.Expr) loop.Expr {
				return loop.At("xs", loop.Add(loop.Mul(j, loop.I(2)), loop.I(column)))
			})
		}
		p := b.Let("pp", sum(0))
		d := b.Let("dd", sum(1))
		ratio := b.Let("ratio", loop.F(1))
		b.If(loop.Bin{Op: "&&", X: loop.Less(loop.F(0), p), Y: loop.Less(loop.F(0), d)}, func() {
			b.Assign(ratio, loop.Div(loop.Fn("sqrt", p), loop.Fn("sqrt", d)))
		}, nil)
		b.Store("ys", loop.I(0), ratio)
		return b.Nest()
	},
	Sample: samples(sample(nil, positive(ir.N(12))), sample(nil, positive(ir.N(2)))),
})

var _ = ir.Define(ir.Op{
	Name: "lamb", Class: ir.Flat,
	Doc: "The second pass of LAMB (You et al. 2020, algorithm 2): p = p - rate·trust·d with d of lamb_moments, whose results first and second are. The " +
		"result lies in the memory of p.",
	In: []ir.Operand{paramIn, float("first", "as p, after lamb_moments"), float("second", "as p, after lamb_moments"), rateIn,
		float("trust", "[1] see trust"), momentsIn},
	Attrs: []ir.AttrDef{decayAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		types, err := updated(n, []int{1, 2}, 0)
		return types, first(err, positiveDecay(n), shaped(n, 3, ir.N(1)), shaped(n, 4, ir.N(1)), shaped(n, 5, ir.N(3)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		p, by := in[0].Floats(), in[3].Floats()[0]*in[4].Floats()[0]
		next := adam{decay: n.Float("decay")}.direction(p, in[1].Floats(), in[2].Floats(), in[5].Floats())
		for i, d := range next {
			next[i] = p[i] - by*d
		}
		return []*ir.Array{{Shape: in[0].Shape, F: next}}, nil
	},
	NoGrad:  onlyLast,
	InPlace: func(*ir.Node) []int { return []int{0} },
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		e := float64(s.Elements(n.In[0].Type.Shape))
		return ir.Cost{FLOPs: 10 * e, Bytes: 16 * e}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		a := adam{decay: n.Float("decay")}
		b := newNest("LAMB, second pass: n parameters, in place.", nil,
			[]string{"p", "first", "second"}, []string{"rate", "trust", "moments"})
		k := b.adamRatio()
		by := b.Let("by", loop.Mul(b.number("r", "rate", 0), b.number("t", "trust", 0)))
		b.each(func(i loop.Expr, at func(string) loop.Expr) {
			b.Store("ps", i, loop.Sub(at("p"), loop.Mul(by, a.way(b, k, at("p"), at("first"), at("second")))))
		})
		return b.Nest()
	},
	Launches: chunkLaunches(0),
	Kernels:  []string{"update"},
	Sample: samples(
		sample(attrs("decay", 0.01), lambArgs(ir.N(5), ir.N(19))...),
		sample(attrs("decay", 0.0), lambArgs(ir.N(7))...),
	),
})

// lambArgs are the operands of a sample of lamb.
func lambArgs(dims ...ir.Dim) []ir.Arg {
	return []ir.Arg{normal(dims...), normal(dims...), positive(dims...), positive(ir.N(1)), positive(ir.N(1)), positive(ir.N(3))}
}
