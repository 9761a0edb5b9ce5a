package ragged

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDeltaFitsTheTokens(t *testing.T) {
	l := Limits{Vocab: 9, SequenceTokens: 4, BatchSequences: 2, BatchTokens: 8, Delta: 3}
	b := &Batch{IDs: []int32{1, 2}, Starts: []int32{0, 2}}
	require.ErrorContains(t, b.Validate(l), "Delta has 0 numbers, want 3 for each of 2 tokens: 6")
	b.FillNeeded(l)
	require.NoError(t, b.Validate(l))
	require.Equal(t, make([]float32, 6), b.Delta)
	b.Delta[4] = float32(math.NaN())
	err := b.Validate(l)
	require.ErrorIs(t, err, ErrInput)
	require.ErrorContains(t, err, "Delta of token 1 is NaN at 1")
	for _, sign := range []int{1, -1} {
		b.Delta[4] = float32(math.Inf(sign))
		require.ErrorContains(t, b.Validate(l), "Inf at 1, it must be finite")
	}
	b.Delta[4] = 0.5
	l.Delta = 0
	require.ErrorContains(t, b.Validate(l), "cannot be perturbed")
	b.Reset()
	require.Empty(t, b.Delta)
}
