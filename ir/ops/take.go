package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// rowsAttr describes what is taken from a sequence's rows.
var rowsAttr = ir.AttrDef{Name: "rows", Type: ir.AttrString, Required: true, Words: []string{"first", "mean", "sum"},
	Doc: "the first row of each sequence, or the mean or the sum of its rows"}

var _ = ir.Define(ir.Op{
	Name: "take", Class: ir.Sequencewise,
	Doc:   "One row of each sequence, the first or the mean or sum of all, [T, N] → [B, N]. Every sequence must have a row.",
	In:    []ir.Operand{float("x", "[T, N]"), startsIn},
	Attrs: []ir.AttrDef{rowsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		return []ir.Type{f32(ir.B, ir.N(w))}, first(err, shaped(n, 1, ir.Bound))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := filled(in[1], in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		w := in[0].Shape[1]
		if n.Str("rows") == "first" {
			return []*ir.Array{in[0].Rearrange([]int{len(list), w}, func(i int) int { return list[i/w].row*w + i%w })}, nil
		}
		x, y := in[0].Floats(), ir.NewArray(len(list), w)
		for s, b := range list {
			for i := b.row * w; i < (b.row+b.n)*w; i++ {
				y.F[s*w+i%w] += x[i] * share(n, b)
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "put", n.Attrs, dy[0], n.In[1]), nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		if n.Str("rows") != "first" {
			return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))}
		}
		return ir.Cost{Bytes: 8 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Lower:    lowerTake,
	Launches: sequenceLaunches,
	Sample: samples(sample(attrs("rows", "first"), normal(ir.T, ir.N(5)), starts()),
		sample(attrs("rows", "mean"), normal(ir.T, ir.N(19)), starts()), sample(attrs("rows", "sum"), normal(ir.T, ir.N(3)), starts())),
})

// filled returns the blocks of a batch, for ops that need at least one row in each sequence.
func filled(starts *ir.Array, rows int) ([]block, error) {
	list, err := blocks(starts, rows)
	for s, b := range list {
		if b.n == 0 {
			return nil, fmt.Errorf("sequence %d has no tokens, so it has no first token", s)
		}
	}
	return list, err
}

// share returns the weight of each row of a sequence in its mean or sum.
func share(n *ir.Node, b block) float64 {
	if n.Str("rows") == "mean" {
		return 1 / float64(b.n)
	}
	return 1
}

// lowerTake returns the portable form for one sequence, with the arguments (y, x, n): its n rows begin at x, its row of the result is y.
func lowerTake(n *ir.Node) (*loop.Nest, error) {
	cols, ldx, err := row(n.In[0])
	if err != nil {
		return nil, err
	}
	args := append(loop.Floats("y", "x"), loop.Counts("n")...)
	rows := n.Str("rows")
	b := loop.New(fmt.Sprintf("y = the %s of n rows of %d.", rows, cols), args...)
	b.Slice("y0", "y", loop.I(0), loop.I(cols))
	if rows == "first" {
		b.Slice("x0", "x", loop.I(0), loop.I(cols))
		b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) { b.Store("y0", j, loop.At("x0", j)) })
		return b.Nest()
	}
	b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) { b.Store("y0", j, loop.F(0)) })
	b.For("i", loop.I(0), loop.V("n"), 1, func(i loop.Expr) {
		b.Slice("xi", "x", loop.Mul(i, loop.I(ldx)), loop.I(cols))
		b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) { b.Store("y0", j, loop.Add(loop.At("y0", j), loop.At("xi", j))) })
	})
	if rows == "mean" {
		count := b.Let("count", loop.Fn("float", loop.V("n")))
		b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) { b.Store("y0", j, loop.Div(loop.At("y0", j), count)) })
	}
	return b.Nest()
}

// sequenceLaunches returns the calls of an op that works on one sequence at a time. An operand or result begins at the sequence's first row, or at the
// sequence's own row if it has one row per sequence; n is the number of the sequence's rows. An operand that no kernel reads (starts) has no place.
func sequenceLaunches(n *ir.Node, starts []int32, _ []*ir.Array) []ir.Launch {
	var out []ir.Launch
	op := ir.Lookup(n.Op)
	for b := 0; b+1 < len(starts); b++ {
		at := func(v *ir.Value) int {
			_, ld, _ := row(v)
			switch v.Type.Shape[0] {
			case ir.T:
				return int(starts[b]) * ld
			case ir.B:
				return b * ld
			}
			return 0
		}
		l := ir.Launch{Memory: map[string]ir.Place{"y": {Operand: ir.Result, At: at(n.Out[0])}}, Counts: map[string]int{"n": int(starts[b+1] - starts[b])}}
		for i, v := range n.In {
			if v != nil && op.In[i].Name != startsIn.Name {
				l.Memory[op.In[i].Name] = ir.Place{Operand: i, At: at(v)}
			}
		}
		out = append(out, l)
	}
	return out
}
