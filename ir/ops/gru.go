package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/ragged"
)

// These are the operands of ops on the queries of a batch: see [ragged.Batch.Queries].
var (
	queryStartsIn = ir.Operand{Name: "query_starts", DType: ir.I32, Doc: "[B+1] first query of each sequence, and Q"}
	stepsIn       = ir.Operand{Name: "steps", DType: ir.I32, Doc: "[Q, 2] the step of each query, and the number of fields of its task"}
)

// queryStarts and querySteps return parts of the batch for samples.
func queryStarts() ir.Arg { return ir.PartArg(ragged.QueryStarts) }
func querySteps() ir.Arg  { return ir.PartArg(ragged.Steps) }

// gruIn returns the operands of gru, after those of before.
func gruIn(before ...ir.Operand) []ir.Operand {
	return append(before, float("f", "[Q, S] the state before step 0"), float("table", "[L, 3·SP] the input's part of the gates in each step"),
		float("w", "[3·SP/16, S, 16], the state's weights in panels"), float("bias", "[3·SP]"))
}

// gruShapes checks the operands of gru from number i on, and those that list queries from number j on. It returns the number of cells.
func gruShapes(n *ir.Node, i, j int) (s int, err error) {
	_, s, err = matrix(n, i)
	if err != nil {
		return s, err
	}
	steps, _, err := matrix(n, i+1)
	if err == nil && !steps.Const() {
		err = fmt.Errorf("table is %s: its rows are steps", n.In[i+1].Type)
	}
	cols := ir.N(3 * round16(s))
	return s, first(err, shaped(n, i, ir.Q, ir.N(s)), shaped(n, i+1, steps, cols), shaped(n, i+2, ir.N(cols.N/16), ir.N(s), ir.N(16)),
		shaped(n, i+3, cols), shaped(n, j, ir.Bound), shaped(n, j+1, ir.Q, ir.N(2)))
}

var _ = ir.Define(ir.Op{
	Name: "gru", Class: ir.Recurrent,
	Doc: "Gated recurrent units over the steps of each field (Cho et al. 2014, with the reset gate after the product, as in PyTorch): with x the row of " +
		"the table for the query's step and g = h·Wᵀ + b, r = sigmoid(x_r + g_r), z = sigmoid(x_z + g_z), n = tanh(x_n + r·g_n), y = (1-z)·n + z·h. " +
		"h is the result of the step before, and the row of f in step 0. The gates r, z, n are padded to SP = 16·⌈S/16⌉ columns: " +
		"[Q, S], [L, 3·SP], [3·SP/16, S, 16], [3·SP], [B+1], [Q, 2] → [Q, S].",
	In: append(gruIn(), queryStartsIn, stepsIn),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, err := gruShapes(n, 0, 4)
		return []ir.Type{n.In[0].Type}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[0].Shape...)
		return []*ir.Array{y}, newGRU(in, y.F).each(func(q int, h, x, g []float64, s int) {
			sp := round16(s)
			for j := range s {
				r, z := sigmoid(x[j]+g[j]), sigmoid(x[sp+j]+g[sp+j])
				y.F[q*s+j] = (1-z)*math.Tanh(x[2*sp+j]+r*g[2*sp+j]) + z*h[j]
			}
		})
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		b.Like(n, "gru_grad", nil, dy[0], n.In[0], n.In[1], n.In[2], n.In[3], n.Out[0], n.In[4], n.In[5])
		if b.Err() != nil {
			return nil, b.Err()
		}
		nodes := b.Region().Nodes
		d := nodes[len(nodes)-1].Out
		return []*ir.Value{d[0], b.Like(n, "step_sums", attrs("steps", n.In[1].Type.Shape[0].N), d[1], n.In[5]),
			b.Like(n, "gru_weights", nil, d[2], n.In[0], n.Out[0], n.In[5]), b.Like(n, "col_sum", nil, d[2]), nil, nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		cells := float64(n.In[0].Type.Shape[1].N)
		return ir.Cost{FLOPs: float64(s.Q) * cells * (6*cells + 40)}
	},
	Lower:   lowerGRU,
	Kernels: []string{"gemm", "gru"},
	Launches: func(n *ir.Node, _ []int32, in []*ir.Array) []ir.Launch {
		return queryLaunches(n, in, func(int) int { return GRUScratch(n.In[0].Type.Shape[1].N) })
	},
	Sample: samples(
		sample(nil, normal(ir.Q, ir.N(5)), normal(ir.N(ir.SampleSteps), ir.N(48)), panelled(48, 5), normal(ir.N(48)), queryStarts(), querySteps()),
		lens(sample(nil, normal(ir.Q, ir.N(17)), normal(ir.N(ir.SampleSteps), ir.N(96)), panelled(96, 17), normal(ir.N(96)), queryStarts(), querySteps()),
			9, 1, 14),
	),
})

