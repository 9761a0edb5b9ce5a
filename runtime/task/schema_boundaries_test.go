package task

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
)

// boundaryPool is the greatest number of candidates of a text in these tests.
const boundaryPool = 5

// The numbers of the fake model are made from the tokens of a sequence and the rows of markers. Every third row of the pool holds no span.
func poolNumber(sum, i, words int) (start, end int32) {
	if i%3 == 2 {
		return 0, 0
	}
	start = int32((sum + i) % words)
	return start, min(start+1+int32(i), int32(words))
}
func pairNumber(sum, row, i int) float32 { return float32(4*noise(sum, row, i, 3) - 1) }
func absentNumber(sum, row int) float32  { return float32(2*noise(sum, row, 4) - 1) }

func boundaryParts() []engine.Part {
	return []engine.Part{{Name: tasktable.ClassOutput, Rows: engine.PerMark, C: 1}, {Name: tasktable.BoundOutput, Rows: engine.PerBoundary, C: 3},
		{Name: tasktable.PoolOutput, Rows: engine.PerCandidate, C: 2}, {Name: tasktable.PairOutput, Rows: engine.PerQueryCandidate, C: 1},
		{Name: tasktable.AbsentOutput, Rows: engine.PerQuery, C: 1}}
}

// boundaryForward computes the outputs of a batch, in the order of boundaryParts.
func boundaryForward(x *engine.Exec) {
	out := (&engine.Head{Parts: boundaryParts()}).Split(x.Sizes, x.Out)
	sum := func(s int) int { return sumOf(x.IDs[x.Starts[s]:x.Starts[s+1]]) }
	for s := range x.B {
		p := x.SpansOf(s)
		for m := x.MarkStarts[s]; m < x.MarkStarts[s+1]; m++ {
			out[0][m] = classNumber(sum(s), int(x.Marks[m]-x.Starts[s]))
		}
		for i := range p.Candidates {
			start, end := poolNumber(sum(s), i, p.Words)
			out[2][2*(p.Candidate+i)], out[2][2*(p.Candidate+i)+1] = float32(start), float32(end)
		}
		for q := range p.Queries {
			row := int(x.Queries[p.Query+q] - x.Starts[s])
			for i := range p.Candidates {
				out[3][p.Pair+q*p.Candidates+i] = pairNumber(sum(s), row, i)
			}
			out[4][p.Query+q] = absentNumber(sum(s), row)
		}
	}
}

// expectedBoundaries are the numbers of one text, by the same functions.
type expectedBoundaries struct{ expectedNumbers }

func (n expectedBoundaries) each(visit func(i int, b extraction.Boundary)) {
	words := len(n.in.Words) / 2
	for i := range ragged.MostCandidates(words, boundaryPool) {
		if start, end := poolNumber(sumOf(n.in.IDs), i, words); start < end {
			visit(i, extraction.Boundary{Start: start, End: end})
		}
	}
}

func (n expectedBoundaries) Pool() (list []extraction.Boundary) {
	n.each(func(_ int, b extraction.Boundary) { list = append(list, b) })
	return list
}

func (n expectedBoundaries) Pair(mark int) (list []float32) {
	n.each(func(i int, _ extraction.Boundary) { list = append(list, pairNumber(sumOf(n.in.IDs), n.row(mark), i)) })
	return list
}

func (n expectedBoundaries) Null(mark int) float32 { return absentNumber(sumOf(n.in.IDs), n.row(mark)) }

func newBoundaryExtractor(t testing.TB, b engine.Boundary) (*SchemaExtractor, error) {
	f := fake{
		heads: []engine.Head{{Task: tasktable.Extract, Rows: engine.PerQuery, C: 1, Parts: boundaryParts(), Boundary: &b}},
		limits: func(l *engine.Limits) {
			l.Words, l.Marks, l.Steps, l.Candidates, l.SequenceTokens, l.BatchTokens = true, true, 1, boundaryPool, 512, 1024
		},
		forward: boundaryForward,
		token:   schemaPieces{},
	}
	return NewSchemaExtractor(f.open(t), "")
}

// TestExtractBoundaries compares results with decoding of the numbers that the model must have computed, for texts that are batched in any way.
func TestExtractBoundaries(t *testing.T) {
	settings := engine.Boundary{Pairs: 1.5, Classes: 0.5, Above: 0.6, Overlap: "nested"}
	x, err := newBoundaryExtractor(t, settings)
	require.NoError(t, err)
	entities := parsed(t, `{"entities": {"a": {"dtype": "str"}, "b": "", "c": ""}, "classifications": [{"task": "t", "labels": ["x", "y", "z"]}]}`)
	class := parsed(t, `{"classifications": [{"task": "t", "labels": ["x", "y"], "multi_label": true}]}`)
	inputs := []ExtractInput{{"one two three", entities, nil}, {"", class, nil}, {"four five six seven eight nine", entities, nil},
		{"x", entities, &ExtractOptions{Overlap: extraction.Allow}},
		{"ten words are in this text which goes on and on", entities, &ExtractOptions{Window: 4, Share: 1}}}
	o := ExtractOptions{Threshold: new(0.4)}
	want := &extraction.BoundarySettings{PairTemperature: 1.5, ClassTemperature: 0.5, Abstention: true, AbstentionThreshold: 0.6, Overlap: extraction.Nested}
	together, err := x.ExtractEach(background, inputs, o)
	require.NoError(t, err)
	found, none := 0, 0
	for i, in := range inputs {
		o := *in.settings(&o)
		read := func(text string, limit int) *extraction.Result {
			read, err := x.prompts.Input(in.Schema, extraction.Read(text, o.Splitter, limit))
			require.NoError(t, err)
			return extraction.DecodeBoundaries(in.Schema, read, expectedBoundaries{expectedNumbers{read}}, want, &o)
		}
		result := read(in.Text, 0)
		if o.Window > 0 {
			var results []*extraction.Result
			windows := extraction.Windows(in.Text, &o)
			for _, w := range windows {
				results = append(results, read(w.Text, o.Window))
			}
			result = extraction.Merge(in.Text, windows, results, extraction.Nested)
		}
		require.Equal(t, result, together[i].Result, "text %d", i)
		for _, e := range result.Entities {
			if found += len(e.Spans); len(e.Spans) == 0 {
				none++
			}
		}
		alone, err := x.ExtractEach(background, inputs[i:i+1], o)
		require.NoError(t, err)
		require.Equal(t, together[i], alone[0])
	}
	require.Greater(t, found, 5)
	require.Positive(t, none)
}

// TestExtractBoundariesRefused checks that what such a head cannot do is refused with the field of the schema.
func TestExtractBoundariesRefused(t *testing.T) {
	x, err := newBoundaryExtractor(t, engine.Boundary{Pairs: 1, Classes: 1, Overlap: "flat"})
	require.NoError(t, err)
	for schema, want := range map[string]string{
		`{"structures": {"s": {"fields": [{"name": "f"}]}}}`:                      "structures",
		`{"relations": ["r"]}`:                                                    "relations",
		`{"entities": ["a"], "entity_attributes": {"g": {"labels": ["x", "y"]}}}`: "entity_attributes",
	} {
		_, err := x.Extract(background, []string{"x"}, parsed(t, schema), ExtractOptions{})
		require.ErrorContains(t, err, want)
	}
	_, err = newBoundaryExtractor(t, engine.Boundary{Pairs: 1, Classes: 1, Overlap: "greedy"})
	require.ErrorContains(t, err, "greedy")
}
