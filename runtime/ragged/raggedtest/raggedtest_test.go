package raggedtest

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime/ragged"
)

// readAll returns limits by which a model reads every part.
func readAll() ragged.Limits {
	l := ragged.Limits{Vocab: 7, Types: 2, SequenceTokens: 40, BatchSequences: 4, BatchTokens: 90, Rows: 20, Steps: 5, Candidates: 9}
	for p := range ragged.Part(ragged.Parts) {
		p.Read(&l, 3)
	}
	return l
}

// sequence returns a batch of one sequence as a Sequence.
func sequence(b *ragged.Batch) *ragged.Sequence {
	s := &ragged.Sequence{}
	to, from := reflect.ValueOf(s).Elem(), reflect.ValueOf(b).Elem()
	for i := range to.NumField() {
		f := from.FieldByName(to.Type().Field(i).Name)
		if to.Field(i).Kind() != reflect.Slice {
			f = f.Index(0)
		}
		to.Field(i).Set(f)
	}
	return s
}

// TestDrawnBatchesHold draws batches of all parts and checks that they are valid and within the limits' sizes, that each sequence by itself is valid, and that
// the sequences put together again are the batch.
func TestDrawnBatchesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := readAll()
		lens := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 4).Draw(t, "lens")
		holes := rapid.Bool().Draw(t, "holes")
		b := Batch(lens, l, holes, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "number") })
		require.NoError(t, b.Validate(l))
		sizes, most := b.Sizes(), l.Sizes(1)
		for e := range ragged.Extent(ragged.Extents) {
			require.LessOrEqual(t, *sizes.At(e), *most.At(e), e)
		}
		for p := range ragged.Part(ragged.Parts) {
			require.True(t, p.ReadBy(l))
			if p != ragged.Positions && p != ragged.Rows && p != ragged.Words && p != ragged.Marks {
				require.NotZero(t, p.Len(b), p.Row().Name)
			}
		}
		var sum ragged.Sizes
		whole := &ragged.Batch{}
		for s := range b.Sequences() {
			one := b.Alone(s)
			require.NoError(t, one.Validate(l))
			sum.Add(one.Sizes())
			whole.Append(sequence(one), l)
		}
		for e := range ragged.Extent(ragged.Extents) {
			require.Equal(t, *sizes.At(e), *sum.At(e), e)
		}
		want := *b
		want.Positions, want.Delta = nil, nil // no text leads to them
		require.Equal(t, &want, whole)
	})
}
