package adapter_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/adapter"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
)

// equal compares the tensors of two checkpoints: their names, types and shapes, and their numbers within bound times the largest of the tensor.
func equal(t *testing.T, got, want *safetensors.File, bound float64) {
	t.Helper()
	names, wanted := slices.Sorted(slices.Values(got.Names())), slices.Sorted(slices.Values(want.Names()))
	require.Equal(t, wanted, names)
	for _, n := range names {
		a, err := got.Info(n)
		require.NoError(t, err)
		b, err := want.Info(n)
		require.NoError(t, err)
		require.Equal(t, b.DType, a.DType, n)
		require.Equal(t, b.Shape, a.Shape, n)
		x, y := make([]float32, a.Elements()), make([]float32, a.Elements())
		require.NoError(t, got.Floats(n, x))
		require.NoError(t, want.Floats(n, y))
		largest, far := 0.0, 0.0
		for i := range x {
			largest = max(largest, math.Abs(float64(y[i])))
			far = max(far, math.Abs(float64(x[i])-float64(y[i])))
		}
		if far > bound*largest {
			t.Errorf("%s differs by %g of its largest number, bound %g", n, far/largest, bound)
		}
	}
}

// TestMerge compares merged folders with what merge_and_unload of PEFT makes of the same model and adapter.
func TestMerge(t *testing.T) {
	for name, c := range map[string]struct {
		bound    float64 // PEFT rounds the product to the adapter's type, then the sum to the model's
		merged   adapter.Merged
		config   map[string]string
		sharded  bool
		notes    int
		original bool // config.json is the model's
	}{
		"classify": {bound: 1e-6, merged: adapter.Merged{Matrices: 4, Added: []string{"classifier.bias", "classifier.weight", "pooler.dense.bias",
			"pooler.dense.weight"}}, config: map[string]string{"architectures": `["DebertaV2ForSequenceClassification"]`}},
		"patterns":    {bound: 1e-6, merged: adapter.Merged{Matrices: 10}, sharded: true, original: true},
		"biases":      {bound: 0x1p-7, merged: adapter.Merged{Matrices: 4}, original: true},
		"biases_only": {bound: 1e-6, merged: adapter.Merged{Matrices: 2}, original: true},
		"binary":      {bound: 1e-6, merged: adapter.Merged{Matrices: 2}, original: true, notes: 1},
		"joined":      {bound: 0x1p-9, merged: adapter.Merged{Matrices: 3}, original: true},

		"gliner2":      {bound: 1e-6, merged: adapter.Merged{Matrices: 16}, original: true},
		"gliner2_peft": {bound: 1e-6, merged: adapter.Merged{Matrices: 14}, original: true},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			from := filepath.Join("testdata", name)
			m, err := adapter.Merge(t.Context(), filepath.Join(from, "model"), filepath.Join(from, "adapter"), out)
			require.NoError(t, err)
			require.Equal(t, c.merged.Matrices, m.Matrices)
			require.Equal(t, c.merged.Added, m.Added)
			require.Equal(t, name == "binary", len(m.Left) == 1)
			require.Len(t, m.Notes, c.notes)
			got, err := safetensors.OpenDir(out)
			require.NoError(t, err)
			defer got.Close()
			require.Equal(t, "pt", got.Metadata()["format"])
			want, err := safetensors.Open(filepath.Join(from, "merged.safetensors"))
			require.NoError(t, err)
			defer want.Close()
			equal(t, got, want, c.bound)
			_, err = os.Stat(filepath.Join(out, "model.safetensors.index.json"))
			require.Equal(t, c.sharded, err == nil)
			kept, err := os.ReadFile(filepath.Join(out, "notes", "kept.txt"))
			require.NoError(t, err)
			require.Equal(t, "kept\n", string(kept))
			before, err := os.ReadFile(filepath.Join(from, "model", "config.json"))
			require.NoError(t, err)
			after, err := os.ReadFile(filepath.Join(out, "config.json"))
			require.NoError(t, err)
			require.Equal(t, c.original, string(before) == string(after))
			var fields map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(after, &fields))
			for field, value := range c.config {
				require.JSONEq(t, value, string(fields[field]))
			}
		})
	}
}

