package export_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/export"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec/hf"
)

// TestBase checks what a folder takes over from that in which the run began: the other fields of config.json, and the files, but not weights, a model card,
// or the modules of sentence-transformers for a head that makes no vectors.
func TestBase(t *testing.T) {
	for name, vectors := range map[string]bool{"classify": false, "vector": true} {
		var u, base, out = trained(t, text(caseOf(name))), t.TempDir(), filepath.Join(t.TempDir(), "out")
		config, err := os.ReadFile(filepath.Join("testdata", "classify", "config.json"))
		require.NoError(t, err)
		for file, content := range map[string]string{
			"config.json":           strings.Replace(string(config), "\"vocab_size\"", "\"transformers_version\": \"4.1\",\n  \"vocab_size\"", 1),
			"modules.json":          "[]",
			"1_Pooling/config.json": "{}", "2_Normalize/config.json": "{}", "README.md": "old", "pytorch_model.bin": "old", "onnx/model.onnx": "old",
			"spm.model": "pieces", "extra/vocab.txt": "words",
		} {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(base, file)), 0o777))
			require.NoError(t, os.WriteFile(filepath.Join(base, file), []byte(content), 0o666))
		}
		_, err = export.Folder(t.Context(), export.Source{Checkpoint: checkpoint(t, u, 1), Unit: u, Base: base}, out)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(out, "config.json"))
		require.NoError(t, err)
		require.Contains(t, string(got), "\"transformers_version\": \"4.1\"")
		for file, want := range map[string]bool{"spm.model": true, "extra/vocab.txt": true, "README.md": false, "pytorch_model.bin": false, "onnx": false,
			"modules.json": vectors, "1_Pooling/config.json": vectors, "2_Normalize/config.json": vectors} {
			_, err := os.Stat(filepath.Join(out, file))
			require.Equal(t, want, err == nil, "%s: %s", name, file)
		}
		if vectors {
			modules, err := os.ReadFile(filepath.Join(out, "modules.json"))
			require.NoError(t, err)
			require.Equal(t, "[]", string(modules), "the folder's own modules stay")
		}
		require.NoError(t, os.WriteFile(filepath.Join(base, "config.json"), []byte("{"), 0o666))
		_, err = export.Folder(t.Context(), export.Source{Checkpoint: checkpoint(t, u, 1), Unit: u, Base: base}, out+"2")
		require.ErrorContains(t, err, "config.json: ")
	}
}

// caseOf returns the parts of the spec of a case.
func caseOf(name string) (model, head, train string) {
	for _, c := range cases {
		if c.name == name {
			return c.model, c.head, c.train
		}
	}
	return "", "", ""
}

// TestGLiNER exports a training that began in a folder of GLiNER: gliner_config.json stays, and all tensors have their names.
func TestGLiNER(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "examples", "tasks", "entities")
	config, err := os.ReadFile(filepath.Join(folder, "gliner_config.json"))
	require.NoError(t, err)
	began, err := safetensors.OpenDir(folder)
	require.NoError(t, err)
	defer began.Close()
	shapes := map[string][]int{}
	for _, n := range began.Names() {
		info, err := began.Info(n)
		require.NoError(t, err)
		shapes[n] = info.Shape
	}
	text, _, err := hf.Spec(config, shapes, hf.Options{Model: "m", HeadName: "h"})
	require.NoError(t, err)
	u := trained(t, text+"\ntrain tune on m.h { batch 2 sequences; steps 1 steps; rate 1e-3 }\ntarget t { emit train tune }\n")
	out := filepath.Join(t.TempDir(), "out")
	s := export.Source{Checkpoint: filepath.Join(folder, "model.safetensors"), Unit: u, Base: folder}
	w, err := export.Folder(t.Context(), s, out)
	require.NoError(t, err)
	require.Empty(t, w.Class)
	require.Contains(t, w.Notes[0], "the library gliner reads the folder")
	got, err := os.ReadFile(filepath.Join(out, "gliner_config.json"))
	require.NoError(t, err)
	require.JSONEq(t, string(config), string(got))
	_, err = os.Stat(filepath.Join(out, "tokenizer.json"))
	require.NoError(t, err)
	f, err := safetensors.OpenDir(out)
	require.NoError(t, err)
	defer f.Close()
	require.Len(t, f.Names(), len(began.Names()))
	for _, n := range f.Names() {
		a, err := f.Bytes(n)
		require.NoError(t, err)
		b, err := began.Bytes(n)
		require.NoError(t, err)
		require.Equal(t, b, a, n)
	}
	s.Base = ""
	_, err = export.Folder(t.Context(), s, out+"2")
	require.ErrorContains(t, err, "must begin in a folder that has the file")
}
