package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// fieldAttendIn returns the operands of attend_fields, after those of before.
func fieldAttendIn(before ...ir.Operand) []ir.Operand {
	return append(before, float("q", "[Q, N]"), float("k", "[Q, N]"), float("v", "[Q, N]"), queryStartsIn, stepsIn)
}

// fieldShapes checks the operands from number i on: q, k, v, and those that list queries.
func fieldShapes(n *ir.Node, i int) error {
	_, w, err := matrix(n, i)
	if a := n.Int("heads"); err == nil && (a < 1 || w%a != 0) {
		err = fmt.Errorf("%d heads do not divide %d columns", a, w)
	}
	return first(err, shaped(n, i, ir.Q, ir.N(w)), shaped(n, i+1, ir.Q, ir.N(w)), shaped(n, i+2, ir.Q, ir.N(w)), shaped(n, i+3, ir.Bound),
		shaped(n, i+4, ir.Q, ir.N(2)))
}

var _ = ir.Define(ir.Op{
	Name: "attend_fields", Class: ir.Wordwise,
	Doc: "Attention of each query to the fields of its task in the same step: y = Σ_j p_j·v_j with p = softmax(q·k_j / √(N/A)), for each of A heads, " +
		"[Q, N], [Q, N], [Q, N], [B+1], [Q, 2] → [Q, N].",
	In: fieldAttendIn(), Attrs: wordAttendAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) { return []ir.Type{n.In[0].Type}, fieldShapes(n, 0) },
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[0].Shape...)
		return []*ir.Array{y}, attendFields(n.Int("heads"), in, func(h heading, p []float64) {
			for t, v := range p {
				addScaled(h.of(y.F, h.word), h.of(in[2].Floats(), h.from+t), v)
			}
		})
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		b.Like(n, "attend_fields_grad", n.Attrs, dy[0], n.In[0], n.In[1], n.In[2], n.In[3], n.In[4])
		if b.Err() != nil {
			return nil, b.Err()
		}
		nodes := b.Region().Nodes
		d := nodes[len(nodes)-1].Out
		return []*ir.Value{d[0], d[1], d[2], nil, nil}, nil
	},
	Cost:  func(n *ir.Node, s ir.Sizes) ir.Cost { return fieldCost(n, s, 4, 13) },
	Lower: lowerAttendFields,
	Launches: func(n *ir.Node, _ []int32, in []*ir.Array) []ir.Launch {
		return queryLaunches(n, in, func(queries int) int { return AttendScratch(false, queries) })
	},
	Sample: samples(
		sample(attrs("heads", 2), normal(ir.Q, ir.N(6)), normal(ir.Q, ir.N(6)), normal(ir.Q, ir.N(6)), queryStarts(), querySteps()),
		lens(sample(attrs("heads", 4), normal(ir.Q, ir.N(16)), normal(ir.Q, ir.N(16)), normal(ir.Q, ir.N(16)), queryStarts(), querySteps()), 9, 1, 14)),
})

// fieldCost returns the cost of an attention of queries to fields, with these numbers of operations per column and per head of a pair. A task of an ordinary
// call has a few fields.
func fieldCost(n *ir.Node, s ir.Sizes, columns, heads int) ir.Cost {
	const fields = 4
	return ir.Cost{FLOPs: float64(s.Q) * fields * float64(columns*n.In[0].Type.Shape[1].N+heads*n.Int("heads"))}
}

// attendFields calls visit with each head of each query, and with the probabilities of the fields that it reads. in are the operands of attend_fields.
func attendFields(heads int, in []*ir.Array, visit func(h heading, p []float64)) error {
	queries, cols := in[0].Shape[0], in[0].Shape[1]
	width := cols / heads
	steps := in[4].I
	for from := 0; from < queries; {
		fields := int(steps[2*from+1])
		if fields < 1 || from+fields > queries {
			return fmt.Errorf("query %d belongs to %d fields, there are %d queries from it on", from, fields, queries-from)
		}
		for q := from; q < from+fields; q++ {
			for a := range heads {
				h := heading{q, from, from + fields, a * width, width, cols}
				visit(h, h.probabilities(in[0].Floats(), in[1].Floats()))
			}
		}
		from += fields
	}
	return nil
}

