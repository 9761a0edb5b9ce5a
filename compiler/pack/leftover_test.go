package pack_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler/pack"
)

// TestUnwrap checks that a prefix of a training library is removed from all names, and that the error names the prefix if it cannot be removed.
func TestUnwrap(t *testing.T) {
	const table = "embeddings.word_embeddings.weight"
	for _, c := range []struct {
		names  []string
		prefix string
		want   string // in the error
	}{
		{names: []string{"bert." + table, "classifier.bias"}},
		{names: []string{table, "encoder.x"}},
		{names: []string{"generator.deberta." + table, "discriminator.x"}},
		{names: []string{"token_rep_layer.bert_layer.model." + table, "rnn.x"}},
		{names: []string{"model.weights"}},
		{names: []string{"module.bert." + table, "module.classifier.bias"}, prefix: "module."},
		{names: []string{"model.deberta." + table, "model.classifier.bias"}, prefix: "model."},
		{names: []string{"module._orig_mod.roberta." + table, "module._orig_mod.lm_head.bias"}, prefix: "module._orig_mod."},
		{names: []string{"0.auto_model." + table, "0.auto_model.pooler.bias"}, prefix: "0.auto_model."},
		{names: []string{"model.token_rep_layer.bert_layer.model." + table, "model.rnn.x"}, prefix: "model."},
		{names: []string{"model.bert." + table, "loss.weight"}, want: `"loss.weight": it lacks the prefix model.`},
		{names: []string{"backbone.bert." + table, "backbone.x"}, want: `"backbone.bert.` + table + `": the name in front of`},
	} {
		w, prefix, err := pack.Unwrap(opened(t, c.names, map[string][2]float32{c.names[0]: {1, 2}}))
		if c.want != "" {
			require.ErrorContains(t, err, c.want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.prefix, prefix)
		for i, n := range c.names {
			plain := n[len(prefix):]
			require.Equal(t, plain, w.Names()[i])
			require.True(t, w.Has(plain))
			require.Equal(t, prefix == "", w.Has(n))
			require.NoError(t, w.Check(plain, 2))
			info, err := w.Info(plain)
			require.NoError(t, err)
			require.Equal(t, []int{2}, info.Shape)
		}
		got := make([]float32, 2)
		require.NoError(t, w.Floats(c.names[0][len(prefix):], got))
		require.Equal(t, []float32{1, 2}, got)
	}
}

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
