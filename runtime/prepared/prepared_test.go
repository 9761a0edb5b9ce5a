package prepared_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
)

// rowsOf are rows with every kind of column, some of which appear late or are missing in between.
var rowsOf = [][]prepared.Sequence{
	{{Sequence: ragged.Sequence{IDs: []int32{1, 5, 2}}, Integers: map[string][]int32{"target": {1}}}},
	{{Sequence: ragged.Sequence{IDs: []int32{1, 2}, Types: []int32{0, 1}, Prefix: 1}},
		{Sequence: ragged.Sequence{IDs: []int32{1, 7, 8, 2}, Words: []int32{1, 2, 2, 3}, Marks: []int32{0}}, WordOf: []int32{-1, 0, 1, -1},
			Floats: map[string][]float32{"target": {0.25, -1}, "also.target": {3}}}},
	{},
	{{Sequence: ragged.Sequence{IDs: []int32{1, 9, 2}, Rows: []int32{1}}, Integers: map[string][]int32{"target": {0}}}},
}

// written writes rowsOf to a file.
func written(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "data")
	w, err := prepared.Create(path)
	require.NoError(t, err)
	for i, row := range rowsOf {
		require.NoError(t, w.Add(row, int64(10+i)))
	}
	w.Counted().Task, w.Counted().Source = "labels", "abc"
	require.NoError(t, w.Commit())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "temporary files are left")
	return path
}

// same reports rows as they are after reading: empty lists instead of none, in every column that the file has.
func same(t *testing.T, want, have []prepared.Sequence) {
	require.Len(t, have, len(want))
	for i := range want {
		w, h := want[i], have[i]
		for _, p := range [][2][]int32{{w.IDs, h.IDs}, {w.Types, h.Types}, {w.Rows, h.Rows}, {w.Words, h.Words}, {w.Marks, h.Marks}, {w.WordOf, h.WordOf},
			{w.Integers["target"], h.Integers["target"]}} {
			require.Equal(t, append([]int32{}, p[0]...), append([]int32{}, p[1]...))
		}
		require.Equal(t, w.Prefix, h.Prefix)
		for _, name := range []string{"target", "also.target"} {
			require.Equal(t, append([]float32{}, w.Floats[name]...), append([]float32{}, h.Floats[name]...))
		}
	}
}

// TestRows checks that rows come back as they were written, in any order.
func TestRows(t *testing.T) {
	f, err := prepared.Open(written(t))
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, 4, f.Rows)
	require.Equal(t, 4, f.Sequences)
	require.Equal(t, int64(12), f.Tokens)
	require.Equal(t, 4, f.Longest)
	require.Equal(t, 2, f.Most)
	for _, i := range []int{3, 0, 2, 1} {
		row, err := f.Row(i)
		require.NoError(t, err)
		same(t, rowsOf[i], row)
		at, err := f.At(i)
		require.NoError(t, err)
		require.Equal(t, int64(10+i), at)
		n, err := f.Length(i)
		require.NoError(t, err)
		require.Equal(t, []int{3, 6, 0, 3}[i], n)
	}
	_, err = f.Row(4)
	require.Error(t, err)
}

// TestDamage checks the messages about files that are not whole or are of another kind.
func TestDamage(t *testing.T) {
	path := written(t)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, whole[:len(whole)-8], 0o600))
	_, err = prepared.Open(path)
	require.Error(t, err)
	other := filepath.Join(t.TempDir(), "weights.safetensors")
	out, err := os.Create(other)
	require.NoError(t, err)
	w, err := safetensors.NewWriter(out, nil, nil)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
	_, err = prepared.Open(other)
	require.ErrorContains(t, err, "it is not a file of prepared data: debertac prepare makes one")
}

// TestDiscard checks that a file that is given up leaves nothing.
func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	w, err := prepared.Create(filepath.Join(dir, "data"))
	require.NoError(t, err)
	require.NoError(t, w.Add(rowsOf[0], 1))
	require.NoError(t, w.Discard())
	require.Error(t, w.Commit())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