// lowerAttendFields returns the portable form for the n queries of one sequence, with the arguments (y, q, k, v, steps, scratch, n).
func lowerAttendFields(n *ir.Node) (*loop.Nest, error) {
	heads := n.Int("heads")
	doc := fmt.Sprintf("y = the attention of each query of a sequence to the fields of its step, with %d heads.", heads)
	return portable(n, doc, "q k v steps scratch n", func(b *nest) { b.attention(b.fieldReaders(heads)) })
}

// fieldReaders writes what attention of queries to fields begins with: the window p of probabilities, and the bounds of the present step.
func (b *nest) fieldReaders(heads int) readers {
	b.all("p", scratchArg, loop.V("n"))
	from, to := b.Let("from", loop.I(0)), b.Let("to", loop.I(0))
	return readers{loop.V("n"), loop.V("n"), heads, b.cols["q"] / heads, func(w loop.Expr) (loop.Expr, loop.Expr) {
		b.If(loop.Bin{Op: "==", X: to, Y: w}, func() {
			b.row("place", "steps", w)
			b.Assign(from, w)
			b.Assign(to, loop.Add(w, loop.At("place", loop.I(1))))
		}, nil)
		return from, to
	}}
}

var _ = ir.Define(ir.Op{
	Name: "attend_fields_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands q, k and v of attend_fields. It computes the probabilities again: [Q, N], [Q, N], [Q, N], [Q, N], [B+1], [Q, 2] → " +
		"[Q, N], [Q, N], [Q, N].",
	In: fieldAttendIn(float("dy", "[Q, N]")), Attrs: wordAttendAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		if !n.In[0].Type.Equal(n.In[1].Type) {
			return nil, fmt.Errorf("dy is %s, q is %s", n.In[0].Type, n.In[1].Type)
		}
		return []ir.Type{n.In[1].Type, n.In[2].Type, n.In[3].Type}, fieldShapes(n, 1)
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		dq, dk, dv := ir.NewArray(in[1].Shape...), ir.NewArray(in[2].Shape...), ir.NewArray(in[3].Shape...)
		return []*ir.Array{dq, dk, dv}, attendFields(n.Int("heads"), in[1:], func(h heading, p []float64) { h.grad(in, p, dq.F, dk.F, dv.F) })
	},
	Results: []string{"dq", "dk", "dv"},
	NoGrad:  onlyFirst,
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return fieldCost(n, s, 10, 18) },
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		heads := n.Int("heads")
		doc := fmt.Sprintf("the gradients of the attention of queries to fields, with %d heads.", heads)
		return portable(n, doc, "dy q k v steps scratch n", func(b *nest) {
			read := b.fieldReaders(heads)
			b.Slice("dp", scratchArg, loop.V("n"), loop.V("n"))
			b.attentionGrad(read)
		})
	},
	Launches: func(n *ir.Node, _ []int32, in []*ir.Array) []ir.Launch {
		return queryLaunches(n, in, func(queries int) int { return AttendScratch(true, queries) })
	},
	Sample: samples(
		sample(attrs("heads", 2), normal(ir.Q, ir.N(6)), normal(ir.Q, ir.N(6)), normal(ir.Q, ir.N(6)), normal(ir.Q, ir.N(6)), queryStarts(), querySteps()),
		lens(sample(attrs("heads", 4), normal(ir.Q, ir.N(16)), normal(ir.Q, ir.N(16)), normal(ir.Q, ir.N(16)), normal(ir.Q, ir.N(16)), queryStarts(),
			querySteps()), 9, 1, 14)),
})
