package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// fragile is a tokenizer that panics while armed is set.
type fragile struct {
	letters
	armed *bool
}

func (f fragile) AppendIDs(dst []int32, text string, specials bool) ([]int32, error) {
	if *f.armed {
		panic("in a tokenizer")
	}
	return f.letters.AppendIDs(dst, text, specials)
}

var _ tokenizer.Tokenizer = fragile{}

// TestTokenizerPanics checks that a panic of the caller's tokenizer goes through, and that the classifier works and closes afterwards. The only
// execution of the model must not be lost.
func TestTokenizerPanics(t *testing.T) {
	armed := false
	c := openFake(t, fakeHooks{}, runtime.UseTokenizer(fragile{armed: &armed}), runtime.Concurrency(1))
	k, err := engine.NewClassifier(c, "")
	require.NoError(t, err)
	texts := []string{"one", "two"}
	want, err := k.Classify(t.Context(), texts)
	require.NoError(t, err)
	for range 3 {
		armed = true
		require.PanicsWithValue(t, "in a tokenizer", func() { _, _ = k.Classify(t.Context(), texts) })
		armed = false
		got, err := k.Classify(t.Context(), texts)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// TestTakePanics checks that a panic of a batcher's take goes through and that the batcher can be used again.
func TestTakePanics(t *testing.T) {
	armed := true
	b, err := engine.NewBatcher(openFake(t, fakeHooks{}, runtime.Concurrency(1)), 0, false, func(*engine.Window, []float32) error {
		if armed {
			panic("in take")
		}
		return nil
	})
	require.NoError(t, err)
	one := func() error {
		var e engine.Encoded
		require.NoError(t, b.Begin(t.Context(), false))
		require.NoError(t, b.Encode(&e, 0, runtime.Text{First: "abc"}))
		_, err := b.Add(t.Context(), 0, &e)
		require.NoError(t, err)
		return b.Flush(t.Context())
	}
	require.PanicsWithValue(t, "in take", func() { _ = one() })
	armed = false
	require.NoError(t, one())
}

// TestTracePanics checks that a panic in the function of Trace, of the model or of a call, is an error that names Trace, and that the model
// works afterwards.
func TestTracePanics(t *testing.T) {
	at := ""
	hook := func(name string, _ []int, _ []float32) {
		if name == at {
			panic("on " + name)
		}
	}
	c := openFake(t, fakeHooks{}, runtime.Trace(hook), runtime.Concurrency(1))
	want, err := runKind(t.Context(), c, oneSequence(9))
	require.NoError(t, err)
	for _, at = range []string{"layer 0", "layer 1", "logits"} { // both ways of the generated code to pass results
		_, err := runKind(t.Context(), c, oneSequence(9))
		var p *runtime.PanicError
		require.ErrorAs(t, err, &p)
		require.Equal(t, "Trace", p.Caller)
		require.Equal(t, "on "+at, p.Value)
		require.Contains(t, string(p.Stack), "TestTracePanics", "the stack leads to the caller's function")
		require.ErrorContains(t, err, "the function that Trace sets panicked: on "+at)
		require.NotContains(t, err.Error(), "internal error")
	}
	at = ""
	got, err := runKind(t.Context(), c, oneSequence(9))
	require.NoError(t, err)
	require.Equal(t, want, got)

	err = c.Run(t.Context(), engine.Call{Batch: oneSequence(2), Out: make([]float32, fakeLabels), Trace: func(string, []int, []float32) {
		_ = []int(nil)[0]
	}})
	require.ErrorContains(t, err, "the function that Trace sets panicked: runtime error: index out of range")

	// A panic of the model itself stays an internal error.
	broken := openFake(t, fakeHooks{layer: func(x *engine.Exec, _ int) {
		if x.Tracing() {
			panic("in forward")
		}
	}}, runtime.Trace(hook))
	_, err = runKind(t.Context(), broken, oneSequence(9))
	var p *pool.PanicError
	require.ErrorAs(t, err, &p)
	require.Empty(t, p.Caller)
	require.ErrorContains(t, err, "internal error: in forward")
}

// TestCheckWeightsReads checks what CheckWeights compares: the file, if it is mapped, else the copy in memory.
func TestCheckWeightsReads(t *testing.T) {
	good := packFakeBytes(t, fakeMeta())
	bad := append([]byte(nil), good...)
	bad[len(bad)-1] ^= 1
	path := filepath.Join(t.TempDir(), "fake.weights")
	require.NoError(t, os.WriteFile(path, good, 0o600))
	copied, err := engine.Open(fakeProgram(fakeHooks{}), path, runtime.CopyWeights())
	require.NoError(t, err)
	inside, err := engine.OpenAt(fakeProgram(fakeHooks{}), path, 0, -1, runtime.CopyWeights())
	require.NoError(t, err)
	mapped, err := engine.Open(fakeProgram(fakeHooks{}), path)
	require.NoError(t, err)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(bad[len(bad)-1:], int64(len(bad)-1)) // in place: the mapping stays on this file
	require.NoError(t, errors.Join(err, f.Close()))
	require.NoError(t, copied.CheckWeights(), "the copy is what was packed")
	require.NoError(t, inside.CheckWeights())
	require.ErrorContains(t, mapped.CheckWeights(), "its values are not those that were packed")
	for _, c := range []*engine.Core{copied, inside, mapped} {
		require.NoError(t, c.Close())
	}
}

// TestDamagedTokenizer checks that a packed tokenizer that cannot be read is an error about the weights, and so is metadata with an unknown value.
func TestDamagedTokenizer(t *testing.T) {
	var w *runtime.WeightsError
	data := packFakeBytes(t, fakeMeta())
	found := 0
	for i := 0; i+64 <= len(data); i += 64 {
		if string(data[i:i+4]) == "abc\x00" { // the tokenizer, padded
			data[i+1] = 'x'
			found++
		}
	}
	require.Equal(t, 1, found)
	_, err := engine.OpenBytes(fakeProgram(fakeHooks{}), "spoilt", data)
	require.ErrorAs(t, err, &w)
	require.Equal(t, engine.TokenizerTensor, w.Tensor)
	require.Equal(t, "spoilt", w.File)
	require.EqualError(t, err, `spoilt: tensor "tokenizer": the packed tokenizer is damaged, or this package cannot read it: `+
		`run debertac pack again: unknown tokenizer "letters"`)

	meta := fakeMeta()
	meta.Extra = map[string]string{engine.TruncateKey: "up"}
	c, err := engine.Open(fakeProgram(fakeHooks{}), packFake(t, meta, true))
	require.NoError(t, err)
	defer c.Close()
	_, err = engine.NewBatcher(c, 0, false, nil)
	w = nil
	require.ErrorAs(t, err, &w)
	require.ErrorContains(t, err, `in the metadata of the weights, truncate is "up", which is neither left nor right: run debertac pack again`)
}

// TestErrClosed checks what ErrClosed's comment states: calls that compute or read weights return it, an error about the arguments may come
// first, and a closed pool still runs work.
func TestErrClosed(t *testing.T) {
	p, err := pool.New(2)
	require.NoError(t, err)
	c, err := engine.Open(fakeProgram(fakeHooks{}), packFake(t, fakeMeta(), true), runtime.SharePool(p))
	require.NoError(t, err)
	k, err := engine.NewClassifier(c, "")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	p.Close()
	_, err = k.Classify(t.Context(), []string{"a"})
	require.ErrorIs(t, err, runtime.ErrClosed)
	_, err = runKind(t.Context(), c, oneSequence(2))
	require.ErrorIs(t, err, runtime.ErrClosed)
	_, err = c.Tensor("head")
	require.ErrorIs(t, err, runtime.ErrClosed)
	_, err = c.Report()
	require.ErrorIs(t, err, runtime.ErrClosed)
	require.ErrorIs(t, c.CheckWeights(), runtime.ErrClosed)
	require.ErrorContains(t, c.Run(t.Context(), engine.Call{}), "the batch is nil")
	require.Equal(t, 2, c.Options().Threads)
	units := 0
	require.NoError(t, p.Run(5, func(worker, _ int) { units++; require.Zero(t, worker) }))
	require.Equal(t, 5, units)
}
