package golden_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/golden"
)

// TestTrained checks what is made of the results of training steps: numbers are compared in the recorded order, a gradient that no step computes is 0, a tensor
// that was not recorded fails the case, and what depends on rows that attention_mask leaves out is left out.
func TestTrained(t *testing.T) {
	out := tensors{}
	out.set("grad.a", []float32{1, 2, 3, 4}, 2, 2)
	out.set("grad.b", []float32{0, 0}, 1, 2)
	out.set("param.a", []float32{5, 6}, 1, 2)
	out.set("loss", []float32{7}, 1, 1)
	path := filepath.Join(t.TempDir(), "outputs.safetensors")
	out.write(t, path)
	open := func(name string) *golden.Case {
		c, err := golden.Open(filepath.Join("..", "testdata", "cases", name))
		require.NoError(t, err)
		c.Tolerance = map[string]golden.Tolerance{"grad": {Abs: 0.1}, "param": {Abs: 0.1}, "loss": {Abs: 0.1}}
		return c
	}
	results := func(c *golden.Case, p golden.Produced) map[string]golden.Result {
		list, err := c.Compare(path, p, golden.Scope{})
		require.NoError(t, err)
		byName := map[string]golden.Result{}
		for _, r := range list {
			byName[r.Tensor] = r
		}
		return byName
	}
	got := results(open("v2_holes"), golden.Produced{Trained: map[string][]float64{
		"grad.a": {1, 2, 3, 4.5}, "param.a": {5, 6}, "grad.c": {1}, golden.StepLoss: {7}, "grad_norms": {1}}})
	require.False(t, got["grad.a"].OK)
	require.Equal(t, []int{1, 1}, got["grad.a"].At)
	require.True(t, got["grad.b"].OK, "no step computes it: it is 0")
	require.True(t, got["param.a"].OK)
	require.True(t, got[golden.StepLoss].OK)
	require.Equal(t, "it was not recorded", got["grad.c"].Reason)
	require.NotContains(t, got, "grad_norms", "not all runs recorded their numbers")

	got = results(open("v2_holes"), golden.Produced{Untrained: "why"})
	require.Equal(t, "why", got["grad.a"].Reason)
	require.False(t, got["grad.a"].OK)
	got = results(open("v2_qa"), golden.Produced{})
	require.Equal(t, "it depends on rows that attention_mask leaves out", got["grad.a"].Left)
	require.True(t, got["grad.a"].OK)
	got = results(open("v2_holes"), golden.Produced{Trained: map[string][]float64{"grad.a": {1}}})
	require.Contains(t, got["grad.a"].Reason, "the training step produces 1 numbers, [2 2] was recorded")
}
