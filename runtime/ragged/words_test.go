package ragged

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestValidateRows(t *testing.T) {
	plain := Limits{Vocab: 10, SequenceTokens: 6, BatchSequences: 3, BatchTokens: 12}
	rows, words, both := plain, plain, plain
	rows.Rows = 3
	words.Words = true
	both.Words, both.Marks = true, true
	starts := []int32{0, 4, 10}
	for name, c := range map[string]struct {
		batch  Batch
		limits Limits
		want   string
	}{
		"rows":             {Batch{Rows: []int32{0, 4, 9}}, rows, ""},
		"no rows":          {Batch{}, rows, ""},
		"rows for none":    {Batch{Rows: []int32{1}}, plain, "leave Rows empty"},
		"too many rows":    {Batch{Rows: []int32{1, 2, 3, 4}}, rows, "4 rows, the limit of a batch is 3"},
		"row twice":        {Batch{Rows: []int32{2, 2}}, rows, "Rows[1] is 2, which is not above 2"},
		"row negative":     {Batch{Rows: []int32{-1}}, rows, "Rows[0] is -1"},
		"row too large":    {Batch{Rows: []int32{10}}, rows, "Rows[0] is 10, there are 10 tokens"},
		"words":            {Batch{Words: []int32{1, 2, 2, 4, 5, 10}, WordStarts: []int32{0, 2, 3}}, words, ""},
		"no words":         {Batch{WordStarts: []int32{0, 0, 0}}, words, ""},
		"words missing":    {Batch{}, words, "needs the words of each sequence"},
		"words for none":   {Batch{WordStarts: []int32{0, 0, 0}}, plain, "leave Words and WordStarts empty"},
		"half a word":      {Batch{Words: []int32{1}, WordStarts: []int32{0, 0, 0}}, words, "want 2 per word"},
		"word starts at 1": {Batch{Words: []int32{1, 2}, WordStarts: []int32{1, 1, 1}}, words, "WordStarts[0] is 1"},
		"word starts fall": {Batch{Words: []int32{1, 2}, WordStarts: []int32{0, 2, 1}}, words, "sequence 1: WordStarts falls from 2 to 1"},
		"word starts end":  {Batch{Words: []int32{1, 2}, WordStarts: []int32{0, 0, 2}}, words, "WordStarts ends at 2, there are 1 words"},
		"word backwards":   {Batch{Words: []int32{2, 1}, WordStarts: []int32{0, 1, 1}}, words, "word 0 goes from row 2 down to row 1"},
		"words overlap":    {Batch{Words: []int32{1, 3, 2, 4}, WordStarts: []int32{0, 2, 2}}, words, "word 1 begins at row 2, which must not lie before 3"},
		"word too early":   {Batch{Words: []int32{3, 5}, WordStarts: []int32{0, 0, 1}}, words, "sequence 1: word 0 begins at row 3"},
		"word too far":     {Batch{Words: []int32{3, 5}, WordStarts: []int32{0, 1, 1}}, words, "word 0 goes up to row 5, the sequence to 4"},
		"marks": {Batch{Words: []int32{1, 3, 7, 8}, WordStarts: []int32{0, 1, 2}, Marks: []int32{0, 3, 4, 9},
			MarkStarts: []int32{0, 2, 4}}, both, ""},
		"marks missing":  {Batch{WordStarts: []int32{0, 0, 0}}, both, "needs the labels of each sequence"},
		"marks for none": {Batch{WordStarts: []int32{0, 0, 0}, Marks: []int32{0}}, words, "leave Marks and MarkStarts empty"},
		"mark twice": {Batch{WordStarts: []int32{0, 0, 0}, Marks: []int32{1, 1}, MarkStarts: []int32{0, 2, 2}}, both,
			"label 1 stands at row 1, which must be above 1"},
		"mark too far": {Batch{WordStarts: []int32{0, 0, 0}, Marks: []int32{4}, MarkStarts: []int32{0, 1, 1}}, both,
			"label 0 stands at row 4, the sequence ends at 4"},
		"mark too early": {Batch{WordStarts: []int32{0, 0, 0}, Marks: []int32{3}, MarkStarts: []int32{0, 0, 1}}, both, "sequence 1: label 0 stands at row 3"},
		"mark in a word": {Batch{Words: []int32{1, 2, 2, 4}, WordStarts: []int32{0, 2, 2}, Marks: []int32{3}, MarkStarts: []int32{0, 1, 1}}, both,
			"label 0 stands at row 3, in word 1"},
		"mark begins a word": {Batch{Words: []int32{1, 2}, WordStarts: []int32{0, 1, 1}, Marks: []int32{1}, MarkStarts: []int32{0, 1, 1}}, both,
			"label 0 stands at row 1, in word 0"},
		"mark starts end": {Batch{WordStarts: []int32{0, 0, 0}, Marks: []int32{3}, MarkStarts: []int32{0, 0, 0}}, both,
			"MarkStarts ends at 0, there are 1 labels"},
	} {
		t.Run(name, func(t *testing.T) {
			c.batch.IDs, c.batch.Starts = make([]int32, 10), starts
			requireFault(t, c.batch.Validate(c.limits), c.want)
		})
	}
}

