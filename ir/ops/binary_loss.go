package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// binaryIn are the operands that binary losses compare, and the weights of their columns.
func binaryIn() []ir.Operand {
	return []ir.Operand{float("z", "[M, N]"), constant(float("target", "[M, N] from 0 to 1; a number below 0 is left out")),
		constant(whole(optional("weight", "[N] weights of the columns in rows whose target is 1")))}
}

// binaryAttrs are the attributes of binary losses.
var binaryAttrs = []ir.AttrDef{
	{Name: "alpha", Type: ir.AttrFloat, Doc: "the weight of a target of 1 in a focal loss; without it, the loss is a cross entropy"},
	{Name: "gamma", Type: ir.AttrFloat, Doc: "the power of the wrong answer's probability in a focal loss"},
	{Name: "smooth", Type: ir.AttrFloat, Doc: "the share of a target that is spread evenly over 0 and 1, from 0 to 1"},
}

// binaryShape checks the operands of binaryIn, which begin at operand i.
func binaryShape(n *ir.Node, i int) ([]ir.Type, error) {
	rows, cols, err := matrix(n, i)
	if err == nil && (n.Float("smooth") < 0 || n.Float("smooth") >= 1 || n.Float("gamma") < 0) {
		err = fmt.Errorf("smooth is %g and gamma is %g", n.Float("smooth"), n.Float("gamma"))
	}
	return []ir.Type{n.In[i].Type}, first(err, shaped(n, i+1, rows, ir.N(cols)), vector(n, i+2, cols))
}

// binaryTerm computes the loss of one number, and its slope.
func binaryTerm(n *ir.Node, z, target, weight float64) (loss, slope float64) {
	if target < 0 {
		return 0, 0
	}
	s, alpha, gamma := n.Float("smooth"), n.Float("alpha"), n.Float("gamma")
	t := target*(1-s) + s/2
	p, miss := sigmoid(z), sigmoid(-z)
	over := math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) // log(1 + exp z)
	loss, slope = weight*t*(over-z)+(1-t)*over, (1-t)*p-weight*t*miss
	if alpha == 0 {
		return loss, slope
	}
	wrong := t*miss + (1-t)*p
	factor := (alpha*t + (1-alpha)*(1-t)) * math.Pow(wrong, gamma)
	change := 0.0 // the slope of the factor, relative to it
	if wrong > 0 {
		change = gamma * p * miss * (1 - 2*t) / wrong
	}
	return factor * loss, factor * (slope + change*loss)
}

// eachBinary calls visit with each number of z, its target, and the weight of its column. The operands are those of binaryIn.
func eachBinary(in []*ir.Array, visit func(i int, z, target, weight float64)) {
	z, target, cols := in[0].Floats(), in[1].Floats(), in[0].Shape[1]
	for i := range z {
		w := 1.0
		if weights := data(in, 2); weights != nil {
			w = weights.Floats()[i%cols]
		}
		visit(i, z[i], target[i], w)
	}
}

var _ = ir.Define(ir.Op{
	Name: "binary_loss", Class: ir.Rowwise,
	Doc: "The binary cross entropy of each number with its target t, weight·t·log(1 + exp(-z)) + (1-t)·log(1 + exp z), as torch.nn.functional's " +
		"binary_cross_entropy_with_logits; with alpha it is focal (Lin et al. 2017): times (alpha·t + (1-alpha)(1-t))·(t(1-p) + (1-t)p)^gamma with " +
		"p = sigmoid(z). A number whose target is below 0 has 0, [M, N], [M, N], [N] → [M, N].",
	In: binaryIn(), Attrs: binaryAttrs,
	Shape: func(n *ir.Node) ([]ir.Type, error) { return binaryShape(n, 0) },
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[0].Shape...)
		eachBinary(in, func(i int, z, target, weight float64) { y.F[i], _ = binaryTerm(n, z, target, weight) })
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "binary_loss_grad", n.Attrs, append([]*ir.Value{dy[0]}, n.In...)...), nil, nil}[:len(n.In)], b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 50 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return lowerBinary(n, "y = the binary loss of each number, m rows.", 0)
	},
	Sample: samples(binarySamples(nil)...),
})

