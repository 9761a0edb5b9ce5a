package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/ragged"
)

// replacedIn are the operands that tell which tokens are replaced: those of the chosen rows whose target is not below 0.
func replacedIn() []ir.Operand {
	return []ir.Operand{whole(pickedIn), whole(ir.Operand{Name: "target", DType: ir.I32, Doc: "[R] the original token; below 0, the row is left out"}),
		whole(ir.Operand{Name: "drawn", DType: ir.I32, Doc: "[R] the generator's token"})}
}

// replacedShape checks the operands of replacedIn, which begin at operand i.
func replacedShape(n *ir.Node, i int) error {
	s := n.In[i].Type.Shape
	if len(s) != 1 {
		return fmt.Errorf("rows is %s, not a vector", n.In[i].Type)
	}
	return first(shaped(n, 0, ir.T), shaped(n, i+1, s...), shaped(n, i+2, s...))
}

// eachReplaced calls visit with each row that is replaced, and with its number among the chosen rows.
func eachReplaced(in []*ir.Array, tokens int, visit func(row, k int)) error {
	for k, row := range in[0].I {
		if row < 0 || int(row) >= tokens {
			return fmt.Errorf("rows[%d] is %d, the batch has %d rows", k, row, tokens)
		}
		if in[1].I[k] >= 0 {
			visit(int(row), k)
		}
	}
	return nil
}

// eachReplaced writes a loop over the chosen rows. write appends what is done for one whose place in the block, from 0 to m-1, is place.
func (b *nest) eachReplaced(write func(place, k loop.Expr)) {
	count := loop.V("rowsRows")
	b.all("rowOf", "rows", count)
	b.all("to", "target", count)
	b.all("new", "drawn", count)
	b.each("k", count, func(k loop.Expr) {
		place := b.Let("place", loop.Sub(loop.At("rowOf", k), loop.V("at")))
		b.If(within(place, loop.V("m")), func() {
			b.If(notBelow0(loop.At("to", k)), func() { write(place, k) }, nil)
		}, nil)
	})
}

var _ = ir.Define(ir.Op{
	Name: "replace_tokens", Class: ir.Gather,
	Doc: "The tokens of a batch with those of the generator: y[rows[k]] = drawn[k] where target[k] is not below 0, and otherwise y = ids, " +
		"[T], [R], [R], [R] → [T].",
	In: append([]ir.Operand{{Name: "ids", DType: ir.I32, Doc: "[T]"}}, replacedIn()...),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		return []ir.Type{i32(ir.T)}, replacedShape(n, 1)
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewInts(len(in[0].I))
		copy(y.I, in[0].I)
		return []*ir.Array{y}, eachReplaced(in[1:], len(y.I), func(row, k int) { y.I[row] = in[3].I[k] })
	},
	NoGrad: integers,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = ids, and y[rows[k]] = drawn[k] where target[k] is not below 0, m rows from number at on.",
			"ids rows target drawn m at rowsRows", func(b *nest) {
				b.all("ys", "y", loop.V("m"))
				b.all("old", "ids", loop.V("m"))
				b.rows(func(i loop.Expr) { b.Store("ys", i, loop.At("old", i)) })
				b.eachReplaced(func(place, k loop.Expr) { b.Store("ys", place, loop.At("new", k)) })
			})
	},
	Sample: samples(sample(nil, below(50, ir.T), ir.PartArg(ragged.Rows), targets(50, ir.M), below(50, ir.M))),
})

var _ = ir.Define(ir.Op{
	Name: "replaced", Class: ir.Gather,
	Doc: "1 for each token that the generator has replaced by another one, otherwise 0: y[rows[k]] = 1 where target[k] is not below 0 and drawn[k] differs " +
		"from it, [T], [R], [R], [R] → [T, 1]. The numbers of like are not read.",
	In: append([]ir.Operand{{Name: "like", DType: ir.I32, Doc: "[T]"}}, replacedIn()...),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		return []ir.Type{f32(ir.T, ir.N(1))}, replacedShape(n, 1)
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(len(in[0].I), 1)
		return []*ir.Array{y}, eachReplaced(in[1:], len(y.F), func(row, k int) {
			if y.F[row] = 0; in[3].I[k] != in[2].I[k] {
				y.F[row] = 1
			}
		})
	},
	NoGrad: "it compares integers",
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[rows[k]] = 1 where drawn[k] differs from target[k], which is not below 0, otherwise 0, m rows from number at on.",
			"rows target drawn m at rowsRows", func(b *nest) {
				b.rows(func(i loop.Expr) {
					b.row("yi", "y", i)
					b.clear("yi", 1)
				})
				b.eachReplaced(func(place, k loop.Expr) {
					b.row("yk", "y", place)
					same := loop.Bin{Op: "==", X: loop.At("new", k), Y: loop.At("to", k)}
					b.If(same, func() { b.Store("yk", loop.I(0), loop.F(0)) }, func() { b.Store("yk", loop.I(0), loop.F(1)) })
				})
			})
	},
	Sample: samples(sample(nil, below(50, ir.T), ir.PartArg(ragged.Rows), targets(3, ir.M), below(3, ir.M))),
})
