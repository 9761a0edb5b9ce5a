package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// groupedIn is the operand of ops that compare the texts of a group.
var groupedIn = ir.Operand{Name: "group", DType: ir.I32, Whole: true, Doc: "[M] the group of each text, in 0 … M-1"}

// besides writes a loop over the m numbers from number at on. In it, write can loop over the numbers of the group of number at+i with each.
func (b *nest) besides(write func(i loop.Expr, each func(do func(k loop.Expr)))) {
	b.all("xs", "x", loop.V("xRows"))
	b.all("of", "group", loop.V("xRows"))
	b.all("ys", "y", loop.V("m"))
	b.rows(func(i loop.Expr) {
		own := b.here("own", "of", i)
		write(i, func(do func(k loop.Expr)) {
			b.each("k", loop.V("xRows"), func(k loop.Expr) {
				b.If(loop.Bin{Op: "==", X: loop.At("of", k), Y: own}, func() { do(k) }, nil)
			})
		})
	})
}

// rankIn holds the targets by which the texts of a group are ordered.
var rankIn = constant(whole(float("target", "[M] of two texts of a group the one with the higher target is the better one")))

// eachBetter calls visit with each pair of entries of a group that have different targets. The first entry has the higher one.
func eachBetter(target []float64, group *ir.Array, visit func(better, worse int)) error {
	list, err := groups(group, len(target))
	for _, g := range list {
		for _, i := range g {
			for _, k := range g {
				if target[i] > target[k] {
					visit(i, k)
				}
			}
		}
	}
	return err
}

var _ = ir.Define(ir.Op{
	Name: "pairwise_loss", Class: ir.Reduction,
	Doc: "The loss of the pairs of texts in which a text is the better one (Burges et al. 2005): y[i] = Σ_k log(1 + exp(x[k] - x[i])) over the k of the " +
		"group of i with target[k] < target[i], [M], [M], [M] → [M].",
	In: []ir.Operand{whole(float("x", "[M]")), rankIn, groupedIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, err := numbers(n, 0)
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, rows), shaped(n, 2, rows))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		x, y := in[0].Floats(), ir.NewArray(in[0].Shape...)
		return []*ir.Array{y}, eachBetter(in[1].Floats(), in[2], func(i, k int) { y.F[i] += math.Log1p(math.Exp(x[k] - x[i])) })
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pairwise_loss_grad", nil, dy[0], n.In[0], n.In[1], n.In[2]), nil, nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the loss of the pairs in which number at+i is the better one, m numbers.", "x target group m at xRows", func(b *nest) {
			b.all("ts", "target", loop.V("xRows"))
			b.besides(func(i loop.Expr, each func(do func(k loop.Expr))) {
				x, t := b.here("x0", "xs", i), b.here("t0", "ts", i)
				sum := b.Let("sum", loop.F(0))
				each(func(k loop.Expr) {
					b.If(loop.Less(loop.At("ts", k), t), func() {
						d := b.Let("d", loop.Sub(loop.At("xs", k), x))
						b.AddTo(sum, softplusOf(d))
					}, nil)
				})
				b.Store("ys", i, sum)
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T), normal(ir.T), below(3, ir.T))),
})

// here writes the number at+i of a window.
func (b *nest) here(name, window string, i loop.Expr) loop.Var {
	return b.Let(name, loop.At(window, loop.Add(loop.V("at"), i)))
}

var _ = ir.Define(ir.Op{
	Name: "pairwise_loss_grad", Class: ir.Reduction,
	Doc: "The gradient of pairwise_loss: of each pair, dy·sigmoid(x[k] - x[i]) of the better text i is added to the worse one k and taken from the better " +
		"one, [M], [M], [M], [M] → [M].",
	In: []ir.Operand{whole(float("dy", "[M]")), whole(float("x", "[M]")), rankIn, groupedIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, err := numbers(n, 0)
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, rows), shaped(n, 2, rows), shaped(n, 3, rows))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		dy, x, y := in[0].Floats(), in[1].Floats(), ir.NewArray(in[0].Shape...)
		return []*ir.Array{y}, eachBetter(in[2].Floats(), in[3], func(i, k int) {
			g := dy[i] * sigmoid(x[k]-x[i])
			y.F[i] -= g
			y.F[k] += g
		})
	},
	NoGrad: onlyFirst,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the gradient of number at+i by the losses of its pairs, m numbers.", "dy x target group m at xRows", func(b *nest) {
			b.all("ds", "dy", loop.V("xRows"))
			b.all("ts", "target", loop.V("xRows"))
			b.besides(func(i loop.Expr, each func(do func(k loop.Expr))) {
				d, x, t := b.here("d0", "ds", i), b.here("x0", "xs", i), b.here("t0", "ts", i)
				sum := b.Let("sum", loop.F(0))
				each(func(k loop.Expr) {
					other := b.Let("other", loop.At("ts", k))
					b.If(loop.Less(other, t), func() {
						b.Assign(sum, loop.Sub(sum, loop.Mul(d, sigmoidOf(loop.Sub(loop.At("xs", k), x)))))
					}, nil)
					b.If(loop.Less(t, other), func() {
						b.AddTo(sum, loop.Mul(loop.At("ds", k), sigmoidOf(loop.Sub(x, loop.At("xs", k)))))
					}, nil)
				})
				b.Store("ys", i, sum)
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T), normal(ir.T), normal(ir.T), below(3, ir.T))),
})

var _ = ir.Define(ir.Op{
	Name: "pair_count", Class: ir.Reduction,
	Doc:   "In how many pairs of its group a text is the better one: how many k of the group of i have x[k] < x[i], [M], [M] → [M].",
	In:    []ir.Operand{whole(float("x", "[M] the targets")), groupedIn},
	Shape: groupShape,
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[0].Shape...)
		return []*ir.Array{y}, eachBetter(in[0].Floats(), in[1], func(i, _ int) { y.F[i]++ })
	},
	NoGrad: "it is constant between jumps",
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = in how many pairs number at+i is the larger one, m numbers.", "x group m at xRows", func(b *nest) {
			b.besides(func(i loop.Expr, each func(do func(k loop.Expr))) {
				x := b.here("x0", "xs", i)
				count := b.Let("count", loop.F(0))
				each(func(k loop.Expr) {
					b.If(loop.Less(loop.At("xs", k), x), func() { b.AddTo(count, loop.F(1)) }, nil)
				})
				b.Store("ys", i, count)
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T), below(3, ir.T))),
})
