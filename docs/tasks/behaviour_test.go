package tasks_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/docs/pagetest"
)

// objects runs debertac with --json and returns its lines.
func objects[T any](t *testing.T, args ...string) (list []T) {
	t.Helper()
	out := pagetest.Run(t, append(args, "--json", "--quiet")...)
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var v T
		require.NoError(t, d.Decode(&v), "%s", out)
		list = append(list, v)
	}
	return list
}

// TestSampling checks that the seed decides which tokens are drawn, and that the most probable token is drawn if there is only one to draw from.
func TestSampling(t *testing.T) {
	t.Parallel()
	type generated struct {
		IDs     []int32     `json:"ids"`
		Samples []generated `json:"samples"`
	}
	write := func(flags ...string) []generated {
		return objects[generated](t, slices.Concat([]string{"run", filepath.Join(models, "generate"), "Anna", "The quick brown", "東京", "--head",
			"generate", "--max-new-tokens", "12"}, flags)...)
	}
	likeliest := write()
	require.Len(t, likeliest, 3)
	require.Equal(t, likeliest, write("--temperature", "1", "--top-k", "1"), "one token to draw from")
	require.Equal(t, likeliest, write("--temperature", "1", "--top-p", "1e-9"), "a nucleus of one token")
	require.Equal(t, likeliest, write("--temperature", "1e-6"), "no warmth")
	drawn := write("--temperature", "1.5", "--seed", "5", "--samples", "4")
	require.Equal(t, drawn, write("--temperature", "1.5", "--seed", "5", "--samples", "4"), "the same seed")
	require.NotEqual(t, drawn, write("--temperature", "1.5", "--seed", "6", "--samples", "4"), "another seed")
	require.NotEqual(t, drawn[0].Samples[0].IDs, drawn[0].Samples[1].IDs, "samples")
	require.Equal(t, drawn[0].Samples[0].IDs, write("--temperature", "1.5", "--seed", "5")[0].IDs, "the first of several samples is the one alone")
}

// TestEnsemble compares the probabilities of an ensemble for a text with the mean of its members' probabilities.
func TestEnsemble(t *testing.T) {
	t.Parallel()
	type classified struct {
		Scores []float64 `json:"scores"`
		Label  string    `json:"label"`
	}
	pagetest.Debertac(t)
	dir := t.TempDir()
	text := "dspec 1\n"
	for _, name := range []string{"nli", "nli_small"} {
		path := filepath.Join(dir, name+".dspec")
		pagetest.Run(t, "import", filepath.Join(models, name), "-o", path)
		one, err := os.ReadFile(path)
		require.NoError(t, err)
		text += regexp.MustCompile(`(?m)^dspec 1$`).ReplaceAllString(string(one), "")
	}
	path, weights := filepath.Join(dir, "both.dspec"), filepath.Join(dir, "both.weights")
	text += "ensemble both { member nli.classify weight 2; member nli_small.classify; mean probabilities }\ntarget cpu { emit infer both }\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	pagetest.Run(t, "pack", path, "--member", "nli.classify="+filepath.Join(models, "nli"), "--member",
		"nli_small.classify="+filepath.Join(models, "nli_small"), "-o", weights)
	texts := []string{"--pair", "This example is politics.", "The party won the election.", "Snow lay on the roofs.", "naïve café 👍🏽"}
	both := objects[classified](t, slices.Concat([]string{"run", path, "--weights", weights}, texts)...)
	first := objects[classified](t, slices.Concat([]string{"run", filepath.Join(models, "nli")}, texts)...)
	second := objects[classified](t, slices.Concat([]string{"run", filepath.Join(models, "nli_small")}, texts)...)
	require.Len(t, both, 3)
	apart := 0.0
	for i := range both {
		for j, got := range both[i].Scores {
			require.InDelta(t, (2*first[i].Scores[j]+second[i].Scores[j])/3, got, 1e-5)
			apart = math.Max(apart, math.Abs(first[i].Scores[j]-second[i].Scores[j]))
		}
	}
	require.Greater(t, apart, 0.01, "members that agree show nothing")
}
