package folder_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
)

// TestOpenFile checks that a file of weights is opened, and that one with adapters is refused.
func TestOpenFile(t *testing.T) {
	c := &console.Console{Context: t.Context(), In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	for _, tt := range []struct {
		tensor string
		ok     bool
	}{
		{"layer.0.query_proj.weight", true},
		{"layer.0.query_proj.lora_A.weight", false},
		{"layer.0.query_proj.lora_B.default.weight", false},
		{"lora_A.weight", true}, // of a model that is called so
	} {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		out, err := disk.Create(path, 0o600)
		require.NoError(t, err)
		w, err := safetensors.NewWriter(out, nil, []safetensors.Tensor{{Name: tt.tensor, DType: safetensors.F32, Shape: []int{2}}})
		require.NoError(t, err)
		require.NoError(t, w.WriteFloats(tt.tensor, []float32{1, 2}))
		require.NoError(t, w.Close())
		require.NoError(t, out.Commit())
		f, err := folder.OpenFile(c, path, nil, "")
		if !tt.ok {
			require.ErrorContains(t, err, "the weights have adapters that are not merged, such as "+tt.tensor)
			continue
		}
		require.NoError(t, err)
		require.Nil(t, f.Token)
		require.Len(t, f.Weights.Names(), 1)
		require.NoError(t, f.Close())
	}
}