// TestRowsNeverPanic draws random input. Batches that pass have sizes within the bounds that memory is
// reserved for.
func TestRowsNeverPanic(t *testing.T) {
	l := Limits{Vocab: 2, SequenceTokens: 5, BatchSequences: 2, BatchTokens: 8, Rows: 4, Words: true, Marks: true}
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.SliceOfN(rapid.Int32Range(-1, 9), 0, 6)
		n := rapid.IntRange(1, 8).Draw(t, "tokens")
		cut := rapid.IntRange(1, n).Draw(t, "cut")
		b := Batch{IDs: make([]int32, n), Starts: []int32{0, int32(cut)}, Rows: small.Draw(t, "rows"),
			Words: small.Draw(t, "words"), WordStarts: small.Draw(t, "word starts"), Marks: small.Draw(t, "marks"), MarkStarts: small.Draw(t, "mark starts")}
		if cut < n {
			b.Starts = append(b.Starts, int32(n))
		}
		if b.Validate(l) != nil {
			b.Rows, b.Words, b.WordStarts, b.Marks, b.MarkStarts = nil, nil, nil, nil, nil
			b.FillNeeded(l)
			if b.Longest() <= l.SequenceTokens {
				require.NoError(t, b.Validate(l), "what FillNeeded fills in is valid")
			}
		}
		s := l.Sizes(1)
		require.LessOrEqual(t, len(b.Rows), s.M)
		require.LessOrEqual(t, len(b.Words)/2, s.W)
		require.LessOrEqual(t, len(b.Marks), s.C)
		require.LessOrEqual(t, b.Pairs(), s.G)
		b.Reset()
		require.Zero(t, len(b.Rows)+len(b.Words)+len(b.WordStarts)+len(b.Marks)+len(b.MarkStarts)+b.Pairs())
	})
}

// TestMostPairs checks that no batch has more pairs than memory is reserved for, and that half words and
// half labels reach this bound.
func TestMostPairs(t *testing.T) {
	l := Limits{Vocab: 2, SequenceTokens: 12, BatchSequences: 2, BatchTokens: 24, Words: true, Marks: true}
	for labels := range int32(13) {
		b := Batch{IDs: make([]int32, 24), Starts: []int32{0, 12, 24},
			WordStarts: []int32{0, 12 - labels, 24 - 2*labels}, MarkStarts: []int32{0, labels, 2 * labels}}
		for _, first := range b.Starts[:2] {
			for r := range labels {
				b.Marks = append(b.Marks, first+r)
			}
			for r := labels; r < 12; r++ {
				b.Words = append(b.Words, first+r, first+r+1)
			}
		}
		require.NoError(t, b.Validate(l))
		require.LessOrEqual(t, b.Pairs(), l.Sizes(1).G)
		require.Equal(t, labels == 6, b.Pairs() == l.Sizes(1).G)
	}
}

// TestFillNeeded compares the parts that a batch of two sequences, of three and two tokens, gets with those written by hand. What is there stays.
func TestFillNeeded(t *testing.T) {
	limits := Limits{Prefix: true, Rows: 4, Words: true, Marks: true, Delta: 2}
	b := Batch{IDs: []int32{1, 2, 3, 4, 5}, Starts: []int32{0, 3, 5}}
	b.FillNeeded(limits)
	want := Batch{IDs: b.IDs, Starts: b.Starts, Prefix: []int32{0, 0}, Rows: []int32{0, 1, 2, 3}, Delta: make([]float32, 10),
		Words: []int32{1, 2, 2, 3, 4, 5}, WordStarts: []int32{0, 2, 3}, Marks: []int32{0, 3}, MarkStarts: []int32{0, 1, 2}}
	require.Equal(t, want, b)
	b.FillNeeded(limits)
	require.Equal(t, want, b)
	limits.Rows = 9
	b.Rows = nil
	b.FillNeeded(limits)
	require.Equal(t, []int32{0, 1, 2, 3, 4}, b.Rows, "no more rows than tokens")
	plain := Batch{IDs: b.IDs, Starts: b.Starts}
	plain.FillNeeded(Limits{})
	require.Equal(t, Batch{IDs: b.IDs, Starts: b.Starts}, plain)
}

// TestSpansOf goes over three sequences of 3, 0 and 1 words with 2, 1 and no queries.
func TestSpansOf(t *testing.T) {
	l := Limits{Vocab: 1, SequenceTokens: 9, BatchSequences: 3, BatchTokens: 15, Words: true, Steps: 1, Candidates: 4}
	b := Batch{IDs: make([]int32, 13), Starts: []int32{0, 7, 9, 13}, Words: []int32{2, 3, 3, 5, 5, 7, 10, 11}, WordStarts: []int32{0, 3, 3, 4},
		Queries: []int32{0, 1, 7}, QueryStarts: []int32{0, 2, 3, 3}, Steps: []int32{0, 2, 0, 2, 0, 1}, Candidates: []int32{4, 0, 1}}
	require.NoError(t, b.Validate(l))
	require.Equal(t, SpanPlace{Words: 3, Queries: 2, Candidates: 4}, b.SpansOf(0))
	require.Equal(t, SpanPlace{Word: 3, Query: 2, Queries: 1, Bound: 4, Score: 8, Candidate: 4, Pair: 8}, b.SpansOf(1))
	require.Equal(t, SpanPlace{Word: 3, Words: 1, Query: 3, Bound: 5, Score: 9, Candidate: 4, Candidates: 1, Pair: 8}, b.SpansOf(2))
	require.Equal(t, SpanPlace{Word: 4, Query: 3, Bound: 7, Score: 9, Candidate: 5, Pair: 8}, b.SpansOf(3))
	sizes := b.Sizes()
	require.Equal(t, []int{7, 9, 5, 8}, []int{sizes.U, sizes.R, sizes.S, sizes.X})
	b.Candidates[0] = 5
	require.ErrorContains(t, b.Validate(l), "sequence 0: 5 candidates; with 3 words and a limit of 4 it has 4")
	l.Candidates = 9
	require.ErrorContains(t, b.Validate(l), "with 3 words and a limit of 9 it has 6")
}