// copied copies a recorded case, so that a test can change it.
func copied(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))))
	return dir
}

// edit changes fields of a JSON file; nil removes one.
func edit(t *testing.T, path string, change map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(text, &fields))
	for k, v := range change {
		if fields[k] = v; v == nil {
			delete(fields, k)
		}
	}
	text, err = json.Marshal(fields)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o666))
}

// peftFile returns the file with the tensors of an adapter in PEFT's layout.
func peftFile(dir string) string { return filepath.Join(dir, "adapter", "adapter_model.safetensors") }

// tensors writes the tensors of an adapter again, after a change.
func tensors(t *testing.T, path string, change func(map[string]safetensors.Tensor, map[string][]float32)) {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	list, values := map[string]safetensors.Tensor{}, map[string][]float32{}
	for _, n := range f.Names() {
		info, err := f.Info(n)
		require.NoError(t, err)
		values[n] = make([]float32, info.Elements())
		require.NoError(t, f.Floats(n, values[n]))
		list[n] = safetensors.Tensor{Name: n, DType: safetensors.F32, Shape: info.Shape}
	}
	require.NoError(t, f.Close())
	change(list, values)
	out, err := os.Create(path)
	require.NoError(t, err)
	var all []safetensors.Tensor
	for n, x := range list {
		x.Name = n
		all = append(all, x)
	}
	write(t, out, all, func(w *safetensors.Writer, name string) error { return w.WriteFloats(name, values[name]) })
	require.NoError(t, out.Close())
}

// TestRefused checks that what is not understood, or does not fit, is refused by its name, and that nothing is written then.
func TestRefused(t *testing.T) {
	const query = "base_model.model.deberta.encoder.layer.0.attention.self.query_proj"
	renamed := func(from, to string) func(map[string]safetensors.Tensor, map[string][]float32) {
		return func(list map[string]safetensors.Tensor, values map[string][]float32) {
			list[to], values[to] = list[from], values[from]
			delete(list, from)
		}
	}
	for want, c := range map[string]struct {
		fields  map[string]any
		tensors func(map[string]safetensors.Tensor, map[string][]float32)
	}{
		"use_dora = true: DoRA":                 {fields: map[string]any{"use_dora": true}},
		"alora_invocation_tokens = [1]":         {fields: map[string]any{"alora_invocation_tokens": []int{1}}},
		"invented = 3 is not known":             {fields: map[string]any{"invented": 3}},
		`peft_type = "IA3": only LORA is known`: {fields: map[string]any{"peft_type": "IA3"}},
		`init_lora_weights = "pissa"`:           {fields: map[string]any{"init_lora_weights": "pissa"}},
		`bias = "some"`:                         {fields: map[string]any{"bias": "some"}},
		"r = 0 is not a rank":                   {fields: map[string]any{"r": 0}},
		"r = 2.5 is not a rank":                 {fields: map[string]any{"r": 2.5}},
		`r = "4" is not what is expected`:       {fields: map[string]any{"r": "4"}},
		"its shape is [4 8], and [3 8] is":      {fields: map[string]any{"r": 3}},
		`the pattern "(", which cannot be read`: {fields: map[string]any{"rank_pattern": map[string]int{"(": 2}}},
		"modules_to_save =  does not name":      {fields: map[string]any{"modules_to_save": nil}},
		"for which the file has no matrices":    {fields: map[string]any{"target_modules": []string{"query_proj", "key_proj"}}},
		"lacks the first matrix of this pair":   {tensors: func(l map[string]safetensors.Tensor, _ map[string][]float32) { delete(l, query+".lora_A.weight") }},
		"lacks the second matrix of this pair":  {tensors: func(l map[string]safetensors.Tensor, _ map[string][]float32) { delete(l, query+".lora_B.weight") }},
		"which is not known here":               {tensors: renamed(query+".lora_A.weight", query+".lora_magnitude_vector.weight")},
		"this kind of tensor of an adapter":     {tensors: renamed(query+".lora_A.weight", query+".lora_C.weight")},
		"tensors begin with base_model.model.":  {tensors: renamed(query+".lora_A.weight", "query.lora_A.weight")},
		"the adapter is of another model":       {tensors: renamed(query+".lora_A.weight", strings.Replace(query, "layer.0", "layer.9", 1)+".lora_A.weight")},
		"adapter_model.safetensors: tensor \"" + query + ".lora_B.weight\": its number 3 is NaN: the file is damaged": {
			tensors: func(_ map[string]safetensors.Tensor, v map[string][]float32) {
				v[query+".lora_B.weight"][3] = float32(math.NaN())
			},
		},
		"the file holds no tensors": {tensors: func(l map[string]safetensors.Tensor, _ map[string][]float32) { clear(l) }},
		"layer.0.attention.self.query_proj.weight": {tensors: func(l map[string]safetensors.Tensor, _ map[string][]float32) {
			delete(l, query+".lora_A.weight")
			delete(l, query+".lora_B.weight")
		}},
	} {
		t.Run(want, func(t *testing.T) {
			dir := copied(t, "classify")
			edit(t, filepath.Join(dir, "adapter", "adapter_config.json"), c.fields)
			if c.tensors != nil {
				tensors(t, peftFile(dir), c.tensors)
			}
			_, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join(dir, "adapter"), filepath.Join(dir, "out"))
			require.ErrorContains(t, err, want)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			for _, e := range entries {
				require.False(t, e.Name() == "out" || strings.Contains(e.Name(), "partial"), e.Name())
			}
		})
	}
}

