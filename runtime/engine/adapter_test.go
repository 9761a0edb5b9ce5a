package engine_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
)

// adaptable is a package whose only output is a tensor of the weights plus one that adapters may have.
func adaptable(rank int) *engine.Program {
	want := []engine.TensorWant{{Name: "w", DType: safetensors.F32, Len: 2}, {Name: "n", DType: safetensors.I32, Len: 1}}
	if rank > 0 {
		want = append(want, engine.TensorWant{Name: "w.up", DType: safetensors.F32, Len: 2, Adapter: true})
	}
	return &engine.Program{
		Name: "adaptable", ISAs: []cpu.ISA{cpu.ISAGo}, Want: engine.Want{SpecHash: "s", Layout: "1", Rank: rank, Tensors: want},
		Limits: engine.Limits{Vocab: 9, SequenceTokens: 4, BatchSequences: 2, BatchTokens: 8},
		Heads:  []engine.Head{{Name: "h", Task: "labels", Rows: engine.PerSequence, C: 2}},
		Arena:  func(engine.Sizes) int64 { return 0 },
		Bind: func(w *engine.Weights, _ cpu.ISA) (engine.NewForward, error) {
			base, up := w.F32("w"), w.Adapted("w.up")
			return func(x *engine.Exec) (engine.Forward, error) {
				task := func(int, int) { x.Out[1] = -1 }
				return func() error {
					x.Out[0], x.Out[1] = base[0], 0
					if up != nil {
						x.Out[0] += up[1]
					}
					x.RunIf(up != nil, 1, task)
					return nil
				}, nil
			}, nil
		},
	}
}

// adaptedFile writes a packed file for it; more are tensors of adapters, of one number each in both elements.
func adaptedFile(t *testing.T, meta engine.Meta, more map[string]float32) []byte {
	t.Helper()
	decls := []engine.TensorDecl{{Name: "w", DType: safetensors.F32, Len: 2}, {Name: "n", DType: safetensors.I32, Len: 1}}
	for _, name := range []string{"adapter/a/w.up", "adapter/b/w", "adapter/a/other", "adapter/c/w.up", "adapter/a/n"} {
		if _, ok := more[name]; ok {
			decls = append(decls, engine.TensorDecl{Name: name, DType: safetensors.F32, Len: 2})
		}
	}
	meta.SpecHash, meta.Layout, meta.Model = "s", "1", "m"
	var file seekBuffer
	w, err := engine.NewWeightsWriter(&file, meta, decls)
	require.NoError(t, err)
	for _, d := range decls {
		switch v, ok := more[d.Name]; {
		case ok:
			require.NoError(t, w.WriteF32(d.Name, []float32{v, v}))
		case d.DType == safetensors.I32:
			require.NoError(t, w.WriteI32(d.Name, []int32{1}))
		default:
			require.NoError(t, w.WriteF32(d.Name, []float32{1, 2}))
		}
	}
	require.NoError(t, w.Close())
	return file.b
}

// TestAdapterNames checks what is a name.
func TestAdapterNames(t *testing.T) {
	for name, ok := range map[string]bool{"a": true, "law-2.b_C": true, "": false, "a/b": false, "ä": false, "a b": false, string(make([]byte, 200)): false} {
		require.Equal(t, ok, engine.AdapterName(name), name)
	}
}

// both is the metadata of a file with the adapters a and b.
func both() engine.Meta {
	return engine.Meta{Adapters: []engine.AdapterMeta{{Name: "a", Base: "m"}, {Name: "b"}}, Rank: 4}
}

// TestAdapterViews computes with an adapter that has a tensor of its own, with one that replaces a tensor, and without one, in turn and in parallel.
func TestAdapterViews(t *testing.T) {
	data := adaptedFile(t, both(), map[string]float32{"adapter/a/w.up": 10, "adapter/b/w": 7})
	for name, open := range map[string]func() (*engine.Core, error){
		"bytes": func() (*engine.Core, error) {
			return engine.OpenBytes(adaptable(4), "file", data, runtime.SkipSelfTest())
		},
		"copied": func() (*engine.Core, error) {
			path := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(path, data, 0o666))
			return engine.Open(adaptable(4), path, runtime.SkipSelfTest(), runtime.CopyWeights())
		},
	} {
		t.Run(name, func(t *testing.T) {
			core, err := open()
			require.NoError(t, err)
			require.Equal(t, []string{"a", "b"}, core.Adapters())
			want := map[string][]float32{"": {1, 0}, "a": {11, -1}, "b": {7, 0}}
			for range 3 {
				for adapter, out := range want {
					view, err := core.Adapter(adapter)
					require.NoError(t, err)
					again, err := view.Adapter(adapter)
					require.NoError(t, err)
					require.Same(t, view, again)
					require.Equal(t, adapter, view.AdapterInUse())
					got := make([]float32, 2)
					var steps []time.Duration
					call := engine.Call{Batch: &runtime.Batch{IDs: []int32{1}, Starts: []int32{0, 1}}, Out: got, Steps: &steps}
					require.NoError(t, view.Run(t.Context(), call))
					require.Equal(t, out, got)
					require.Len(t, steps, 1, "a step that does not run has a time too")
				}
			}
			b, err := core.Adapter("b")
			require.NoError(t, err)
			w, err := b.Tensor("w")
			require.NoError(t, err)
			require.Equal(t, []float32{7, 7}, w)
			w, err = core.Tensor("w")
			require.NoError(t, err)
			require.Equal(t, []float32{1, 2}, w)
			_, err = b.Adapter("c")
			require.ErrorIs(t, err, runtime.ErrInput)
			require.ErrorContains(t, err, `no adapter "c" in `)
			report, err := b.Report()
			require.NoError(t, err)
			require.Equal(t, "b", report.Adapter)
			require.NoError(t, b.CheckWeights())
			require.NoError(t, b.Close())
			_, err = core.Tensor("w")
			require.ErrorIs(t, err, runtime.ErrClosed)
		})
	}
}

// TestAdapterFaults opens files whose adapters do not fit the package.
func TestAdapterFaults(t *testing.T) {
	other := both()
	other.Rank = 8
	twice := both()
	twice.Adapters[1].Name = "a"
	odd := both()
	odd.Adapters[1].Name = "b/w"
	for want, c := range map[string]struct {
		rank int
		meta engine.Meta
		more map[string]float32
	}{
		"compiled without: add adapters rank <= 4":       {0, both(), nil},
		"packed for adapters rank <= 8, this package":    {4, other, nil},
		`an adapter "a", which is no name, or stands`:    {4, twice, nil},
		`an adapter "b/w", which is no name`:             {4, odd, nil},
		`"adapter/c/w.up": the metadata lack its`:        {4, both(), map[string]float32{"adapter/c/w.up": 1}},
		`"adapter/a/other": this package does not know`:  {4, both(), map[string]float32{"adapter/a/other": 1}},
		`"adapter/a/n": this package does not know it: `: {4, both(), map[string]float32{"adapter/a/n": 1}},
	} {
		_, err := engine.OpenBytes(adaptable(c.rank), "file", adaptedFile(t, c.meta, c.more), runtime.SkipSelfTest())
		require.ErrorContains(t, err, want)
		var weights *runtime.WeightsError
		require.ErrorAs(t, err, &weights)
	}
	core, err := engine.OpenBytes(adaptable(4), "file", adaptedFile(t, engine.Meta{}, nil), runtime.SkipSelfTest())
	require.NoError(t, err)
	defer core.Close()
	_, err = core.Adapter("a")
	require.ErrorContains(t, err, "file has no adapters; debertac pack --adapter NAME=DIR packs them")
}
