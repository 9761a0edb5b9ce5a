package task

import (
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
)

// schemaSequence returns the sequence of an input, for a model that computes up to steps instances of each structure and relation. It shares memory with in.
func schemaSequence(in *extraction.Input, steps int) engine.Sequence {
	s := engine.Sequence{IDs: in.IDs, Words: in.Words}
	for _, m := range in.Marks {
		s.Marks = append(s.Marks, m.Row)
	}
	for i := range in.Tasks {
		t := &in.Tasks[i]
		s.AppendTask(s.Marks[t.Mark+1:][:len(t.Labels)], stepsOf(t, steps))
	}
	return s
}

// stepsOf returns the number of instances of a task that are computed.
func stepsOf(t *extraction.Task, most int) int {
	switch t.Kind {
	case extraction.ClassificationTask:
		return 0
	case extraction.EntityTask:
		return 1
	}
	return most
}

func (x *SchemaExtractor) sequence(in *extraction.Input) engine.Sequence {
	return schemaSequence(in, x.steps)
}

// overlap returns the rule by which entities of several windows are chosen.
func (x *SchemaExtractor) overlap(o *ExtractOptions) extraction.Overlap {
	if o.Overlap == extraction.DefaultOverlap && x.boundary != nil {
		return x.boundary.Overlap
	}
	return o.Overlap
}

// decode returns the result for a text from the outputs of the head.
func (x *SchemaExtractor) decode(s *Schema, in *extraction.Input, o *ExtractOptions, out []float32) *extraction.Result {
	n := &schemaNumbers{in: in, width: x.width, counted: x.steps + 1}
	for i := range in.Tasks {
		n.first = append(n.first, n.queries)
		n.queries += stepsOf(&in.Tasks[i], x.steps) * len(in.Tasks[i].Labels)
	}
	words := len(in.Words) / 2
	chosen := ragged.MostCandidates(words, x.core.Program().Limits.Candidates)
	rows := map[engine.Rows]int{engine.PerMark: len(in.Marks), engine.PerPair: words * n.queries, engine.PerQuery: n.queries,
		engine.PerBoundary: n.queries * (words + 1), engine.PerCandidate: chosen, engine.PerQueryCandidate: n.queries * chosen}
	parts := map[string][]float32{}
	for i := range x.Parts {
		p := &x.Parts[i]
		if p.Vector {
			continue
		}
		size := rows[p.Rows] * p.C
		parts[p.Name], out = out[:size], out[size:]
	}
	n.classes, n.counts, n.spans = parts[tasktable.ClassOutput], parts[tasktable.CountOutput], parts[tasktable.SpanOutput]
	if x.boundary != nil {
		b := newBoundaryNumbers(n, parts[tasktable.PoolOutput], parts[tasktable.PairOutput], parts[tasktable.AbsentOutput])
		return extraction.DecodeBoundaries(s, in, b, x.boundary, o)
	}
	return extraction.DecodeSpans(s, in, n, o)
}

// schemaNumbers finds the numbers of a text among the outputs of a head.
type schemaNumbers struct {
	in      *extraction.Input
	classes []float32 // one per marker
	counts  []float32 // [markers, counted]
	spans   []float32 // [words, queries, width]
	first   []int     // the first query of each task
	queries int
	counted int
	width   int
}

func (n *schemaNumbers) Class(mark int) float32 { return n.classes[mark] }

func (n *schemaNumbers) Count(mark int) []float32 { return n.counts[mark*n.counted:][:n.counted] }

func (n *schemaNumbers) Span(mark, instance, word int) []float32 {
	m := &n.in.Marks[mark]
	query := n.first[m.Task] + instance*len(n.in.Tasks[m.Task].Labels) + m.Label
	return n.spans[(word*n.queries+query)*n.width:][:n.width]
}
