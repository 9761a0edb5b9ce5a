package adapter_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/adapter"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/safetensors"
)

// held returns a file in memory with tensors of float32.
func held(t *testing.T, shapes map[string][]int, values map[string][]float32) *safetensors.File {
	t.Helper()
	var list []safetensors.Tensor
	for n, s := range shapes {
		list = append(list, safetensors.Tensor{Name: n, DType: safetensors.F32, Shape: s})
	}
	return inMemory(t, list, values)
}

// inMemory returns a file in memory with tensors of float32.
func inMemory(t *testing.T, list []safetensors.Tensor, values map[string][]float32) *safetensors.File {
	t.Helper()
	var b bytes.Buffer
	write(t, &b, list, func(w *safetensors.Writer, name string) error { return w.WriteFloats(name, values[name]) })
	f, err := safetensors.OpenBytes("checkpoint", b.Bytes())
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// write writes a file of tensors; data writes the numbers of one.
func write(t *testing.T, to io.Writer, list []safetensors.Tensor, data func(w *safetensors.Writer, name string) error) {
	t.Helper()
	w, err := safetensors.NewWriter(to, nil, list)
	require.NoError(t, err)
	for _, n := range w.Order() {
		require.NoError(t, data(w, n))
	}
	require.NoError(t, w.Close())
}

// TestAddToAPart adds adapters of rank 1 to two parts of a matrix whose heads hold three parts each, as in_proj of DeBERTa v1, with numbers that can be
// checked by hand: head 0 has the rows 0 to 2 (q, k, v), head 1 the rows 3 to 5.
func TestAddToAPart(t *testing.T) {
	f := held(t, map[string][]int{"a": {1, 2}, "b": {2, 1}, "c": {1, 2}, "d": {2, 1}},
		map[string][]float32{"a": {1, 10}, "b": {2, 3}, "c": {100, 1000}, "d": {5, 7}})
	query := ir.Merge{Of: "in_proj.weight", Down: "a", Up: "b", By: 0.5, Heads: 2, Part: 0, Parts: 3}
	value := ir.Merge{Of: "in_proj.weight", Down: "c", Up: "d", By: 0.5, Heads: 2, Part: 2, Parts: 3}
	w := make([]float64, 12)
	for i := range w {
		w[i] = 1
	}
	require.NoError(t, adapter.Add(w, f, query))
	require.NoError(t, adapter.Add(w, f, value))
	require.Equal(t, []float64{2, 11, 1, 1, 251, 2501, 2.5, 16, 1, 1, 351, 3501}, w)
	require.ErrorContains(t, adapter.Add(w[:10], f, query), "is for a matrix of 6 × 2 numbers, and this one has 10")

	// The adapter of both parts has the rank 2, and the merge of it is the same matrix.
	model := held(t, map[string][]int{"in_proj.weight": {6, 2}, "a": {1, 2}, "b": {2, 1}, "c": {1, 2}, "d": {2, 1}},
		map[string][]float32{"in_proj.weight": make([]float32, 12), "a": {1, 10}, "b": {2, 3}, "c": {100, 1000}, "d": {5, 7}})
	dir := t.TempDir()
	require.NoError(t, adapter.Write(t.Context(), dir, adapter.Trained{Tensors: model, Merges: []ir.Merge{query, value}}))
	written, err := safetensors.Open(filepath.Join(dir, "adapter_model.safetensors"))
	require.NoError(t, err)
	defer written.Close()
	up := make([]float32, 12)
	require.NoError(t, written.Floats("base_model.model.in_proj.lora_B.weight", up))
	require.Equal(t, []float32{2, 0, 0, 0, 0, 5, 3, 0, 0, 0, 0, 7}, up)
	config, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
	require.NoError(t, err)
	require.Contains(t, string(config), "\"r\": 2")
	require.Contains(t, string(config), "\"lora_alpha\": 1,")

	for name, shapes := range map[string]map[string][]int{
		"vector":    {"a": {2}, "b": {2, 1}},
		"cube":      {"a": {1, 2}, "b": {2, 1, 1}},
		"two ranks": {"a": {2, 1}, "b": {2, 1}},
	} {
		bad := held(t, shapes, map[string][]float32{"a": {1, 2}, "b": {1, 2}})
		require.ErrorContains(t, adapter.Add(w, bad, query), "the adapter of in_proj.weight has the shapes", name)
	}
}

// TestNewHeadsHaveTheTypeOfTheModel adds the head of an adapter in float32 to a model in bfloat16.
func TestNewHeadsHaveTheTypeOfTheModel(t *testing.T) {
	dir := copied(t, "classify")
	short(t, filepath.Join(dir, "model", "model.safetensors"))
	_, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join(dir, "adapter"), filepath.Join(dir, "out"))
	require.NoError(t, err)
	f, err := safetensors.OpenDir(filepath.Join(dir, "out"))
	require.NoError(t, err)
	defer f.Close()
	for _, n := range f.Names() {
		info, err := f.Info(n)
		require.NoError(t, err)
		require.Equal(t, n == positionIDs, info.DType == safetensors.I64, n)
		require.Equal(t, n != positionIDs, info.DType == safetensors.BF16, n)
	}
	require.True(t, f.Has("classifier.weight"))
}

