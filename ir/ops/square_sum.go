package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "square_sum", Class: ir.Flat,
	Doc: "Σx² for each chunk of a tensor's memory, any fixed shape → [S]. A chunk is 16384 floats, with rows padded to 16 columns.",
	In:  []ir.Operand{float("x", "any fixed shape")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		chunks, err := chunksOf(n.In[0])
		return []ir.Type{f32(ir.N(chunks))}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(n.Out[0].Type.Shape[0].N)
		for i, x := range in[0].Floats() {
			y.F[chunkOf(in[0].Shape, i)] += x * x
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyLast,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 2 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(*ir.Node) (*loop.Nest, error) {
		b := newNest("y = Σx² over n numbers, in four partial sums.", []string{"y"}, []string{"x"}, nil)
		b.Slice("ys", "y", loop.I(0), loop.I(1))
		var part [4]loop.Var
		for c := range part {
			part[c] = b.Let(fmt.Sprintf("s%d", c), loop.F(0))
		}
		whole := b.Let("whole", loop.Sub(loop.V("n"), loop.Mod(loop.V("n"), loop.I(4))))
		square := func(i loop.Expr) loop.Expr { return loop.Mul(loop.At("xs", i), loop.At("xs", i)) }
		b.For("i", loop.I(0), whole, 4, func(i loop.Expr) {
			for c := range part {
				b.AddTo(part[c], square(loop.Add(i, loop.I(c))))
			}
		})
		b.For("i", whole, loop.V("n"), 1, func(i loop.Expr) { b.AddTo(part[0], square(i)) })
		b.Store("ys", loop.I(0), loop.Add(loop.Add(part[0], part[1]), loop.Add(part[2], part[3])))
		return b.Nest()
	},
	Launches: chunkLaunches(1),
	Kernels:  []string{"update"},
	Sample: samples(sample(nil, normal(ir.N(5), ir.N(19))), sample(nil, normal(ir.N(7))), sample(nil, normal(ir.N(3), ir.N(8191))),
		sample(nil, normal(ir.N(3), ir.N(2), ir.N(3)))),
})

// mostTerms is the largest number of operands of total, so that the signature of its portable form has an end.
const mostTerms = 1 << 10

var _ = ir.Define(ir.Op{
	Name: "total", Class: ir.Flat,
	Doc: "The sum of all numbers of all operands, one operand after the other, [.], … → [1].",
	In:  []ir.Operand{{Name: "x", DType: ir.F32, Variadic: true, Doc: "[.], of fixed size"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		for i, v := range n.In {
			if d, err := numbers(n, i); err != nil || !d.Const() {
				return nil, fmt.Errorf("operand %d is %s, not a vector of fixed size", i, v.Type)
			}
		}
		if len(n.In) > mostTerms {
			return nil, fmt.Errorf("%d operands, at most %d are possible", len(n.In), mostTerms)
		}
		return []ir.Type{f32(ir.N(1))}, nil
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(1)
		for _, a := range in {
			for _, x := range a.Floats() {
				y.F[0] += x
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyLast,
	Cost: func(n *ir.Node, s ir.Sizes) (c ir.Cost) {
		for _, v := range n.In {
			c.FLOPs += float64(s.Elements(v.Type.Shape))
		}
		return c
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		names := []string{"y"}
		for i := range n.In {
			names = append(names, TermName(i))
		}
		b := loop.New("y = the sum of all numbers of all operands.", loop.Floats(names...)...)
		b.Slice("ys", "y", loop.I(0), loop.I(1))
		sum := b.Let("sum", loop.F(0))
		for i, v := range n.In {
			size := v.Type.Shape[0].N
			b.Slice(TermName(i)+"s", TermName(i), loop.I(0), loop.I(size))
			b.AddTo(sum, sumOf(b, fmt.Sprintf("s%d_", i), size, func(j loop.Expr) loop.Expr { return loop.At(TermName(i)+"s", j) }))
		}
		b.Store("ys", loop.I(0), sum)
		return b.Nest()
	},
	Launches: func(n *ir.Node, _ []int32, _ []*ir.Array) []ir.Launch {
		l := ir.Launch{Memory: map[string]ir.Place{"y": {Operand: ir.Result}}}
		for i := range n.In {
			l.Memory[TermName(i)] = ir.Place{Operand: i}
		}
		return []ir.Launch{l}
	},
	Sample: samples(sample(nil, positive(ir.N(5)), positive(ir.N(1)), positive(ir.N(9))), sample(nil, normal(ir.N(3)))),
})

// TermName is the name of the portable form's argument for an operand of total.
func TermName(i int) string { return fmt.Sprintf("x%d", i) }

var _ = ir.Define(ir.Op{
	Name: "norm", Class: ir.Reduction,
	Doc: "The Euclidean norm from the sum of squares: √x, [1] → [1]. It is not a finite number if one of the squares is not, or if their sum is above the " +
		"largest float32.",
	In: []ir.Operand{float("x", "[1]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		return []ir.Type{f32(ir.N(1))}, shaped(n, 0, ir.N(1))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		return []*ir.Array{{Shape: []int{1}, F: []float64{math.Sqrt(in[0].Floats()[0])}}}, nil
	},
	NoGrad: onlyLast,
	Lower: func(*ir.Node) (*loop.Nest, error) {
		return oneNumber("y = √x.", func(x loop.Expr) loop.Expr { return loop.Fn("sqrt", x) })
	},
	Sample: samples(sample(nil, positive(ir.N(1)))),
})

var _ = ir.Define(ir.Op{
	Name: "clip", Class: ir.Reduction,
	Doc:   "The factor that bounds the norm of all gradients: min(1, limit/(norm + 1e-6)) as torch.nn.utils.clip_grad_norm_ computes it, [1] → [1].",
	In:    []ir.Operand{float("x", "[1] the norm")},
	Attrs: []ir.AttrDef{{Name: "limit", Type: ir.AttrFloat, Required: true, Doc: "the largest norm, above 0"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		err := shaped(n, 0, ir.N(1))
		if l := n.Float("limit"); err == nil && l <= 0 {
			err = fmt.Errorf("limit is %g, not above 0", l)
		}
		return []ir.Type{f32(ir.N(1))}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		return []*ir.Array{{Shape: []int{1}, F: []float64{min(1, n.Float("limit")/(in[0].Floats()[0]+clipPlus))}}}, nil
	},
	NoGrad: onlyLast,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return oneNumber(fmt.Sprintf("y = min(1, %g/(x + %g)).", n.Float("limit"), clipPlus), func(x loop.Expr) loop.Expr {
			return loop.Fn("min", loop.F(1), loop.Div(loop.F(n.Float("limit")), loop.Add(x, loop.F(clipPlus))))
		})
	},
	Sample: samples(sample(attrs("limit", 0.75), positive(ir.N(1))), sample(attrs("limit", 5.0), positive(ir.N(1)))),
})

// clipPlus is added to the norm by which a limit is divided.
const clipPlus = 1e-6

// oneNumber returns the nest of a function of one number, with the arguments (y, x, m).
func oneNumber(doc string, f func(x loop.Expr) loop.Expr) (*loop.Nest, error) {
	b := loop.New(doc, append(loop.Floats("y", "x"), loop.Counts("m")...)...)
	b.Slice("xs", "x", loop.I(0), loop.V("m"))
	b.Slice("ys", "y", loop.I(0), loop.V("m"))
	b.Store("ys", loop.I(0), f(loop.At("xs", loop.I(0))))
	return b.Nest()
}
