package pack_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler/pack"
)

// TestLeftover checks that a tensor that packing did not read is listed, unless it is a known buffer or equals the tensor that it repeats.
func TestLeftover(t *testing.T) {
	const table = "bert.embeddings.word_embeddings.weight"
	names := []string{table, "bert.embeddings.position_ids", "cls.predictions.bias", "cls.predictions.decoder.weight", "cls.seq_relationship.bias"}
	for _, c := range []struct {
		decoder [2]float32
		want    []string
	}{
		{[2]float32{1, 2}, []string{"cls.seq_relationship.bias"}},
		{[2]float32{1, 3}, []string{"cls.predictions.decoder.weight", "cls.seq_relationship.bias"}},
	} {
		ck := &pack.Checkpoint{File: opened(t, names, map[string][2]float32{table: {1, 2}, "cls.predictions.decoder.weight": c.decoder})}
		for _, n := range []string{table, "cls.predictions.decoder.bias"} {
			_, err := ck.Tensor(n, []int{2})
			require.NoError(t, err)
		}
		got, err := ck.Leftover()
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}

// TestDecoderBias checks that, of the two names for the bias of masked tokens, the decoder's is read, as in published code.
func TestDecoderBias(t *testing.T) {
	for _, stem := range []string{"cls.predictions.", "lm_head."} {
		for _, c := range []struct {
			names []string
			want  []float32
		}{
			{[]string{stem + "bias"}, []float32{1, 1}}, {[]string{stem + "decoder.bias"}, []float32{2, 2}},
			{[]string{stem + "bias", stem + "decoder.bias"}, []float32{2, 2}},
		} {
			ck := &pack.Checkpoint{File: opened(t, c.names, map[string][2]float32{stem + "bias": {1, 1}, stem + "decoder.bias": {2, 2}})}
			for _, n := range []string{"bias", "decoder.bias"} {
				got, err := ck.Tensor(stem+n, []int{2})
				require.NoError(t, err)
				require.Equal(t, c.want, got)
			}
		}
	}
}
