package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/ragged"
)

// The ops of the files boundary_*.go and pool_*.go compute the boundary head of GLiNER2.5. A text of n words has n+1 boundaries, a span lies between two of
// them, and a head scores only the spans that choose_spans chooses, the candidates of the text. Queries are what texts are searched for.

// The operands that divide rows between the sequences:
var (
	candidatesIn = ir.Operand{Name: "candidates", DType: ir.I32, Doc: "[B] how many candidates each sequence has"}
	spansIn      = ir.Operand{Name: "spans", Constant: true,
		Doc: "[S, 2] the first boundary of each candidate and the last one, see choose_spans; an empty span stands for none"}
)

// SpanColumns is the number of columns of boundary_scores: start, end, inside.
const SpanColumns = 3

// placed returns operands, with those that divide rows between sequences after them.
func placed(list ...ir.Operand) []ir.Operand {
	return append(list, wordStartsIn, queryStartsIn, candidatesIn)
}

// placeShapes checks the types of the last three operands.
func placeShapes(n *ir.Node) error {
	i := len(ir.Lookup(n.Op).In)
	return first(shaped(n, i-3, ir.Bound), shaped(n, i-2, ir.Bound), shaped(n, i-1, ir.B))
}

// places returns the place of each sequence, from the last three operands, and that of what follows the last sequence.
func places(in []*ir.Array) (list []ragged.SpanPlace, end ragged.SpanPlace) {
	at := in[len(in)-3:]
	n := len(at[0].I) - 1
	for s := range n + 1 {
		list = append(list, ragged.SpanPlaces(at[0].I, at[1].I, at[2].I, s))
	}
	return list[:n], list[n]
}

// placeArgs are samples of the last three operands.
func placeArgs(in ...ir.Arg) []ir.Arg {
	return append(in, wordStarts(), queryStarts(), ir.PartArg(ragged.Candidates))
}

// spanPairs returns sample pairs of boundaries, of which some are no spans.
func spanPairs() ir.Arg { return ir.Arg{Type: f32(ir.S, ir.N(2)), Fill: ir.FillBelow, Max: 6} }

// placeSample returns a sample of a node with operands and those that divide rows between sequences.
func placeSample(list []ir.Attr, in ...ir.Arg) ir.Sample {
	return lens(sample(list, placeArgs(in...)...), 9, 1, 14)
}

// span is a candidate: boundaries from and to, of words from … to-1. ok reports whether it is a span of the sequence.
type span struct {
	from, to int
	ok       bool
}

// spanAt returns candidate i of a batch, which belongs to the sequence at p.
func spanAt(spans *ir.Array, i int, p ragged.SpanPlace) span {
	x := spans.Floats()[2*i:]
	s := span{from: int(x[0]), to: int(x[1])}
	s.ok = s.from >= 0 && s.from < s.to && s.to <= p.Words
	return s
}

// place is the place of a sequence in the rows of each extent.
type place = ragged.SpanPlace

// eachSpan calls visit with the place of each sequence, and each of its candidates that is a span.
func eachSpan(spans *ir.Array, in []*ir.Array, visit func(p place, candidate int, s span)) {
	list, _ := places(in)
	for _, p := range list {
		for i := p.Candidate; i < p.Candidate+p.Candidates; i++ {
			if s := spanAt(spans, i, p); s.ok {
				visit(p, i, s)
			}
		}
	}
}

// placeLaunches returns one call per sequence. Each operand and result begins at the sequence's first row of its extent, or is read whole.
func placeLaunches(scratch func(n *ir.Node, p ragged.SpanPlace) int) func(n *ir.Node, _ []int32, in []*ir.Array) []ir.Launch {
	return func(n *ir.Node, _ []int32, in []*ir.Array) (out []ir.Launch) {
		op := ir.Lookup(n.Op)
		list, _ := places(in)
		for s, p := range list {
			first := map[ir.Dim]int{ir.B: s, ir.W: p.Word, ir.Q: p.Query, ir.U: p.Bound, ir.R: p.Score, ir.S: p.Candidate, ir.X: p.Pair}
			place := func(operand int, v *ir.Value) ir.Place {
				_, ld, _ := row(v)
				return ir.Place{Operand: operand, At: first[v.Type.Shape[0]] * ld}
			}
			l := ir.Launch{Memory: map[string]ir.Place{}, Counts: map[string]int{"words": p.Words, "queries": p.Queries, "chosen": p.Candidates}}
			for i, v := range n.In[:len(n.In)-3] {
				if v != nil {
					l.Memory[op.Argument(i)] = place(i, v)
				}
			}
			for k, v := range n.Out {
				name := "y"
				if op.Results != nil {
					name = op.Results[k]
				}
				l.Memory[name] = place(ir.ResultAt(k), v)
			}
			if scratch != nil {
				l.Memory[scratchArg] = ir.Place{Operand: ir.Scratch, At: scratch(n, p)}
			}
			out = append(out, l)
		}
		return out
	}
}

// allResults returns the gradients that the last node has as results, and nil for further operands.
func allResults(b *ir.Builder, n *ir.Node, name string, list []ir.Attr, in ...*ir.Value) ([]*ir.Value, error) {
	d := b.Node(name, n.Pos, n.Note, list, in...)
	if b.Err() != nil {
		return nil, b.Err()
	}
	for len(d) < len(n.In) {
		d = append(d, nil)
	}
	return d, nil
}

// eachCandidate writes a loop over the candidates of a sequence. In it, from and to are the boundaries of candidate i; write is for those that are spans, and
// other, unless it is nil, for the rest.
func (b *nest) eachCandidate(write func(i, from, to loop.Expr), other func(i loop.Expr)) {
	b.each("i", loop.V("chosen"), func(i loop.Expr) {
		b.row("span", "spans", i)
		from, to := b.Let("from", loop.Fn("int", loop.At("span", loop.I(0)))), b.Let("to", loop.Fn("int", loop.At("span", loop.I(1))))
		fits := loop.Bin{Op: "&&", X: loop.Bin{Op: "&&", X: loop.Bin{Op: "<=", X: loop.I(0), Y: from}, Y: loop.Less(from, to)},
			Y: loop.Bin{Op: "<=", X: to, Y: loop.V("words")}}
		var none func()
		if other != nil {
			none = func() { other(i) }
		}
		b.If(fits, func() { write(i, from, to) }, none)
	})
}

// fixedRows returns an error unless an operand has the rows, and the number of its columns.
func fixedRows(n *ir.Node, i int, rows ir.Dim) (int, error) {
	r, w, err := matrix(n, i)
	if err == nil && r != rows {
		err = fmt.Errorf("operand %d is %s, want a row per %v", i, n.In[i].Type, rows)
	}
	return w, err
}
