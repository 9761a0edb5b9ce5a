package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
	"github.com/debertac/debertac/runtime/safetensors"
)

// besideCases are models of transformers with adapters of PEFT, and their logits: adapter/testdata/record_beside.py records them.
var besideCases = map[string][]string{"beside": {"first", "second", "third"}, "beside_joined": {"first", "second"}}

// besideBatch holds the sequences of the recording.
func besideBatch() *runtime.Batch {
	return &runtime.Batch{IDs: []int32{1, 5, 9, 13, 2, 1, 7, 2, 1, 3, 11, 20, 6, 4, 18, 2}, Starts: []int32{0, 5, 8, 16}}
}

// packBeside packs a recorded model with adapters, and returns the arguments that it took.
func packBeside(t *testing.T, name, out string, adapters ...string) (stderr string, code int) {
	t.Helper()
	return packBesideIn(t, "f32", name, out, adapters...)
}

// packBesideIn does the same in a number format of the weights.
func packBesideIn(t *testing.T, precision, name, out string, adapters ...string) (stderr string, code int) {
	t.Helper()
	args := []string{"pack", filepath.Join("adapter", "testdata", name, "model"), "--adapter-rank", "4", "--precision", precision, "-o", out}
	for _, a := range adapters {
		args = append(args, "--adapter", a+"="+filepath.Join("adapter", "testdata", name, a))
	}
	_, stderr, code = interpretedOn("", args)
	return stderr, code
}

// opened opens packed weights with the oracle.
func opened(t *testing.T, name, weights string) *engine.Core {
	t.Helper()
	return openedIn(t, "f32", name, weights)
}

// openedIn does the same for a number format of the weights.
func openedIn(t *testing.T, precision, name, weights string) *engine.Core {
	t.Helper()
	c := &console.Console{Context: t.Context(), Out: os.Stderr, Err: os.Stderr}
	rank := 4
	o := model.Options{Wishes: folder.Wishes{Rank: &rank, Precision: precision}}
	src, dir, err := model.Open(c, filepath.Join("adapter", "testdata", name, "model"), o)
	require.NoError(t, err)
	defer dir.Close()
	unit, err := model.One(c, src, dir, o)
	require.NoError(t, err)
	core, err := engine.Open(interpreter(unit.Program), weights)
	require.NoError(t, err)
	t.Cleanup(func() { core.Close() })
	return core
}

// logits computes the recorded sequences with an adapter.
func logits(t *testing.T, model *engine.Core, adapter string) []float32 {
	t.Helper()
	view, err := model.Adapter(adapter)
	require.NoError(t, err)
	require.Equal(t, adapter, view.AdapterInUse())
	out := make([]float32, 9)
	require.NoError(t, view.Run(t.Context(), engine.Call{Batch: besideBatch(), Out: out}))
	return out
}

// TestAdaptersBeside compares the logits with each adapter of a file with those of transformers and PEFT, and with those of the merged model. Without an
// adapter the bits are those of a file without adapters.
func TestAdaptersBeside(t *testing.T) {
	for name, adapters := range besideCases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			bare, all := filepath.Join(dir, "bare"), filepath.Join(dir, "all")
			stderr, code := packBeside(t, name, bare)
			require.Equal(t, fault.ExitDone, code, stderr)
			stderr, code = packBeside(t, name, all, adapters...)
			require.Equal(t, fault.ExitDone, code, stderr)
			require.NotContains(t, stderr, "the spec lacks")
			require.Contains(t, stderr, "the adapter was trained for model")
			core := opened(t, name, all)
			require.Equal(t, adapters, core.Adapters())
			require.Equal(t, logits(t, opened(t, name, bare), ""), logits(t, core, ""))

			recorded, err := safetensors.Open(filepath.Join("adapter", "testdata", name, "logits.safetensors"))
			require.NoError(t, err)
			defer recorded.Close()
			for _, a := range append([]string{"base"}, adapters...) {
				want := make([]float32, 9)
				require.NoError(t, recorded.Floats(a, want))
				got := logits(t, core, strings.TrimPrefix(a, "base"))
				require.InDeltaSlice(t, want, got, 1e-5, a)
				if a == "base" {
					continue
				}
				merged, weights := filepath.Join(dir, "merged-"+a), filepath.Join(dir, a+".weights")
				from := filepath.Join("adapter", "testdata", name)
				_, stderr, code := interpretedOn("", []string{"merge", filepath.Join(from, "model"), filepath.Join(from, a), "-o", merged})
				require.Equal(t, fault.ExitDone, code, stderr)
				_, stderr, code = interpretedOn("", []string{"pack", merged, "--adapter-rank", "4", "-o", weights})
				require.Equal(t, fault.ExitDone, code, stderr)
				require.InDeltaSlice(t, logits(t, opened(t, name, weights), ""), got, 1e-5, a)
			}
		})
	}
}

