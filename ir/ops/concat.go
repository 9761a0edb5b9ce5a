package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "concat", Class: ir.Layout,
	Doc: "The operands' rows, one operand after the other: [M1, …], [M2, …] → [M1+M2+…, …].",
	In:  []ir.Operand{{Name: "x", DType: ir.F32, Variadic: true, Whole: true, Doc: "[Mi, …], equal after the first extent"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		var out ir.Shape
		for i, v := range n.In {
			s := v.Type.Shape
			if len(s) == 0 || !s[0].Const() || i > 0 && !s[1:].Equal(out[1:]) {
				return nil, fmt.Errorf("operand %d is %s, which cannot follow %s", i, v.Type, n.In[0].Type)
			}
			if i == 0 {
				out = append(ir.Shape(nil), s...)
			} else {
				out[0].N += s[0].N
			}
		}
		return []ir.Type{{Shape: out}}, nil
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		out := &ir.Array{Shape: append([]int(nil), in[0].Shape...)}
		single := true
		out.Shape[0] = 0
		for _, x := range in {
			out.Shape[0] += x.Shape[0]
			single = single && x.F32 != nil
		}
		for _, x := range in {
			if single {
				out.F32 = append(out.F32, x.F32...)
			} else {
				out.F = append(out.F, x.Floats()...)
			}
		}
		return []*ir.Array{out}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		var out []*ir.Value
		from := 0
		for _, v := range n.In {
			count := v.Type.Shape[0].N
			out = append(out, b.Like(n, "slice", attrs("from", from, "count", count), dy[0]))
			from += count
		}
		return out, b.Err()
	},
	Lower: lowerConcat,
	Sample: samples(
		sample(nil, normal(ir.N(2), ir.N(3)), normal(ir.N(4), ir.N(3)), normal(ir.N(1), ir.N(3))),
		sample(nil, normal(ir.N(2)), normal(ir.N(5))),
	),
})

// lowerConcat returns the portable form, with the arguments (y, x0, x1, …, m, at).
func lowerConcat(n *ir.Node) (*loop.Nest, error) {
	args := ""
	for i := range n.In {
		args += fmt.Sprintf("x%d ", i)
	}
	return portable(n, "y = rows of the operands, one operand after the other, m rows from number at on.", args+"m at", func(b *nest) {
		b.rows(func(i loop.Expr) {
			r := b.Let("r", loop.Add(loop.V("at"), i))
			b.row("yi", "y", i)
			b.oneOf(n, 0, r)
		})
	})
}

// oneOf writes the window yi: it becomes row r of the operands from number i on.
func (b *nest) oneOf(n *ir.Node, i int, r loop.Expr) {
	name := fmt.Sprintf("x%d", i)
	window := fmt.Sprintf("row%d", i)
	move := func() {
		b.row(window, name, r)
		b.set("yi", b.cols["y"], of(window))
	}
	if i == len(n.In)-1 {
		move()
		return
	}
	rows := loop.I(n.In[i].Type.Shape[0].N)
	b.If(loop.Less(r, rows), move, func() { b.oneOf(n, i+1, b.Let("r", loop.Sub(r, rows))) })
}
