package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// ascentEps is added to the largest component of a gradient. It is the number of the authors of scale-invariant fine-tuning.
const ascentEps = 1e-6

var _ = ir.Define(ir.Op{
	Name: "ascend", Class: ir.Rowwise,
	Doc: "x moved along the gradient g, whose largest component in a row becomes the step: x + step·g/(1e-6 + max |g|) over each row, [., H] → [., H]. A row " +
		"whose gradient is not finite stays as it is (He et al. 2020, section 4).",
	In:    []ir.Operand{float("x", "[., H]"), float("g", "[., H]")},
	Attrs: []ir.AttrDef{{Name: "step", Type: ir.AttrFloat, Required: true, Doc: "the largest component of the move"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, _, err := matrix(n, 0)
		if err == nil && !n.In[0].Type.Equal(n.In[1].Type) {
			err = fmt.Errorf("x is %s, g is %s: they must have one shape", n.In[0].Type, n.In[1].Type)
		}
		return []ir.Type{n.In[0].Type}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x, g := in[0].Shape[1], in[0].Floats(), in[1].Floats()
		y := ir.NewArray(in[0].Shape...)
		for i := 0; i < len(x); i += w {
			top := 0.0
			for _, v := range g[i : i+w] {
				top = max(top, math.Abs(v))
			}
			by := n.Float("step") / (ascentEps + top)
			finite := top <= math.MaxFloat32 // false if some component is no number
			for j := i; j < i+w; j++ {
				if y.F[j] = x[j]; finite {
					y.F[j] += by * g[j]
				}
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: "a moved perturbation is a constant for what follows",
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 4 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		doc := fmt.Sprintf("y = x + %g·g/(1e-6 + max |g|), or x where g is not finite, m rows.", n.Float("step"))
		return portable(n, doc, "x g m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.both(i)
				b.row("gi", "g", i)
				top := b.Let("top", loop.F(0))
				b.each("k", loop.I(b.cols["x"]), func(k loop.Expr) { b.Assign(top, loop.Fn("max", top, loop.Fn("abs", loop.At("gi", k)))) })
				by := b.Let("by", loop.Div(loop.F(n.Float("step")), loop.Add(top, loop.F(ascentEps))))
				b.If(loop.Bin{Op: "<=", X: top, Y: loop.F(math.MaxFloat32)}, func() {
					b.set("yi", b.cols["x"], func(j loop.Expr) loop.Expr { return loop.Add(loop.At("xi", j), loop.Mul(by, loop.At("gi", j))) })
				}, func() { b.set("yi", b.cols["x"], of("xi")) })
			})
		})
	},
	Sample: samples(sample(attrs("step", 0.25), normal(ir.T, ir.N(19)), normal(ir.T, ir.N(19))),
		sample(attrs("step", 1e-4), normal(ir.N(4), ir.N(16)), normal(ir.N(4), ir.N(16)))),
})