var _ = ir.Define(ir.Op{
	Name: "binary_loss_grad", Class: ir.Rowwise,
	Doc: "The gradient of binary_loss's numbers: dy times the slope of each loss, [M, N], [M, N], [M, N], [N] → [M, N].",
	In:  append([]ir.Operand{float("dy", "[M, N]")}, binaryIn()...), Attrs: binaryAttrs,
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		t, err := binaryShape(n, 1)
		return t, first(err, shaped(n, 0, n.In[1].Type.Shape...))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y, dy := ir.NewArray(in[1].Shape...), in[0].Floats()
		eachBinary(in[1:], func(i int, z, target, weight float64) {
			_, slope := binaryTerm(n, z, target, weight)
			y.F[i] = dy[i] * slope
		})
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 60 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return lowerBinary(n, "y = dy times the slope of the binary loss of each number, m rows.", 1)
	},
	Sample: samples(binarySamples([]ir.Arg{normal(ir.T, ir.N(3))}, []ir.Arg{normal(ir.B, ir.N(17))})...),
})

// binarySamples returns samples of binary_loss. before are operands in front of the usual ones.
func binarySamples(before ...[]ir.Arg) (list []ir.Sample) {
	var small, large []ir.Arg
	if len(before) > 1 {
		small, large = before[0], before[1]
	}
	with := func(a []ir.Attr, more ...ir.Arg) {
		list = append(list, sample(a, append(append(small[:len(small):len(small)], normal(ir.T, ir.N(3)), shares(ir.T, ir.N(3))), more...)...))
	}
	with(nil)
	with(attrs("smooth", 0.25), positive(ir.N(3)))
	with(attrs("alpha", 0.25, "gamma", 2.0))
	with(attrs("alpha", 0.75, "gamma", 0.0), positive(ir.N(3)))
	with(attrs("alpha", 0.375, "gamma", 1.5, "smooth", 0.125))
	return append(list, sample(attrs("alpha", 0.25, "gamma", 3.0), append(large[:len(large):len(large)], normal(ir.B, ir.N(17)), shares(ir.B, ir.N(17)))...))
}

// lowerBinary returns the portable form of a binary loss for m rows, or of its gradient, whose operands begin at operand i, 0 or 1.
func lowerBinary(n *ir.Node, doc string, i int) (*loop.Nest, error) {
	args := "z target"
	if i == 1 {
		args = "dy z target"
	}
	if in(n, i+2) != nil {
		args += " weight"
	}
	return portable(n, doc, args+" m", func(b *nest) {
		cols := b.cols["y"]
		if in(n, i+2) != nil {
			b.all("ws", "weight", loop.I(cols))
		}
		b.rows(func(r loop.Expr) {
			b.row("yi", "y", r)
			b.row("zi", "z", r)
			b.row("ti", "target", r)
			if i == 1 {
				b.row("di", "dy", r)
			}
			b.each("j", loop.I(cols), func(j loop.Expr) {
				v := b.Let("v", loop.F(0))
				b.If(notBelow0f(loop.At("ti", j)), func() {
					y := b.binary(n, loop.At("zi", j), loop.At("ti", j), in(n, i+2) != nil, i == 1)
					if i == 1 {
						y = loop.Mul(loop.At("di", j), y)
					}
					b.Assign(v, y)
				}, nil)
				b.Store("yi", j, v)
			})
		})
	})
}

// notBelow0f returns the condition 0 ≤ x of a float.
func notBelow0f(x loop.Expr) loop.Expr { return loop.Bin{Op: "<=", X: loop.F(0), Y: x} }

