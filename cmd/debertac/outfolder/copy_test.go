package outfolder_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/outfolder"
)

// TestCopy reads a folder with folders and links in it. A link to a folder above it ends in an error.
func TestCopy(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"a.txt", "sub/b.txt", ".git/config", ".cache/x", ".a.txt.partial-0123abcd", "model.safetensors"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(from, name)), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(from, name), []byte(name), 0o666))
	}
	require.NoError(t, os.Symlink("a.txt", filepath.Join(from, "link.txt")))
	require.NoError(t, os.Symlink("sub", filepath.Join(from, "again")))
	keep := func(name string) bool { return !outfolder.Weights(name) }
	require.NoError(t, outfolder.Copy(t.Context(), from, to, keep))
	for name, want := range map[string]string{"a.txt": "a.txt", "sub/b.txt": "sub/b.txt", "link.txt": "a.txt", "again/b.txt": "sub/b.txt"} {
		got, err := os.ReadFile(filepath.Join(to, name))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	entries, err := os.ReadDir(to)
	require.NoError(t, err)
	require.Len(t, entries, 4)
	require.NoError(t, os.Symlink("..", filepath.Join(from, "sub", "up")))
	require.ErrorContains(t, outfolder.Copy(t.Context(), from, t.TempDir(), keep), "is it in a folder that links to itself?")
	require.Error(t, outfolder.Copy(t.Context(), filepath.Join(from, "absent"), to, keep))
}

// TestWeights checks which files hold the weights of a model.
func TestWeights(t *testing.T) {
	for name, want := range map[string]bool{
		"model.safetensors": true, "model-00001-of-00002.safetensors": true, "model.safetensors.index.json": true, "pytorch_model.bin": true,
		"pytorch_model-00001-of-00002.bin": true, "pytorch_model.bin.index.json": true, "tf_model.h5": true, "flax_model.msgpack": true, "rust_model.ot": true,
		"onnx/model.onnx": true, "onnx/config.json": true, "openvino/openvino_model.xml": true, "model.onnx": true,
		"spm.model": false, "config.json": false, "pytorch_model.generator.bin": false, "training_args.bin": false, "1_Pooling/config.json": false,
		"2_Dense/model.safetensors": false, "vocab.txt": false,
	} {
		require.Equal(t, want, outfolder.Weights(name), name)
	}
}
