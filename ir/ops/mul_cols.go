package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "mul_cols", Class: ir.Rowwise,
	Doc: "Each row times a vector, element by element, [M, N], [N] → [M, N].",
	In:  []ir.Operand{float("x", "[M, N]"), whole(float("v", "[N]"))},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, c, err := matrix(n, 0)
		if err == nil {
			err = vector(n, 1, c)
		}
		return []ir.Type{n.In[0].Type}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		c, v := in[1].Shape[0], in[1].Floats()
		y := ir.NewArray(in[0].Shape...)
		for i, x := range in[0].Floats() {
			y.F[i] = x * v[i%c]
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		g := graph{b, n}
		return []*ir.Value{g.op("mul_cols", nil, dy[0], n.In[1]), g.op("col_sum", nil, g.mul(dy[0], n.In[0]))}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i, j] = x[i, j]·v[j], m rows.", "x v m", func(b *nest) {
			b.all("vs", "v", loop.I(b.cols["x"]))
			b.rows(func(i loop.Expr) {
				b.both(i)
				b.set("yi", b.cols["x"], func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("xi", j), loop.At("vs", j)) })
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T, ir.N(5)), normal(ir.N(5)))),
})
