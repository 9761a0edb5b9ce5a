package published_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/safetensors"
)

// opened returns a checkpoint with tensors in the given order, each of shape [2].
func opened(t *testing.T, names []string, values map[string][2]float32) *safetensors.File {
	t.Helper()
	var list []safetensors.Tensor
	for _, n := range names {
		list = append(list, safetensors.Tensor{Name: n, DType: safetensors.F32, Shape: []int{2}})
	}
	var b bytes.Buffer
	w, err := safetensors.NewWriter(&b, nil, list)
	require.NoError(t, err)
	for _, n := range w.Order() {
		v := values[n]
		require.NoError(t, w.WriteFloats(n, v[:]))
	}
	require.NoError(t, w.Close())
	f, err := safetensors.OpenBytes("model.safetensors", b.Bytes())
	require.NoError(t, err)
	return f
}

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
		w, prefix, err := published.Unwrap(opened(t, c.names, map[string][2]float32{c.names[0]: {1, 2}}))
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