// TestAdaptersBF16 does the same for weights in bfloat16, up to their rounding. Without an adapter the bits are those of a file without adapters.
func TestAdaptersBF16(t *testing.T) {
	for name, adapters := range besideCases {
		dir := t.TempDir()
		bare, all := filepath.Join(dir, "bare"), filepath.Join(dir, "all")
		stderr, code := packBesideIn(t, "bf16", name, bare)
		require.Equal(t, fault.ExitDone, code, stderr)
		stderr, code = packBesideIn(t, "bf16", name, all, adapters...)
		require.Equal(t, fault.ExitDone, code, stderr)
		core := openedIn(t, "bf16", name, all)
		require.Equal(t, logits(t, openedIn(t, "bf16", name, bare), ""), logits(t, core, ""))
		recorded, err := safetensors.Open(filepath.Join("adapter", "testdata", name, "logits.safetensors"))
		require.NoError(t, err)
		defer recorded.Close()
		for _, a := range append([]string{"base"}, adapters...) {
			want := make([]float32, 9)
			require.NoError(t, recorded.Floats(a, want))
			require.InDeltaSlice(t, want, logits(t, core, strings.TrimPrefix(a, "base")), 0.02, a)
		}
	}
}

// TestAdaptersRefused checks what pack refuses about adapters, and names that the file does not have.
func TestAdaptersRefused(t *testing.T) {
	dir, from := t.TempDir(), filepath.Join("adapter", "testdata", "beside")
	good := "a=" + filepath.Join(from, "first")
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"--adapter", good}, "--adapter needs --adapter-rank RANK, the greatest rank of all adapters\n" +
			"     hint: --adapter-rank 4, and the same for build", fault.ExitUsage},
		{[]string{"--adapter-rank", "3", "--adapter", good}, "query_proj.weight have the rank 4, and the target has adapters rank <= 3: " +
			"a larger rank is needed (--adapter-rank 4", fault.ExitInput},
		{[]string{"--adapter-rank", "0", "--adapter", good}, "--adapter-rank 0", fault.ExitUsage},
		{[]string{"--adapter-rank", "4", "--adapter", good, "--adapter", good}, `a`, fault.ExitUsage},
		{[]string{"--adapter-rank", "4", "--adapter", "a/b=" + from}, "a name has up to 100 letters, digits", fault.ExitUsage},
		{[]string{"--adapter-rank", "4", "--adapter", "a=lost"}, "lost", fault.ExitInput},
		{[]string{"--adapter-rank", "4", "--adapter", "a=" + filepath.Join("adapter", "testdata", "beside_joined", "first")}, "the adapter is of another model",
			fault.ExitInput},
		{[]string{"--adapter-rank", "4", "--adapter", "a=" + filepath.Join("adapter", "testdata", "classify", "adapter")},
			"its shape is [4 8], and [4 32] is expected", fault.ExitInput},
		{[]string{"--adapter-rank", "4", "--adapter", good, "--random-weights", "1"}, "not for drawn weights", fault.ExitUsage},
	} {
		_, stderr, code := interpretedOn("", append([]string{"pack", filepath.Join(from, "model"), "-o", filepath.Join(dir, "x")}, c.args...))
		require.Contains(t, stderr, c.want, c.args)
		require.Equal(t, c.code, code, c.args)
		require.NoFileExists(t, filepath.Join(dir, "x"))
	}
	all := filepath.Join(dir, "all")
	stderr, code := packBeside(t, "beside", all, "first", "second")
	require.Equal(t, fault.ExitDone, code, stderr)
	core := opened(t, "beside", all)
	_, err := core.Adapter("third")
	require.ErrorContains(t, err, "(there is: first, second)")
	first, err := core.Adapter("first")
	require.NoError(t, err)
	back, err := first.Adapter("")
	require.NoError(t, err)
	require.Same(t, core, back)
	require.NoError(t, first.Close())
	require.ErrorIs(t, core.Run(t.Context(), engine.Call{Batch: besideBatch(), Out: make([]float32, 9)}), runtime.ErrClosed)
	require.True(t, slices.Contains(core.Adapters(), "first"))
}