// TestMergedHead checks the labels of a head that has another number of them than config.json, and files with weights in other formats.
func TestMergedHead(t *testing.T) {
	dir := copied(t, "classify")
	model := filepath.Join(dir, "model")
	edit(t, filepath.Join(model, "config.json"), map[string]any{"id2label": nil, "label2id": nil, "num_labels": nil})
	for _, n := range []string{"pytorch_model.bin", "onnx/model.onnx", "tf_model.h5", "spm.model", "pytorch_model.generator.bin"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(model, n)), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(model, n), []byte("x"), 0o666))
	}
	out := filepath.Join(dir, "out")
	m, err := adapter.Merge(t.Context(), model, filepath.Join(dir, "adapter"), out)
	require.NoError(t, err)
	require.Equal(t, []string{"onnx/model.onnx", "pytorch_model.bin", "tf_model.h5"}, m.Left)
	require.Len(t, m.Notes, 1)
	require.Contains(t, m.Notes[0], "the new head has 3 labels")
	text, err := os.ReadFile(filepath.Join(out, "config.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), "\"id2label\": {\n    \"0\": \"LABEL_0\",\n    \"1\": \"LABEL_1\",\n    \"2\": \"LABEL_2\"\n  }")
	for n, there := range map[string]bool{"spm.model": true, "pytorch_model.generator.bin": true, "pytorch_model.bin": false, "onnx": false} {
		ok, err := disk.Exists(filepath.Join(out, n))
		require.NoError(t, err)
		require.Equal(t, there, ok, n)
	}
	_, err = adapter.Merge(t.Context(), model, filepath.Join(dir, "adapter"), out)
	require.ErrorContains(t, err, "the folder is there already, and holds config.json")
	_, err = adapter.Merge(t.Context(), model, model, filepath.Join(dir, "other"))
	require.ErrorContains(t, err, "no adapter_config.json: it is not an adapter")
}

// TestMergeOfFaultyDisk fails each operation on files once: then there is no folder.
func TestMergeOfFaultyDisk(t *testing.T) {
	full := errors.New("no space left on device")
	for n := 1; ; n++ {
		dir, count := t.TempDir(), 0
		restore := disk.Inject(func(op disk.Op, _ string) error {
			if op == disk.OpWrite || op == disk.OpSync || op == disk.OpRename {
				if count++; count == n {
					return full
				}
			}
			return nil
		})
		_, err := adapter.Merge(t.Context(), "testdata/patterns/model", "testdata/patterns/adapter", filepath.Join(dir, "out"))
		restore()
		if count < n {
			require.NoError(t, err)
			require.Greater(t, n, 10)
			return
		}
		require.ErrorIs(t, err, full)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries)
	}
}