// gruCells holds what the steps of gru read.
type gruCells struct {
	f, table, w, bias, y []float64
	steps                []int32
	rows                 int // of the table
	s                    int // cells
}

// newGRU returns the steps of gru for its operands; y is its result.
func newGRU(in []*ir.Array, y []float64) *gruCells {
	return &gruCells{in[0].Floats(), in[1].Floats(), in[2].Floats(), in[3].Floats(), y, in[len(in)-1].I, in[1].Shape[0], in[0].Shape[1]}
}

// before returns the state before query q, and the query of the step before, or -1 in step 0.
func (c *gruCells) before(q int) (h []float64, from int, err error) {
	step, fields := int(c.steps[2*q]), int(c.steps[2*q+1])
	switch {
	case step < 0 || step >= c.rows || step > 0 && (fields < 1 || fields > q):
		return nil, 0, fmt.Errorf("query %d has step %d of %d fields, the table has %d rows", q, step, fields, c.rows)
	case step == 0:
		return c.f[q*c.s:][:c.s], -1, nil
	}
	return c.y[(q-fields)*c.s:][:c.s], q - fields, nil
}

// each calls visit for each query in their order, with the state before it, the row of the table, and the product of the state with the weights.
func (c *gruCells) each(visit func(q int, h, x, g []float64, s int)) error {
	cols := 3 * round16(c.s)
	for q := range len(c.steps) / 2 {
		h, _, err := c.before(q)
		if err != nil {
			return err
		}
		visit(q, h, c.table[int(c.steps[2*q])*cols:][:cols], c.sums(h), c.s)
	}
	return nil
}

// sums returns the product of a state with the weights, and the bias.
func (c *gruCells) sums(h []float64) []float64 {
	g := append([]float64(nil), c.bias...)
	for r := range g {
		for j, v := range h {
			g[r] += v * c.w[r/16*16*c.s+j*16+r%16]
		}
	}
	return g
}

// GRUBlock is the number of queries whose gates are computed together.
const GRUBlock = 16

// GRUScratch returns the number of floats that gru needs: the gates of a block of queries. The portable form takes a state and the gates of one query.
func GRUScratch(size int) int { return 3 * GRUBlock * round16(size) }

// GRUGradScratch returns the number of floats that the portable form of gru_grad needs: as for gru, and the gradients of the gates.
func GRUGradScratch(size int) int { return 7 * round16(size) }

// lowerGRU returns the portable form for the n queries of one sequence, with the arguments (y, f, table, w, bias, steps, scratch, n).
func lowerGRU(n *ir.Node) (*loop.Nest, error) {
	s := n.In[0].Type.Shape[1].N
	sp := round16(s)
	doc := fmt.Sprintf("y = %d gated recurrent units over the steps of a sequence's n queries.", s)
	return portable(n, doc, "f table w bias steps scratch n", func(b *nest) {
		b.gruWindows(sp, 3*sp)
		b.each("q", loop.V("n"), func(q loop.Expr) {
			b.gruState(q, s, sp, "y")
			b.row("yq", "y", q)
			b.each("j", loop.I(s), func(j loop.Expr) {
				_, z, v := b.gruGates(j, sp)
				b.Store("yq", j, loop.Add(loop.Mul(loop.Sub(loop.F(1), z), v), loop.Mul(z, loop.At("h", j))))
			})
		})
	})
}

