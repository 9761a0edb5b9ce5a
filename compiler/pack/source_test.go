package pack_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler/pack"
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

// TestCheckpointNames checks that tensors are found without the model's prefix and under the TensorFlow names of norms.
func TestCheckpointNames(t *testing.T) {
	f := opened(t, []string{"embeddings.LayerNorm.gamma", "embeddings.LayerNorm.beta", "bert.pooler.dense.bias", "classifier.bias"},
		map[string][2]float32{"embeddings.LayerNorm.gamma": {1, 2}, "embeddings.LayerNorm.beta": {3, 4}, "bert.pooler.dense.bias": {5, 6},
			"classifier.bias": {float32(math.Inf(1)), 0}})
	c := &pack.Checkpoint{File: f}
	for name, want := range map[string][]float32{"bert.embeddings.LayerNorm.weight": {1, 2}, "bert.embeddings.LayerNorm.bias": {3, 4},
		"bert.pooler.dense.bias": {5, 6}} {
		got, err := c.Tensor(name, []int{2})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := c.Tensor("roberta.pooler.dense.bias", []int{2})
	require.ErrorContains(t, err, `"roberta.pooler.dense.bias": no such tensor`)
	_, err = c.Tensor("classifier.bias", []int{2})
	require.ErrorContains(t, err, "element 0 is +Inf")
	require.Equal(t, []string{"classifier.bias"}, c.Unused())
}

// TestPart checks that a tensor of the discriminator is its own, the generator's, or the sum of both.
func TestPart(t *testing.T) {
	const word, position = "deberta.embeddings.word_embeddings.", "deberta.embeddings.position_embeddings."
	f := opened(t, []string{"generator." + word + "weight", "generator." + position + "weight", "generator.x.weight", "discriminator." + word + "_weight",
		"discriminator.y.weight"},
		map[string][2]float32{"generator." + word + "weight": {1, 2}, "generator." + position + "weight": {3, 4}, "generator.x.weight": {5, 6},
			"discriminator." + word + "_weight": {10, 20}, "discriminator.y.weight": {7, 8}})
	for name, tensors := range map[string]map[string][]float32{
		"generator":     {word + "weight": {1, 2}, position + "weight": {3, 4}, "x.weight": {5, 6}},
		"discriminator": {word + "weight": {11, 22}, position + "weight": {3, 4}, "y.weight": {7, 8}},
	} {
		p := pack.Part(f, name)
		var names []string
		for n, want := range tensors {
			names = append(names, n)
			require.True(t, p.Has(n), n)
			require.NoError(t, p.Check(n, 2), n)
			require.ErrorContains(t, p.Check(n, 3), "its shape is [2]")
			info, err := p.Info(n)
			require.NoError(t, err)
			require.Equal(t, n, info.Name)
			got := make([]float32, 2)
			require.NoError(t, p.Floats(n, got))
			require.Equal(t, want, got, n)
		}
		require.ElementsMatch(t, names, p.Names())
		require.False(t, p.Has("z.weight"))
		require.ErrorContains(t, p.Check("z.weight", 2), "no such tensor")
		require.ErrorContains(t, p.Floats("z.weight", nil), "no such tensor")
		_, err := p.Info("z.weight")
		require.ErrorContains(t, err, "no such tensor")
	}
	require.False(t, pack.Part(f, "discriminator").Has("x.weight"), "only tables are shared")
}