// outputs computes all outputs of a model in the oracle, for a random batch, from packed weights and an adapter of them.
func outputs(t *testing.T, unit *compiler.Unit, weights, adapter string) eval.Store {
	t.Helper()
	p := unit.Program
	w, err := engine.OpenWeights(weights, engine.Want{SpecHash: p.Meta.SpecHash, Layout: ir.PackedLayout, Tensors: packedTensors(p), Rank: p.Meta.Rank})
	require.NoError(t, err)
	defer w.Close()
	l := p.Limits()
	store := eval.StoreOf(raggedtest.Batch([]int{9, 30, 17}, l, false, rand.New(rand.NewPCG(1, 2)).IntN), l.Delta)
	for name, typ := range packedShapes(p) {
		from := name
		if own := engine.AdapterTensor(adapter, name); w.Has(own) {
			from = own
		}
		switch {
		case !w.Has(from):
		case typ.dtype == safetensors.I32:
			store[name] = &ir.Array{Shape: typ.shape, I: w.I32(from)}
		default:
			store[name] = &ir.Array{Shape: typ.shape, F32: w.F32(from)}
		}
	}
	require.NoError(t, w.Err())
	require.NoError(t, eval.Run(p, store, eval.OnlyRun()))
	return store
}

// TestAdaptersOfGLiNER2 packs an adapter in GLiNER2's own layout, with matrices for the encoder and all parts of the head, beside a recorded model. All outputs
// are those of the merged model.
func TestAdaptersOfGLiNER2(t *testing.T) {
	dir := t.TempDir()
	base, own := filepath.Join("testdata", "cases", "gliner2_lstm_first"), filepath.Join("adapter", "testdata", "gliner2_shortened")
	merged, one, two := filepath.Join(dir, "merged"), filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for _, args := range [][]string{
		{"merge", base, own, "-o", merged},
		{"pack", merged, "--adapter-rank", "2", "-o", one},
		{"pack", base, "--adapter-rank", "2", "--adapter", "own=" + own, "-o", two},
	} {
		_, stderr, code := interpretedOn("", args)
		require.Equal(t, fault.ExitDone, code, stderr)
		require.NotContains(t, stderr, "the spec lacks")
		if slices.Contains(args, own) || slices.Contains(args, "own="+own) {
			require.Contains(t, stderr, "target_modules names the modules of 40 tensors by single words, as gliner2 2.1 writes them")
		}
	}
	c := &console.Console{Context: t.Context(), Out: os.Stderr, Err: os.Stderr}
	rank := 2
	o := model.Options{Wishes: folder.Wishes{Rank: &rank}}
	src, opened, err := model.Open(c, base, o)
	require.NoError(t, err)
	defer opened.Close()
	unit, err := model.One(c, src, opened, o)
	require.NoError(t, err)
	want, got, without := outputs(t, unit, one, ""), outputs(t, unit, two, "own"), outputs(t, unit, two, "")
	require.Greater(t, len(unit.Program.Outputs), 2)
	for _, name := range unit.Program.Outputs {
		require.InDeltaSlice(t, want[name].Floats(), got[name].Floats(), 1e-5, name)
		require.NotEqual(t, without[name].Floats(), got[name].Floats(), name)
	}
}