// gruWindows makes the windows of the scratch memory: a state h of sp numbers, and cols gates.
func (b *nest) gruWindows(sp, cols int) {
	b.Slice("h", scratchArg, loop.I(0), loop.I(sp))
	b.Slice("gates", scratchArg, loop.I(sp), loop.I(cols))
	b.Slice("b0", "bias", loop.I(0), loop.I(cols))
}

// gruState writes the state before query q to the window h and the product with the weights to the window gates, and makes the window xq of the table's row. It
// returns the query's step and the number of fields of its task. of is the argument with the states after each query.
func (b *nest) gruState(q loop.Expr, s, sp int, of string) (step, fields loop.Expr) {
	b.row("place", "steps", q)
	step, fields = b.Let("step", loop.At("place", loop.I(0))), b.Let("fields", loop.At("place", loop.I(1)))
	b.row("xq", "table", step)
	from := func(window, name string, at loop.Expr) func() {
		return func() {
			b.row(window, name, at)
			b.each("j", loop.I(s), func(j loop.Expr) { b.Store("h", j, loop.At(window, j)) })
		}
	}
	b.If(loop.Less(loop.I(0), step), from("hq", of, loop.Sub(q, fields)), from("fq", "f", q))
	gateSums(b.Builder, 3*sp, s, "b0")
	return step, fields
}

// gruGates writes the gates r and z and the candidate of cell j.
func (b *nest) gruGates(j loop.Expr, sp int) (r, z, v loop.Expr) {
	part := func(window string, k int) loop.Expr { return loop.At(window, loop.Add(loop.I(k*sp), j)) }
	r = b.Let("r", sigmoidOf(loop.Add(part("xq", 0), part("gates", 0))))
	z = b.Let("z", sigmoidOf(loop.Add(part("xq", 1), part("gates", 1))))
	v = b.Let("v", loop.Fn("tanh", loop.Add(part("xq", 2), loop.Mul(r, part("gates", 2)))))
	return r, z, v
}

// queryLaunches returns one call per sequence, with the number of its queries as the count n. Operands and results begin at the sequence's first query, or are
// read whole. scratch returns the number of floats that a call may use as memory.
func queryLaunches(n *ir.Node, in []*ir.Array, scratch func(queries int) int) (out []ir.Launch) {
	op := ir.Lookup(n.Op)
	var firsts []int32
	for i, d := range op.In {
		if d.Name == queryStartsIn.Name {
			firsts = in[i].I
		}
	}
	for s := 0; s+1 < len(firsts); s++ {
		at := func(operand int, v *ir.Value) ir.Place {
			p := ir.Place{Operand: operand}
			if v.Type.Shape[0] == ir.Q {
				_, ld, _ := row(v)
				p.At = int(firsts[s]) * ld
			}
			return p
		}
		l := ir.Launch{Memory: map[string]ir.Place{}, Counts: map[string]int{"n": int(firsts[s+1] - firsts[s])}}
		for i, v := range n.In {
			if op.In[i].Name != queryStartsIn.Name {
				l.Memory[op.In[i].Name] = at(i, v)
			}
		}
		for k, v := range n.Out {
			name := "y"
			if op.Results != nil {
				name = op.Results[k]
			}
			l.Memory[name] = at(ir.ResultAt(k), v)
		}
		l.Memory[scratchArg] = ir.Place{Operand: ir.Scratch, At: scratch(l.Counts["n"])}
		out = append(out, l)
	}
	return out
}
