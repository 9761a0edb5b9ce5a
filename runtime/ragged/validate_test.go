package ragged

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestValidate(t *testing.T) {
	limits := Limits{Vocab: 10, Types: 2, SequenceTokens: 4, BatchSequences: 3, BatchTokens: 8}
	noTypes, prefix := limits, limits
	noTypes.Types = 0
	prefix.Prefix = true
	ids := func(n int) []int32 { return make([]int32, n) }
	for name, c := range map[string]struct {
		batch  Batch
		limits Limits
		want   string // "" is valid
	}{
		"good":                {Batch{IDs: []int32{0, 9, 3}, Starts: []int32{0, 1, 3}}, limits, ""},
		"good with all":       {Batch{IDs: ids(3), Starts: []int32{0, 1, 3}, Types: []int32{0, 1, 0}, Positions: []int32{3, 0, 2}}, limits, ""},
		"good prefix":         {Batch{IDs: ids(3), Starts: []int32{0, 1, 3}, Prefix: []int32{0, 2}}, prefix, ""},
		"at all limits":       {Batch{IDs: ids(8), Starts: []int32{0, 4, 7, 8}}, limits, ""},
		"zero value":          {Batch{}, limits, "batch is empty"},
		"no sequence":         {Batch{Starts: []int32{0}}, limits, "batch is empty"},
		"too many sequences":  {Batch{IDs: ids(4), Starts: []int32{0, 1, 2, 3, 4}}, limits, "4 sequences, the limit of a batch is 3"},
		"one too long":        {Batch{IDs: ids(9), Starts: []int32{0, 1, 9}}, limits, "sequence 1: 8 tokens, the limit of a sequence is"},
		"too many tokens":     {Batch{IDs: ids(9), Starts: []int32{0, 3, 6, 9}}, limits, "9 tokens, the limit of a batch is 8"},
		"starts not at 0":     {Batch{IDs: ids(2), Starts: []int32{1, 2}}, limits, "Starts[0] is 1"},
		"starts fall":         {Batch{IDs: ids(3), Starts: []int32{0, 3, 2}}, limits, "sequence 1: Starts falls from 3 to 2"},
		"negative start":      {Batch{IDs: ids(3), Starts: []int32{0, -1, 3}}, limits, "sequence 0: Starts falls"},
		"empty sequence":      {Batch{IDs: ids(2), Starts: []int32{0, 2, 2}}, limits, "sequence 1 is empty"},
		"starts too far":      {Batch{IDs: ids(2), Starts: []int32{0, 1, 3}}, limits, "sequence 1: it ends at token 3, there are 2"},
		"starts too short":    {Batch{IDs: ids(3), Starts: []int32{0, 2}}, limits, "Starts ends at 2, there are 3"},
		"long sequence":       {Batch{IDs: ids(6), Starts: []int32{0, 1, 6}}, limits, "sequence 1: 5 tokens, the limit of a sequence is 4"},
		"id too large":        {Batch{IDs: []int32{0, 1, 10}, Starts: []int32{0, 1, 3}}, limits, "sequence 1, token 1: id 10 is outside the vocabulary of 10"},
		"id negative":         {Batch{IDs: []int32{-1}, Starts: []int32{0, 1}}, limits, "sequence 0, token 0: id -1"},
		"types for none":      {Batch{IDs: ids(1), Starts: []int32{0, 1}, Types: ids(1)}, noTypes, "no token types"},
		"types too few":       {Batch{IDs: ids(2), Starts: []int32{0, 2}, Types: ids(1)}, limits, "1 token types for 2 tokens"},
		"type too large":      {Batch{IDs: ids(2), Starts: []int32{0, 2}, Types: []int32{0, 2}}, limits, "token 1: token type 2, the model has 2"},
		"type negative":       {Batch{IDs: ids(1), Starts: []int32{0, 1}, Types: []int32{-1}}, limits, "token 0: token type -1"},
		"positions too few":   {Batch{IDs: ids(2), Starts: []int32{0, 2}, Positions: ids(1)}, limits, "1 positions for 2 tokens"},
		"positions repeat":    {Batch{IDs: ids(2), Starts: []int32{0, 2}, Positions: []int32{1, 1}}, limits, "token 1: position 1 is not above 1"},
		"positions fall":      {Batch{IDs: ids(3), Starts: []int32{0, 1, 3}, Positions: []int32{2, 1, 0}}, limits, "sequence 1, token 1: position 0"},
		"position negative":   {Batch{IDs: ids(1), Starts: []int32{0, 1}, Positions: []int32{-1}}, limits, "position -1"},
		"position too large":  {Batch{IDs: ids(1), Starts: []int32{0, 1}, Positions: []int32{4}}, limits, "position 4, the model has 4"},
		"prefix missing":      {Batch{IDs: ids(1), Starts: []int32{0, 1}}, prefix, "needs one prefix length per sequence"},
		"prefix not expected": {Batch{IDs: ids(1), Starts: []int32{0, 1}, Prefix: ids(1)}, limits, "no prefix"},
		"prefix too long":     {Batch{IDs: ids(1), Starts: []int32{0, 1}, Prefix: []int32{2}}, prefix, "sequence 0: prefix of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.batch.Validate(c.limits)
			requireFault(t, err, c.want)
			long := name == "too many tokens" || name == "long sequence" || name == "one too long"
			require.Equal(t, long, errors.Is(err, ErrTooLong))
		})
	}
}

// requireFault holds an error to one of input with the wanted words, or to no error if these are empty.
func requireFault(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, ErrInput)
	require.ErrorContains(t, err, want)
}

// TestValidateNeverPanics draws random input. Batches that pass hold only indices in range.
func TestValidateNeverPanics(t *testing.T) {
	limits := Limits{Vocab: 3, Types: 2, SequenceTokens: 3, BatchSequences: 3, BatchTokens: 6}
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.SliceOfN(rapid.Int32Range(-1, 4), 0, 5)
		b := Batch{IDs: small.Draw(t, "ids"), Starts: small.Draw(t, "starts"), Types: small.Draw(t, "types"), Positions: small.Draw(t, "positions")}
		if b.Validate(limits) != nil {
			return
		}
		require.Positive(t, b.Sequences())
		require.LessOrEqual(t, b.Longest(), 3)
		sum := 0
		for s := range b.Sequences() {
			sum += len(b.IDs[b.Starts[s]:b.Starts[s+1]])
		}
		require.Equal(t, b.Tokens(), sum)
		b.Reset()
		require.Zero(t, b.Sequences()+b.Tokens())
	})
}
