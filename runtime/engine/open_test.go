package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
)

// TestOpenAt checks that a model inside another file, mapped or copied, returns the same result.
func TestOpenAt(t *testing.T) {
	want, err := runKind(context.Background(), openFake(t, fakeHooks{}), oneSequence(9))
	require.NoError(t, err)
	data := packFakeBytes(t, fakeMeta())
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, append(append(make([]byte, 8192), data...), "trailer"...), 0o600))
	for _, opts := range [][]runtime.Option{nil, {runtime.CopyWeights()}} {
		c, err := engine.OpenAt(fakeProgram(fakeHooks{}), path, 8192, int64(len(data)), opts...)
		require.NoError(t, err)
		got, err := runKind(context.Background(), c, oneSequence(9))
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, c.CheckWeights())
		require.Equal(t, fakeMeta(), c.Meta())
		require.Equal(t, "fake", c.Program().Name)
		require.Equal(t, 32, c.Options().MaxTokens)
		require.NotNil(t, c.Tokenizer())
		require.NoError(t, c.Close())
	}
	_, err = engine.OpenAt(fakeProgram(fakeHooks{}), path, 64, int64(len(data)), runtime.CopyWeights())
	require.Error(t, err)
	_, err = engine.OpenBytes(fakeProgram(fakeHooks{}), "empty", nil)
	require.ErrorContains(t, err, "empty")
}

type shouting struct{ letters }

func (shouting) AppendIDs(dst []int32, _ string, _ bool) ([]int32, error) {
	return append(dst, 4, 4, 4, 4, 4), nil
}

func TestUseTokenizer(t *testing.T) {
	k := openClassifier(t, runtime.UseTokenizer(shouting{}))
	got, err := k.Classify(context.Background(), []string{"x"})
	require.NoError(t, err)
	require.Equal(t, 7, got[0].Tokens)
}

// TestBrokenPrograms checks that faults of a generated package are errors of Open.
func TestBrokenPrograms(t *testing.T) {
	path := packFake(t, fakeMeta(), true)
	for want, spoil := range map[string]func(p *engine.Program){
		"Arena and Bind are needed":    func(p *engine.Program) { p.Arena = nil },
		"limits must be positive":      func(p *engine.Program) { p.Limits.Vocab = 0 },
		"has no heads":                 func(p *engine.Program) { p.Heads = nil },
		"has 3 outputs and 1 labels":   func(p *engine.Program) { p.Heads[0].Labels = []string{"x"} },
		"none of the instruction sets": func(p *engine.Program) { p.ISAs = nil },
		"needs 4.0 EiB of memory":      func(p *engine.Program) { p.Arena = func(s engine.Sizes) int64 { return 1 << 62 } },
		"the bound from the spec is 640": func(p *engine.Program) {
			p.Arena = func(s engine.Sizes) int64 { return int64(1280 - 640*min(s.B-1, 1)) }
		},
		"have no tensor of this name": func(p *engine.Program) { p.Bind = bindUnknown },
	} {
		p := fakeProgram(fakeHooks{})
		spoil(p)
		_, err := engine.Open(p, path)
		require.ErrorContains(t, err, want)
	}
	_, err := engine.Open(fakeProgram(fakeHooks{}), filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// bindUnknown asks for a tensor that does not exist and does not check Weights.Err.
func bindUnknown(w *engine.Weights, _ cpu.ISA) (engine.NewForward, error) {
	w.F32("unknown")
	return func(*engine.Exec) (engine.Forward, error) { return func() error { return nil }, nil }, nil
}

func TestPositionsAndPointers(t *testing.T) {
	b := &runtime.Batch{IDs: make([]int32, 5), Starts: []int32{0, 2, 5}}
	dst := make([]int32, 5)
	b.FillPositions(dst)
	require.Equal(t, []int32{0, 1, 0, 1, 2}, dst)
	b.Positions = []int32{0, 3, 1, 2, 9}
	b.FillPositions(dst)
	require.Equal(t, b.Positions, dst)
	require.Same(t, &dst[3], engine.At(&dst[1], 2))
	require.Same(t, &dst[0], engine.At(&dst[1], -1))
}