// binary writes the loss of a number z with its target, or its slope. The weights of columns lie in the window ws.
func (b *nest) binary(n *ir.Node, z, target loop.Expr, weighed, sloped bool) loop.Expr {
	s, alpha, gamma := n.Float("smooth"), n.Float("alpha"), n.Float("gamma")
	x, t := b.Let("x", z), b.Let("t", target)
	if s > 0 {
		b.Assign(t, loop.Add(loop.Mul(t, loop.F(1-s)), loop.F(s/2)))
	}
	rest := b.Let("rest", loop.Sub(loop.F(1), t))
	small := b.Let("small", loop.Fn("exp", loop.Sub(loop.F(0), loop.Fn("abs", x))))
	hit := t
	if weighed {
		hit = b.Let("hit", loop.Mul(loop.At("ws", loop.V("j")), t))
	}
	var loss, slope loop.Var
	if !sloped || alpha > 0 && gamma > 0 {
		over := b.Let("over", loop.Add(loop.Fn("max", x, loop.F(0)), loop.Fn("log", loop.Add(loop.F(1), small))))
		loss = b.Let("loss", loop.Add(loop.Mul(hit, loop.Sub(over, x)), loop.Mul(rest, over)))
	}
	if !sloped && alpha == 0 {
		return loss
	}
	var p, miss loop.Var // the probability and 1 less it
	if sloped || gamma > 0 {
		p = b.Let("p", loop.Div(loop.F(1), loop.Add(loop.F(1), small)))
		miss = b.Let("miss", loop.Mul(small, p))
		b.If(loop.Less(x, loop.F(0)), func() {
			swap := b.Let("swap", p)
			b.Assign(p, miss)
			b.Assign(miss, swap)
		}, nil)
	}
	if sloped {
		slope = b.Let("slope", loop.Sub(loop.Mul(rest, p), loop.Mul(hit, miss)))
	}
	if alpha == 0 {
		return slope
	}
	factor := b.Let("factor", loop.Add(loop.Mul(loop.F(alpha), t), loop.Mul(loop.F(1-alpha), rest)))
	if gamma > 0 {
		wrong := b.Let("wrong", loop.Fn("max", loop.Add(loop.Mul(t, miss), loop.Mul(rest, p)), loop.F(leastWrong)))
		b.Assign(factor, loop.Mul(factor, loop.Fn("exp", loop.Mul(loop.F(gamma), loop.Fn("log", wrong)))))
		if sloped { // the slope of the factor, relative to it, is gamma·p·(1-p)·(1-2t) / wrong
			relative := loop.Div(loop.Mul(loop.Mul(loop.F(gamma), p), loop.Mul(miss, loop.Sub(rest, t))), wrong)
			b.AddTo(slope, loop.Mul(relative, loss))
		}
	}
	if sloped {
		return loop.Mul(factor, slope)
	}
	return loop.Mul(factor, loss)
}

// leastWrong is the least probability of a wrong answer whose logarithm is taken in float32.
const leastWrong = 1e-37

var _ = ir.Define(ir.Op{
	Name: "judged", Class: ir.Rowwise,
	Doc: "How many numbers of each row are targets of a binary loss, which are those not below 0, [M, N] → [M].",
	In:  []ir.Operand{float("x", "[M, N]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		return []ir.Type{f32(rows)}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[0].Shape[0])
		for i, x := range in[0].Floats() {
			if x >= 0 {
				y.F[i/in[0].Shape[1]]++
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: "it is constant between jumps",
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = how many numbers of row i are not below 0, m rows.", "x m", func(b *nest) {
			b.all("ys", "y", loop.V("m"))
			b.rows(func(i loop.Expr) {
				b.row("xi", "x", i)
				count := b.Let("count", loop.F(0))
				b.each("j", loop.I(b.cols["x"]), func(j loop.Expr) {
					b.If(notBelow0f(loop.At("xi", j)), func() { b.AddTo(count, loop.F(1)) }, nil)
				})
				b.Store("ys", i, count)
			})
		})
	},
	Sample: samples(sample(nil, shares(ir.T, ir.N(5))), sample(nil, shares(ir.B, ir.N(17)))),
})
