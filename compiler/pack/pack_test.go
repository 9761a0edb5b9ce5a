package pack_test

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/spectest"
)

// compiled compiles the only emit of a spec, up to a pass.
func compiled(t *testing.T, text, after string) *ir.Program {
	t.Helper()
	f, faults := spec.Parse("test.dspec", []byte(text))
	require.Empty(t, faults)
	s, faults := spec.Resolve(f)
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{After: after})
	require.NoError(t, err)
	require.Empty(t, faults)
	return units[0].Program
}

// source passes a source's tensors to the oracle.
type source struct {
	pack.Source
	shapes map[string][]int
}

func (s source) Tensor(name string) (*ir.Array, error) {
	v, err := s.Source.Tensor(name, s.shapes[name])
	return &ir.Array{Shape: s.shapes[name], F32: v}, err
}

// TestRecordedResult packs random models. It compares the result that is recorded for the self-test with the oracle's result before any pass.
func TestRecordedResult(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 37))
	for range 10 {
		text, _ := spectest.Random(r)
		p := compiled(t, text, "")
		path := filepath.Join(t.TempDir(), "w")
		src := pack.Random{Seed: 4, Std: 0.3}
		require.NoError(t, pack.Write(path, p, src, pack.Options{}), text)

		plain := compiled(t, text, "build")
		shapes := ir.ShapesOf(plain.Run)
		w, err := safetensors.Open(path)
		require.NoError(t, err)
		info, err := w.Info(engine.SelfTestTensor)
		require.NoError(t, err)
		got := make([]float32, info.Shape[0])
		require.NoError(t, w.Floats(engine.SelfTestTensor, got))
		require.NoError(t, w.Close())

		batch := runtime.Batch{Rows: []int32{7}}
		for i := range 8 {
			batch.IDs = append(batch.IDs, int32((1+37*i)%p.Meta.Vocab))
		}
		batch.Starts = []int32{0, 8}
		batch.FillNeeded(p.Limits())
		store := eval.StoreOf(&batch, 0)
		require.NoError(t, eval.Run(plain, store, eval.From(source{src, shapes})))
		want := store[plain.Outputs[0]].Floats()
		require.GreaterOrEqual(t, len(got), len(want)) // the file pads tensors
		for i, v := range want {
			require.InDelta(t, v, got[i], 1e-6*(1+math.Abs(v)), text)
		}
	}
}

const tiny = `dspec 1
model m like deberta_v3_base {
	tokenizer none; dim vocab = 20; dim hidden = 32; dim heads = 2; dim inner = 8; dim layers = 1; dim span = 4; dim reach = 9; dim seq <= 16
}
`

// spoiled returns a checkpoint with one tensor replaced or left out, without the model's prefix.
func spoiled(t *testing.T, p *ir.Program, name string, change func([]float32) []float32) *pack.Checkpoint {
	t.Helper()
	type tensor struct {
		shape []int
		data  []float32
	}
	all := map[string]tensor{}
	var list []safetensors.Tensor
	for _, c := range p.Pack {
		for _, v := range c.Region.In {
			full := ir.At(v.Name, 0)
			short := strings.TrimPrefix(full, "deberta.")
			if _, ok := all[short]; v.Kind != ir.Tensor || ok {
				continue
			}
			var s []int
			for _, d := range v.Type.Shape {
				s = append(s, d.N)
			}
			data, err := pack.Random{Seed: 1}.Tensor(full, s)
			require.NoError(t, err)
			if strings.HasSuffix(short, name) {
				if data = change(data); data == nil {
					continue
				}
				if len(data) != len(all[short].data) && len(s) == 1 {
					s = []int{len(data)}
				}
			}
			all[short] = tensor{s, data}
			list = append(list, safetensors.Tensor{Name: short, DType: safetensors.F32, Shape: s})
		}
	}
	var b strings.Builder
	w, err := safetensors.NewWriter(&b, nil, list)
	require.NoError(t, err)
	for _, n := range w.Order() {
		bytes := make([]byte, 0, 4*len(all[n].data))
		for _, v := range all[n].data {
			bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(v))
		}
		require.NoError(t, w.Write(n, bytes))
	}
	require.NoError(t, w.Close())
	f, err := safetensors.OpenBytes("model.safetensors", []byte(b.String()))
	require.NoError(t, err)
	return &pack.Checkpoint{File: f}
}

// TestStop checks that packing ends with its context and leaves no file.
func TestStop(t *testing.T) {
	p := compiled(t, tiny, "")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	dir := t.TempDir()
	err := pack.Write(filepath.Join(dir, "w"), p, pack.Random{Seed: 1, Std: 0.1}, pack.Options{Context: ctx})
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestCheck checks that Check accepts a packed file only if it is whole and belongs to its program.
func TestCheck(t *testing.T) {
	p, other := compiled(t, tiny, ""), compiled(t, strings.Replace(tiny, "inner = 8", "inner = 9", 1), "")
	path := filepath.Join(t.TempDir(), "w")
	require.NoError(t, pack.Write(path, p, pack.Random{Seed: 1, Std: 0.1}, pack.Options{Tokenizer: []byte("any"), TokenizerKind: "any"}))
	require.NoError(t, pack.Check(path, p))
	require.ErrorContains(t, pack.Check(path, other), "packed for another spec")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text[len(text)/2] ^= 1
	require.NoError(t, os.WriteFile(path, text, 0o600))
	require.ErrorContains(t, pack.Check(path, p), "its values are not those that were packed")
	require.NoError(t, os.WriteFile(path, text[:len(text)-1], 0o600))
	require.ErrorContains(t, pack.Check(path, p), "not a whole weight file")
}

// TestCheckpointFaults checks that the error names a tensor that is missing, has another shape or is not finite.
func TestCheckpointFaults(t *testing.T) {
	p := compiled(t, tiny, "")
	for _, c := range []struct {
		tensor string
		change func([]float32) []float32
		says   []string
	}{
		{"query_proj.bias", func([]float32) []float32 { return nil }, []string{"model.safetensors", "query_proj.bias"}},
		{"query_proj.bias", func(v []float32) []float32 { return v[:31] }, []string{"query_proj.bias", "31", "32"}},
		{"key_proj.bias", func(v []float32) []float32 { v[3] = float32(math.NaN()); return v }, []string{"key_proj.bias", "element 3", "damaged"}},
	} {
		path := filepath.Join(t.TempDir(), "w")
		err := pack.Write(path, p, spoiled(t, p, c.tensor, c.change), pack.Options{})
		require.Error(t, err)
		for _, s := range c.says {
			require.ErrorContains(t, err, s)
		}
		require.NoFileExists(t, path)
	}
	whole := spoiled(t, p, "no such tensor", nil)
	require.NoError(t, pack.Write(filepath.Join(t.TempDir(), "w"), p, whole, pack.Options{}))
	require.Empty(t, whole.Unused())
}
