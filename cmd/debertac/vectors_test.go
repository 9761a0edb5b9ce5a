package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
)

// vectorPart is a part of a text in a line of results.
type vectorPart struct {
	Text              string
	Start, End        int
	Label             string
	Score, Confidence float64
	Vector            []float64
}

// vectorLine is what the lines of results of all tasks with vectors have in common.
type vectorLine struct {
	Tokens  int
	Vectors struct {
		Tokens []vectorPart
		Labels []struct {
			Task, Label string
			Vector      []float64
		}
		Text []float64
	}
}

// vectorsOf runs a model on texts with vectors, and returns the lines of results.
func vectorsOf(t *testing.T, folder string, texts []string, args ...string) []string {
	t.Helper()
	out, errs, code := interpretedOn("", append(append([]string{"run", folder, "--quiet", "--json"}, args...), append([]string{"--"}, texts...)...))
	require.Equal(t, fault.ExitDone, code, errs)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, len(texts))
	return lines
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// exampleOf returns the folder of an example.
func exampleOf(name string) string { return filepath.Join("..", "..", "examples", "tasks", name) }

// without removes vectors from a line of results.
func without(t *testing.T, line string) string {
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "vector")
			delete(v, "vectors")
			for _, x := range v {
				strip(x)
			}
		case []any:
			for _, x := range v {
				strip(x)
			}
		}
	}
	strip(v)
	var b bytes.Buffer
	require.NoError(t, json.NewEncoder(&b).Encode(v))
	return b.String()
}

var vectorTexts = []string{"Ada met Charles in London.", "Émile lives in Paris. Ada wrote to Charles, who was ill", "x"}

// TestVectors checks that results have the same numbers with vectors as without, that a text has the same vectors alone, and how many vectors there are.
func TestVectors(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	for _, c := range []struct {
		folder string
		labels int
		args   []string
	}{
		{exampleOf("entities"), 2, []string{"--labels", "person,place", "--threshold", "0.4"}},
		{exampleOf("schema"), 4, []string{"--labels", "person,place", "--classify", "tone=friendly,rude", "--threshold", "0.6"}},
		{exampleOf("own_labels"), 3, []string{"--labels", "travel,letters,health", "--threshold", "0.1"}},
		{exampleOf("tag"), 0, nil},
		{filepath.Join("testdata", "cases", "gliner2_boundary_no_abstention"), 2, []string{"--labels", "person,place", "--threshold", "0.2"}},
		{filepath.Join("testdata", "cases", "gliner2_moe_mean"), 3, []string{"--labels", "person,place,date", "--threshold", "0.2"}},
	} {
		plain := vectorsOf(t, c.folder, vectorTexts, c.args...)
		lines := vectorsOf(t, c.folder, vectorTexts, append(c.args, "--vectors")...)
		parts := 0
		for i, line := range lines {
			require.Equal(t, without(t, plain[i]), without(t, line), c.folder)
			alone := vectorsOf(t, c.folder, vectorTexts[i:i+1], append(c.args, "--vectors")...)
			require.Equal(t, line, alone[0], "%s: a text has the same vectors alone", c.folder)
			var r vectorLine
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			require.Len(t, r.Vectors.Labels, c.labels, c.folder)
			for _, l := range r.Vectors.Labels {
				require.NotEmpty(t, l.Vector, "%s %s", c.folder, l.Label)
			}
			at := 0
			for _, x := range r.Vectors.Tokens {
				require.NotEmpty(t, x.Vector)
				require.Equal(t, vectorTexts[i][x.Start:x.End], x.Text)
				require.GreaterOrEqual(t, x.Start, at)
				at = x.Start
			}
			require.NotEmpty(t, r.Vectors.Tokens)
			parts += strings.Count(line, `"vector":`) - len(r.Vectors.Tokens) - c.labels
		}
		if c.folder != exampleOf("own_labels") {
			require.Positive(t, parts, "%s finds nothing", c.folder)
		}
	}
}

