package ragged

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// stepLimits are the limits of a model that reads words, labels and queries in up to three steps.
var stepLimits = Limits{Vocab: 10, SequenceTokens: 8, BatchSequences: 3, BatchTokens: 16, Words: true, Marks: true, Steps: 3}

// TestAppendTask puts sequences with queries together and takes them apart. The second one has no queries.
func TestAppendTask(t *testing.T) {
	one := Sequence{IDs: make([]int32, 8), Words: []int32{6, 8, 6, 8}, Marks: []int32{0, 1, 2, 4}}
	one.AppendTask([]int32{1, 2}, 2)
	one.AppendTask([]int32{4}, 1)
	require.Equal(t, []int32{1, 2, 1, 2, 4}, one.Queries)
	require.Equal(t, []int32{0, 2, 0, 2, 1, 2, 1, 2, 0, 1}, one.Steps)
	two := Sequence{IDs: make([]int32, 4), Words: []int32{2, 3}, Marks: []int32{0}}
	var b Batch
	for _, s := range []*Sequence{&two, &one} {
		b.Append(s, stepLimits)
	}
	require.NoError(t, b.Validate(stepLimits))
	require.Equal(t, []int32{5, 6, 5, 6, 8}, b.Queries)
	require.Equal(t, []int32{0, 0, 5}, b.QueryStarts)
	require.Equal(t, 5, b.Size(Q))
	require.Equal(t, 10, b.Pairs(), "pairs are those of words and queries")
	require.Equal(t, WordPairs{End: 3, Mark: 0, Marks: 5, Pair: 5}, b.PairsOf(2))
	require.Equal(t, one.Queries, b.Alone(1).Queries)
	require.Equal(t, one.Steps, b.Alone(1).Steps)
	require.Equal(t, []int32{0, 0}, b.Alone(0).QueryStarts)
	one.Reset()
	require.Empty(t, one.Queries)
	require.Empty(t, one.Steps)
}

func TestStepFaults(t *testing.T) {
	for name, c := range map[string]struct {
		queries, steps []int32
		want           string
	}{
		"none":            {nil, nil, ""},
		"a task":          {[]int32{2, 3, 2, 3}, []int32{0, 2, 0, 2, 1, 2, 1, 2}, ""},
		"two tasks":       {[]int32{2, 3, 3}, []int32{0, 1, 0, 1, 1, 1}, ""},
		"row before":      {[]int32{-1}, []int32{0, 1}, "query 0 stands at row -1"},
		"row after":       {[]int32{8}, []int32{0, 1}, "query 0 stands at row 8, the sequence has the rows 0 to 7"},
		"step below":      {[]int32{1}, []int32{-1, 1}, "query 0 has step -1, the model has 3"},
		"step above":      {[]int32{1}, []int32{3, 1}, "query 0 has step 3, the model has 3"},
		"no fields":       {[]int32{1}, []int32{0, 0}, "query 0 belongs to 0 fields"},
		"too many fields": {[]int32{1, 2}, []int32{0, 3, 0, 3}, "query 0 belongs to 3 fields, there are 2 queries from it on"},
		"no step before":  {[]int32{1}, []int32{1, 1}, "query 0 has step 1 of 1 fields"},
		"step left out":   {[]int32{1, 1}, []int32{0, 1, 2, 1}, "query 1 has step 2 of 1 fields"},
		"other fields":    {[]int32{1, 1, 2}, []int32{0, 1, 1, 2, 1, 2}, "query 1 has step 1 of 2 fields"},
		"mixed":           {[]int32{1, 2}, []int32{0, 2, 0, 1}, "query 1 has step 0 of 1 fields, between those of step 0 of 2 fields"},
		"falling rows":    {[]int32{2, 1}, []int32{0, 2, 0, 2}, "query 1 stands at row 1, which must be above 2"},
		"other row":       {[]int32{2, 3}, []int32{0, 1, 1, 1}, "query 1 stands at row 3, in the step before at 2"},
		"missing steps":   {[]int32{2}, nil, "Steps has 0 numbers, want 2 for each of 1 queries: 2"},
	} {
		b := Batch{IDs: make([]int32, 8), Starts: []int32{0, 8}, Words: []int32{6, 8}, WordStarts: []int32{0, 1}, Marks: []int32{0}, MarkStarts: []int32{0, 1},
			Queries: c.queries, QueryStarts: []int32{0, int32(len(c.queries))}, Steps: c.steps}
		if err := b.Validate(stepLimits); c.want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.want, name)
		}
	}
}

// TestWordsRepeat checks that a word may have the rows of the word before it, and no part of them.
func TestWordsRepeat(t *testing.T) {
	l := Limits{Vocab: 1, SequenceTokens: 9, BatchSequences: 1, BatchTokens: 9, Words: true}
	for want, words := range map[string][]int32{
		"": {1, 3, 1, 3, 1, 3, 3, 4}, "word 1 begins at row 1, which must not lie before 3": {1, 3, 1, 4}, "word 1 begins at row 2": {1, 3, 2, 3},
	} {
		b := Batch{IDs: make([]int32, 9), Starts: []int32{0, 9}, Words: words, WordStarts: []int32{0, int32(len(words) / 2)}}
		if err := b.Validate(l); want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}
