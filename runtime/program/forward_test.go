package program

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/batchfile"
	"github.com/debertac/debertac/runtime/safetensors"
)

// TestReadBatch checks that rows, words and labels are read, words also as one row per word.
func TestReadBatch(t *testing.T) {
	want := runtime.Batch{
		IDs: []int32{5, 6, 7}, Starts: []int32{0, 3}, Rows: []int32{2},
		Words: []int32{1, 2, 2, 3}, WordStarts: []int32{0, 2}, Marks: []int32{0}, MarkStarts: []int32{0, 1},
	}
	tensors := map[string][]int32{
		"ids": want.IDs, "starts": want.Starts, "rows": want.Rows, "words": want.Words,
		"word_starts": want.WordStarts, "marks": want.Marks, "mark_starts": want.MarkStarts,
	}
	got, err := batchfile.Read(int32File(t, tensors))
	require.NoError(t, err)
	require.Equal(t, want, *got)

	shaped := func(name string, shape ...int) string {
		path := filepath.Join(t.TempDir(), "in.safetensors")
		f, err := os.Create(path)
		require.NoError(t, err)
		defer f.Close()
		list := []safetensors.Tensor{
			{Name: "ids", DType: safetensors.I32, Shape: []int{1}}, {Name: "starts", DType: safetensors.I32, Shape: []int{1}},
			{Name: name, DType: safetensors.I32, Shape: shape},
		}
		w, err := safetensors.NewWriter(f, nil, list)
		require.NoError(t, err)
		for _, n := range w.Order() {
			b := make([]byte, 4)
			for i := byte(1); n == name && len(b) < 4*shape[0]*shape[1]; i++ {
				b = append(b, i, 0, 0, 0)
			}
			require.NoError(t, w.Write(n, b))
		}
		require.NoError(t, w.Close())
		return path
	}
	got, err = batchfile.Read(shaped("words", 2, 2))
	require.NoError(t, err)
	require.Equal(t, []int32{0, 1, 2, 3}, got.Words)
	_, err = batchfile.Read(shaped("words", 2, 3))
	require.ErrorContains(t, err, `tensor "words" is I32 [2 3]`)
	_, err = batchfile.Read(shaped("marks", 2, 2))
	require.ErrorContains(t, err, `tensor "marks" is I32 [2 2]`)
}
