package adapter_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/adapter"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// tuned compiles a training with adapters of the model in a recorded case, and draws the tensors of a checkpoint of it: those of the model, adapters, and a
// head.
func tuned(t *testing.T, of, lora string) adapter.Trained {
	t.Helper()
	config, err := os.ReadFile(filepath.Join("testdata", of, "model", "config.json"))
	require.NoError(t, err)
	text, _, err := hf.Spec(config, nil, hf.Options{Model: "m", HeadName: "h"})
	require.NoError(t, err)
	s, faults := spec.ParseAndResolve("m.dspec", []byte(text+`
train tune on m.h { batch 4 sequences; steps 10 steps; rate 1e-3; lora `+lora+` }
target t { emit train tune }
`))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{Emit: "tune"})
	require.NoError(t, err)
	require.Empty(t, faults)
	p := units[0].Program.Training
	base, err := safetensors.OpenDir(filepath.Join("testdata", of, "model"))
	require.NoError(t, err)
	defer base.Close()
	draw := rand.New(rand.NewPCG(5, 7))
	values := map[string][]float32{}
	var list []safetensors.Tensor
	trained := adapter.Trained{Merges: p.Merges, Task: units[0].Head.Task(), Base: "tiny"}
	for _, param := range p.Params {
		list = append(list, safetensors.Tensor{Name: param.Name, DType: safetensors.F32, Shape: param.Shape})
		n := 1
		for _, d := range param.Shape {
			n *= d
		}
		v := make([]float32, n)
		values[param.Name] = v
		if param.Grad == "" {
			require.NoError(t, base.Floats(param.Name, v))
			continue
		}
		for i := range v {
			v[i] = float32(draw.NormFloat64() * 0.3)
		}
		if !strings.Contains(param.Name, ".lora_") {
			trained.Head = append(trained.Head, param.Name)
		}
	}
	trained.Tensors = inMemory(t, list, values)
	return trained
}

// TestWrittenAdapters compares adapters with those that PEFT has loaded, and what a merge makes of them with what PEFT made. UPDATE=1 writes them; then
// testdata/record.py written records PEFT's results.
func TestWrittenAdapters(t *testing.T) {
	for name, c := range map[string]struct{ of, class, lora string }{
		"classify": {"biases_only", "DebertaV2ForSequenceClassification", "q, v rank 2 alpha 5"},
		"tag":      {"patterns", "DebertaV2ForTokenClassification", "k rank 3 alpha 4.5 dropout 0.1"},
		"answer":   {"biases", "DebertaV2ForQuestionAnswering", "q, k, v rank 1"},
		"joined":   {"joined", "DebertaForSequenceClassification", "q, v, kr rank 2 alpha 3"},
	} {
		t.Run(name, func(t *testing.T) {
			trained := tuned(t, c.of, c.lora)
			if name == "tag" {
				trained.Dropout = 0.1
			}
			recorded := filepath.Join("testdata", "written", name)
			dir := t.TempDir()
			if os.Getenv("UPDATE") != "" {
				dir = filepath.Join(recorded, "adapter")
				require.NoError(t, os.MkdirAll(dir, 0o777))
				require.NoError(t, os.WriteFile(filepath.Join(recorded, "of.txt"), []byte(c.of+" "+c.class+"\n"), 0o666))
			}
			require.NoError(t, adapter.Write(t.Context(), dir, trained))
			for _, file := range []string{"adapter_config.json", "adapter_model.safetensors"} {
				got, err := os.ReadFile(filepath.Join(dir, file))
				require.NoError(t, err)
				want, err := os.ReadFile(filepath.Join(recorded, "adapter", file))
				require.NoError(t, err)
				require.Equal(t, want, got, file)
			}
			if os.Getenv("UPDATE") != "" {
				return
			}
			// The recorded model is in float32, so the merge starts from the checkpoint's tensors in that type.
			model := filepath.Join(t.TempDir(), "model")
			require.NoError(t, os.CopyFS(model, os.DirFS(filepath.Join("testdata", c.of, "model"))))
			widen(t, model)
			out := filepath.Join(t.TempDir(), "out")
			m, err := adapter.Merge(t.Context(), model, dir, out)
			require.NoError(t, err)
			require.Len(t, m.Whole, len(trained.Head))
			got, err := safetensors.OpenDir(out)
			require.NoError(t, err)
			defer got.Close()
			want, err := safetensors.Open(filepath.Join(recorded, "merged.safetensors"))
			require.NoError(t, err)
			defer want.Close()
			equal(t, got, want, 1e-6)
		})
	}
	require.ErrorContains(t, adapter.Write(t.Context(), t.TempDir(), adapter.Trained{}), "no adapters")
}

// widen writes the weights of a folder as float32 in one file.
func widen(t *testing.T, dir string) {
	t.Helper()
	f, err := safetensors.OpenDir(dir)
	require.NoError(t, err)
	var list []safetensors.Tensor
	values := map[string][]float32{}
	for _, n := range f.Names() {
		info, err := f.Info(n)
		require.NoError(t, err)
		values[n] = make([]float32, info.Elements())
		require.NoError(t, f.Floats(n, values[n]))
		list = append(list, safetensors.Tensor{Name: n, DType: safetensors.F32, Shape: info.Shape})
	}
	require.NoError(t, f.Close())
	for _, n := range []string{"model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} {
		_ = os.Remove(filepath.Join(dir, n))
	}
	out, err := os.Create(filepath.Join(dir, "model.safetensors"))
	require.NoError(t, err)
	w, err := safetensors.NewWriter(out, nil, list)
	require.NoError(t, err)
	for _, n := range w.Order() {
		require.NoError(t, w.WriteFloats(n, values[n]))
	}
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
}
