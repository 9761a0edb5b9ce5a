package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
)

// glinerFolder has a folder that `debertac export` has written of a training from a plain encoder (examples/tasks/embed), with what the library gliner finds
// with it: testdata/gliner/record.py records that.
const glinerFolder = "testdata/gliner/trained"

// TestGLiNERLibrary compares the entities of an exported folder with those of the library gliner.
func TestGLiNERLibrary(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	folder, err := filepath.Abs(glinerFolder)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(folder, "expected.jsonl"))
	require.NoError(t, err)
	type entity struct {
		Label string
		Score float64
		Start int `json:"start"`
		End   int `json:"end"`
	}
	compared := 0
	for line := range strings.Lines(string(text)) {
		var want struct {
			Text     string
			Labels   []string
			Nested   bool
			Entities []entity
		}
		require.NoError(t, json.Unmarshal([]byte(line), &want))
		args := []string{"run", folder, "--labels", strings.Join(want.Labels, ","), "--threshold", "0.2", "--json", "--input", "-"}
		if want.Nested {
			args = append(args, "--nested", "--multi-label")
		}
		in, err := json.Marshal(map[string]string{"text": want.Text})
		require.NoError(t, err)
		out, errs, code := interpretedOn(string(in)+"\n", args)
		require.Equal(t, fault.ExitDone, code, errs)
		var have struct{ Entities []entity }
		require.NoError(t, json.Unmarshal([]byte(out), &have))
		require.Len(t, have.Entities, len(want.Entities), "%s", out)
		for i, w := range want.Entities {
			h := have.Entities[i]
			require.InDelta(t, w.Score, h.Score, 1e-4)
			h.Score = w.Score
			require.Equal(t, w, h)
			compared++
		}
	}
	require.Greater(t, compared, 10)
}
