package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// elements returns the number of elements of a shape of fixed extents.
func elements(shape ir.Shape) int { return ir.Sizes{}.Elements(shape) }

// fixedShape returns an error if an extent of an operand depends on the batch, or if it has fewer extents than least.
func fixedShape(n *ir.Node, operand, least int) (ir.Shape, error) {
	s := n.In[operand].Type.Shape
	for _, d := range s {
		if !d.Const() {
			return nil, fmt.Errorf("x is %s, whose extents are not fixed", n.In[operand].Type)
		}
	}
	if len(s) < least {
		return nil, fmt.Errorf("x is %s, which has fewer than %d extents", n.In[operand].Type, least)
	}
	return s, nil
}

var _ = ir.Define(ir.Op{
	Name: "merge_rows", Class: ir.Layout,
	Doc: "The first two extents as one, with the elements in their order: [M, N, …] → [M·N, …].",
	In:  []ir.Operand{whole(float("x", "[M, N, …]"))},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, err := fixedShape(n, 0, 2)
		if err != nil {
			return nil, err
		}
		return []ir.Type{{Shape: append(ir.Shape{ir.N(s[0].N * s[1].N)}, s[2:]...)}}, nil
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		s := in[0].Shape
		return []*ir.Array{in[0].Rearrange(append([]int{s[0] * s[1]}, s[2:]...), func(i int) int { return i })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "split_rows", attrs("n", n.In[0].Type.Shape[1].N), dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		s := n.In[0].Type.Shape
		inner, count := elements(s[2:]), loop.I(s[1].N)
		return portable(n, "y = the parts of the rows of x, m parts from number at on.", "x m at", func(b *nest) {
			b.rows(func(i loop.Expr) {
				r := b.Let("r", loop.Add(loop.V("at"), i))
				at := loop.Add(loop.Mul(loop.Div(r, count), loop.I(b.ld["x"])), loop.Mul(loop.Mod(r, count), loop.I(inner)))
				b.Slice("xi", "x", at, loop.I(inner))
				b.row("yi", "y", i)
				b.set("yi", inner, of("xi"))
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.N(3), ir.N(4), ir.N(5))), sample(nil, normal(ir.N(1), ir.N(6)))),
})

var _ = ir.Define(ir.Op{
	Name: "split_rows", Class: ir.Layout,
	Doc:   "The first extent as two, with the elements in their order: [M·n, …] → [M, n, …].",
	In:    []ir.Operand{whole(float("x", "[M·n, …]"))},
	Attrs: []ir.AttrDef{{Name: "n", Type: ir.AttrInt, Required: true, Doc: "the second extent of the result, which divides the first one of x"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		s, err := fixedShape(n, 0, 1)
		if k := n.Int("n"); err == nil && (k < 1 || s[0].N%k != 0) {
			err = fmt.Errorf("%d does not divide the %d rows of x", k, s[0].N)
		}
		if err != nil {
			return nil, err
		}
		return []ir.Type{{Shape: append(ir.Shape{ir.N(s[0].N / n.Int("n")), ir.N(n.Int("n"))}, s[1:]...)}}, nil
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		s, k := in[0].Shape, n.Int("n")
		return []*ir.Array{in[0].Rearrange(append([]int{s[0] / k, k}, s[1:]...), func(i int) int { return i })}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "merge_rows", nil, dy[0])}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		k := n.Int("n")
		inner := elements(n.In[0].Type.Shape[1:])
		return portable(n, "y = rows that are made of n rows of x each, m rows from number at on.", "x m at", func(b *nest) {
			b.rows(func(i loop.Expr) {
				b.each("k", loop.I(k), func(part loop.Expr) {
					b.row("xi", "x", loop.Add(loop.Mul(loop.Add(loop.V("at"), i), loop.I(k)), part))
					b.Slice("yi", "y", loop.Add(loop.Mul(i, loop.I(b.ld["y"])), loop.Mul(part, loop.I(inner))), loop.I(inner))
					b.set("yi", inner, of("xi"))
				})
			})
		})
	},
	Sample: samples(sample(attrs("n", 4), normal(ir.N(12), ir.N(5))), sample(attrs("n", 6), normal(ir.N(6)))),
})
