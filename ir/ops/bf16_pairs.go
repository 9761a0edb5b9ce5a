package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/bf16"
)

// notInGradients is why products of bfloat16 have no gradients.
const notInGradients = "products are rounded when the gradients of a program are there already"

var _ = ir.Define(ir.Op{
	Name: "bf16_pairs", Class: ir.Rowwise,
	Doc: "x rounded to bfloat16, in pairs: see package runtime/bf16. Pairs of columns are those of x[i, 2c] and x[i, 2c+1], [M, K] → [M, ceil(K/2)]. " +
		"Pairs of rows are those of x[2i, c] and x[2i+1, c], [M, K] → [M, K], with zeros from row ceil(M/2) on. Numbers beyond x count as 0.",
	In:    []ir.Operand{whole(float("x", "[M, K]"))},
	Attrs: []ir.AttrDef{{Name: "rows", Type: ir.AttrBool, Doc: "pairs of rows"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, cols, err := matrix(n, 0)
		if !n.Flag("rows") {
			cols = (cols + 1) / 2
		}
		return []ir.Type{i32(rows, ir.N(cols))}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		rows, cols, x := in[0].Shape[0], in[0].Shape[1], in[0].Floats()
		at := func(i, c int) float32 {
			if i >= rows || c >= cols {
				return 0
			}
			return float32(x[i*cols+c])
		}
		width := (cols + 1) / 2
		if n.Flag("rows") {
			width = cols
		}
		y := ir.NewInts(rows, width)
		for k := range y.I {
			if i, c := k/width, k%width; n.Flag("rows") {
				y.I[k] = bf16.Pair(at(2*i, c), at(2*i+1, c))
			} else {
				y.I[k] = bf16.Pair(at(i, 2*c), at(i, 2*c+1))
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad:  notInGradients,
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))} },
	Lower:   lowerPairs,
	Kernels: []string{"pairs"},
	Sample: samples(
		sample(nil, normal(ir.T, ir.N(7))), sample(nil, normal(ir.T, ir.N(34))), sample(nil, normal(ir.N(3), ir.N(1))),
		sample(attrs("rows", true), normal(ir.T, ir.N(7))), sample(attrs("rows", true), normal(ir.N(5), ir.N(33))),
	),
})

// lowerPairs returns the portable form of bf16_pairs.
func lowerPairs(n *ir.Node) (*loop.Nest, error) {
	cols, ldx, err := row(n.In[0])
	if err != nil {
		return nil, err
	}
	pair := func(b *nest, p, q loop.Expr, to loop.Expr) { b.Store("yi", to, loop.Fn("pair", p, q)) }
	if n.Flag("rows") {
		return portable(n, "y = the pairs of x's rows, rounded to bfloat16.", "x xRows at m", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.row("yi", "y", i)
				first := b.Let("first", loop.Mul(loop.Add(loop.V(ir.CountAt), i), loop.I(2)))
				each := func(upper bool) func() {
					return func() {
						count := 1
						if upper {
							count = 2
						}
						b.Slice("xi", "x", loop.Mul(first, loop.I(ldx)), loop.I((count-1)*ldx+cols))
						b.each("c", loop.I(cols), func(c loop.Expr) {
							below := loop.F(0)
							if upper {
								below = loop.At("xi", loop.Add(c, loop.I(ldx)))
							}
							pair(b, loop.At("xi", c), below, c)
						})
					}
				}
				b.If(loop.Less(loop.Add(first, loop.I(1)), loop.V("xRows")), each(true), func() {
					b.If(loop.Less(first, loop.V("xRows")), each(false), func() {
						b.each("c", loop.I(cols), func(c loop.Expr) { b.Store("yi", c, loop.I(0)) })
					})
				})
			})
		})
	}
	return portable(n, "y = the pairs of neighbouring columns of x, rounded to bfloat16.", "x at m", func(b *nest) {
		b.rows(func(i loop.Expr) {
			b.row("yi", "y", i)
			b.row("xi", "x", loop.Add(loop.V(ir.CountAt), i))
			b.each("c", loop.I(cols/2), func(c loop.Expr) {
				at := loop.Mul(c, loop.I(2))
				pair(b, loop.At("xi", at), loop.At("xi", loop.Add(at, loop.I(1))), c)
			})
			if cols%2 > 0 {
				pair(b, loop.At("xi", loop.I(cols-1)), loop.F(0), loop.I(cols/2))
			}
		})
	})
}
