package task

import (
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
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
func (x *SchemaExtractor) overlap(o *ExtractOptions) extraction.Overlap { return o.Overlap }

// decode returns the result for a text from the outputs of the head.
func (x *SchemaExtractor) decode(s *Schema, in *extraction.Input, o *ExtractOptions, out []float32) *extraction.Result {
	n := &schemaNumbers{in: in, width: x.width, counted: x.steps + 1}
	for i := range in.Tasks {
		n.first = append(n.first, n.queries)
		n.queries += stepsOf(&in.Tasks[i], x.steps) * len(in.Tasks[i].Labels)
	}
	for i := range x.Parts {
		p := &x.Parts[i]
		size := p.C
		switch p.Rows {
		case engine.PerMark:
			size *= len(in.Marks)
		case engine.PerPair:
			size *= len(in.Words) / 2 * n.queries
		}
		part := out[:size]
		out = out[size:]
		switch p.Name {
		case tasktable.ClassOutput:
			n.classes = part
		case tasktable.CountOutput:
			n.counts = part
		case tasktable.SpanOutput:
			n.spans = part
		}
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