// TestVectorsOfSpans checks that the vector of a span times that of a label is the logit of the label, as in GLiNER and GLiNER2.
func TestVectorsOfSpans(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	found := 0
	long := strings.Repeat("Ada met Charles in London. ", 20)
	for _, args := range [][]string{nil, {"--long", "windows:8", "--max-tokens", "48"}} {
		texts := append([]string{}, vectorTexts...)
		if args != nil {
			texts = append(texts, long)
		}
		args = append([]string{"--vectors", "--labels", "person,place", "--threshold", "0.3", "--nested", "--multi-label"}, args...)
		for _, line := range vectorsOf(t, exampleOf("entities"), texts, args...) {
			var r struct {
				vectorLine
				Windows  int
				Entities []vectorPart
			}
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			if r.Windows > 1 {
				require.NotEmpty(t, r.Entities)
				continue // labels have another vector in each window
			}
			for _, e := range r.Entities {
				for _, l := range r.Vectors.Labels {
					if l.Label == e.Label {
						require.InDelta(t, e.Score, sigmoid(dot(e.Vector, l.Vector)), 1e-6, "%+v", e)
						found++
					}
				}
			}
		}
	}
	cases := filepath.Join("testdata", "cases")
	for _, folder := range []string{exampleOf("schema"), filepath.Join(cases, "gliner2_lstm_v2"), filepath.Join(cases, "gliner2_moe_mean")} {
		for _, line := range vectorsOf(t, folder, vectorTexts, "--vectors", "--labels", "person,place", "--threshold", "0.3", "--overlap", "allow") {
			var r struct {
				vectorLine
				Entities map[string][]vectorPart
			}
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			for _, l := range r.Vectors.Labels {
				require.Equal(t, "entities", l.Task)
				for _, e := range r.Entities[l.Label] {
					require.InDelta(t, e.Confidence, sigmoid(dot(e.Vector, l.Vector)), 1e-6, "%s: %+v", folder, e)
					found++
				}
			}
		}
	}
	require.Greater(t, found, 50)
}

// TestVectorsOfTags checks that the vector of an entity is the mean of those of its tokens, also where windows share tokens.
func TestVectorsOfTags(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	long := strings.Repeat("Ada met Charles in London. ", 8)
	found := 0
	for _, args := range [][]string{nil, {"--long", "windows:10", "--max-tokens", "32"}} {
		texts := []string{vectorTexts[0]}
		if args != nil {
			texts = []string{long}
		}
		for _, line := range vectorsOf(t, exampleOf("tag"), texts, append([]string{"--vectors"}, args...)...) {
			var r struct {
				vectorLine
				Entities []vectorPart
				Tags     []vectorPart
			}
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			require.Len(t, r.Vectors.Tokens, len(r.Tags))
			for _, e := range r.Entities {
				mean, n := make([]float64, len(e.Vector)), 0.0
				for _, x := range r.Vectors.Tokens {
					if x.Start < e.End && x.End > e.Start {
						n++
						for k, v := range x.Vector {
							mean[k] += v
						}
					}
				}
				for k := range mean {
					require.InDelta(t, mean[k]/n, e.Vector[k], 1e-6, "%+v", e)
				}
				found++
			}
		}
	}
	require.Positive(t, found)
}

// TestVectorFaults checks the messages for vectors that cannot be had.
func TestVectorFaults(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	dir := t.TempDir()
	plain, with := filepath.Join(dir, "plain.weights"), filepath.Join(dir, "with.weights")
	for _, args := range [][]string{{"pack", exampleOf("entities"), "-o", plain}, {"pack", exampleOf("entities"), "--vectors", "-o", with}} {
		_, errs, code := interpreted(args)
		require.Equal(t, fault.ExitDone, code, errs)
	}
	damaged := filepath.Join(dir, "damaged.weights")
	data, err := os.ReadFile(with)
	require.NoError(t, err)
	size := binary.LittleEndian.Uint64(data)
	var header map[string]struct {
		Offsets []uint64 `json:"data_offsets"`
	}
	require.NoError(t, json.Unmarshal(data[8:8+size], &header))
	binary.LittleEndian.PutUint32(data[8+size+header["span.weight"].Offsets[0]:], 0x7fc00000) // NaN
	require.NoError(t, os.WriteFile(damaged, data, 0o666))
	run := []string{"run", exampleOf("entities"), "--labels", "person", "--json", "--quiet"}
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{append(run, "--vectors", "--weights", plain, "Ada"), "vectors", fault.ExitInput},
		{append(run, "--vectors", "--weights", with, "Ada"), "", fault.ExitDone},
		{append(run, "--vectors", "--weights", damaged, "Ada"), `"span.weight": number 0 is NaN`, fault.ExitOurs},
		{append(run, "--weights", with, "Ada"), "", fault.ExitDone},
		{append(run, "--weights", plain, "Ada"), "", fault.ExitDone},
		{[]string{"run", exampleOf("entities"), "--labels", "person", "--vectors", "Ada"}, "--vectors needs --json", fault.ExitUsage},
		{[]string{"run", exampleOf("classify"), "--vectors", "--json", "Ada"}, "vectors has no effect on", fault.ExitInput},
	} {
		_, errs, code := interpreted(c.args)
		require.Equal(t, c.code, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.want, "%v", c.args)
	}
}