// TestNewQuestionAnsweringHead merges an adapter with a head that the model lacks, which is known by its name alone.
func TestNewQuestionAnsweringHead(t *testing.T) {
	dir := copied(t, "classify")
	_, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join("testdata", "written", "answer", "adapter"), filepath.Join(dir, "out"))
	require.NoError(t, err)
	config, err := os.ReadFile(filepath.Join(dir, "out", "config.json"))
	require.NoError(t, err)
	require.Contains(t, string(config), "DebertaV2ForQuestionAnswering")
}

// positionIDs is a tensor of integers, as older checkpoints have.
const positionIDs = "deberta.embeddings.position_ids"

// short rewrites a file with all tensors in bfloat16, and one of integers beside them.
func short(t *testing.T, path string) {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	data := map[string][]byte{}
	var list []safetensors.Tensor
	for _, n := range f.Names() {
		info, err := f.Info(n)
		require.NoError(t, err)
		v := make([]float32, info.Elements())
		require.NoError(t, f.Floats(n, v))
		wide := make([]float64, len(v))
		for i, x := range v {
			wide[i] = float64(x)
		}
		data[n], err = safetensors.AppendFloats(nil, safetensors.BF16, wide)
		require.NoError(t, err)
		list = append(list, safetensors.Tensor{Name: n, DType: safetensors.BF16, Shape: info.Shape})
	}
	data[positionIDs] = make([]byte, 4*8)
	list = append(list, safetensors.Tensor{Name: positionIDs, DType: safetensors.I64, Shape: []int{1, 4}})
	require.NoError(t, f.Close())
	out, err := os.Create(path)
	require.NoError(t, err)
	write(t, out, list, func(w *safetensors.Writer, name string) error { return w.Write(name, data[name]) })
	require.NoError(t, out.Close())
}

// TestWholeTensors checks tensors that an adapter stores whole: of a bias the shape must be the model's, and one tensor of the model is stored once.
func TestWholeTensors(t *testing.T) {
	const value = "base_model.model.deberta.encoder.layer.0.attention.self.value_proj"
	for want, change := range map[string]func(map[string]safetensors.Tensor, map[string][]float32){
		"its shape is [3], and [8] is expected": func(l map[string]safetensors.Tensor, v map[string][]float32) {
			l[value+".base_layer.bias"], v[value+".base_layer.bias"] = safetensors.Tensor{DType: safetensors.F32, Shape: []int{3}}, make([]float32, 3)
		},
		"it is stored twice": func(l map[string]safetensors.Tensor, v map[string][]float32) {
			l[value+".bias"], v[value+".bias"] = l[value+".base_layer.bias"], v[value+".base_layer.bias"]
		},
	} {
		dir := copied(t, "biases_only")
		tensors(t, peftFile(dir), change)
		_, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join(dir, "adapter"), filepath.Join(dir, "out"))
		require.ErrorContains(t, err, want)
	}

	// A bias that is stored under two names is that of the plain name, in whatever order they come.
	dir := copied(t, "patterns")
	const plain, second = "base_model.model.classifier.bias", "base_model.model.classifier.modules_to_save.bias"
	tensors(t, peftFile(dir), func(_ map[string]safetensors.Tensor, v map[string][]float32) {
		v[plain] = []float32{1, 2, 3, 4, 5}
		v[second] = []float32{9, 9, 9, 9, 9}
	})
	_, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join(dir, "adapter"), filepath.Join(dir, "out"))
	require.NoError(t, err)
	f, err := safetensors.OpenDir(filepath.Join(dir, "out"))
	require.NoError(t, err)
	defer f.Close()
	got := make([]float32, 5)
	require.NoError(t, f.Floats("classifier.bias", got))
	require.Equal(t, []float32{1, 2, 3, 4, 5}, got)
}

// TestFoldersWithoutAConfig merges into a folder that has no config.json, as GLiNER's.
func TestFoldersWithoutAConfig(t *testing.T) {
	dir := copied(t, "classify")
	require.NoError(t, os.Remove(filepath.Join(dir, "model", "config.json")))
	_, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join(dir, "adapter"), filepath.Join(dir, "out"))
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(dir, "out", "config.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestKeptLabels checks that the labels of config.json stay if a head has their number, and the architecture if the task does not tell the class.
func TestKeptLabels(t *testing.T) {
	dir := copied(t, "classify")
	edit(t, filepath.Join(dir, "model", "config.json"), map[string]any{"id2label": map[string]string{"0": "x", "1": "y", "2": "z"}, "label2id": nil})
	edit(t, filepath.Join(dir, "adapter", "adapter_config.json"), map[string]any{"task_type": nil})
	m, err := adapter.Merge(t.Context(), filepath.Join(dir, "model"), filepath.Join(dir, "adapter"), filepath.Join(dir, "out"))
	require.NoError(t, err)
	require.Len(t, m.Notes, 1)
	require.Contains(t, m.Notes[0], "config.json keeps its architectures")
	text, err := os.ReadFile(filepath.Join(dir, "out", "config.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), `"2": "z"`)
	require.Contains(t, string(text), "\"DebertaV2Model\"")
}
