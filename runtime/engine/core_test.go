package engine_test

import (
	"context"
	"errors"
	"math"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
)

// TestRunAgainstReference compares random ragged batches with the float64 reference. It also checks that each sequence has the same bits
// as when it is computed alone.
func TestRunAgainstReference(t *testing.T) {
	tensors := fakeTensors()
	alone := openFake(t, fakeHooks{}, runtime.Threads(1))
	for _, threads := range []int{1, 3} {
		c := openFake(t, fakeHooks{}, runtime.Threads(threads))
		rapid.Check(t, func(t *rapid.T) {
			b := &runtime.Batch{Starts: []int32{0}}
			typed := rapid.Bool().Draw(t, "typed")
			for _, n := range rapid.SliceOfN(rapid.IntRange(1, 30), 1, 8).Draw(t, "lengths") {
				b.IDs = append(b.IDs, rapid.SliceOfN(rapid.Int32Range(0, fakeVocab-1), n, n).Draw(t, "ids")...)
				b.Starts = append(b.Starts, int32(len(b.IDs)))
				if typed {
					b.Types = append(b.Types, rapid.SliceOfN(rapid.Int32Range(0, 1), n, n).Draw(t, "types")...)
				}
			}
			out, err := runKind(context.Background(), c, b)
			require.NoError(t, err)
			for s := range b.Sequences() {
				lo, hi := b.Starts[s], b.Starts[s+1]
				one := &runtime.Batch{IDs: b.IDs[lo:hi], Starts: []int32{0, hi - lo}}
				if typed {
					one.Types = b.Types[lo:hi]
				}
				got := out[s*fakeLabels : (s+1)*fakeLabels]
				for j, want := range fakeReference(tensors, one.IDs, one.Types) {
					require.InDelta(t, want, float64(got[j]), 1e-4)
				}
				single, err := runKind(context.Background(), alone, one)
				require.NoError(t, err)
				require.Equal(t, single, got)
			}
		})
	}
}

func TestPerTokenHead(t *testing.T) {
	c := openFake(t, fakeHooks{})
	i, err := c.HeadIndex("tags")
	require.NoError(t, err)
	out := make([]float32, 5*fakeTags)
	require.NoError(t, c.Run(context.Background(), engine.Call{Head: i, Batch: oneSequence(5), Out: out}))
	require.NotZero(t, out[9])
	_, err = c.HeadIndex("nope")
	require.ErrorContains(t, err, "there is: kind, tags, topics")
	_, err = engine.NewClassifier(c, "tags")
	require.ErrorContains(t, err, "has one row per token")
}

func TestRunRefusesBadCalls(t *testing.T) {
	c := openFake(t, fakeHooks{})
	ctx := context.Background()
	good := oneSequence(3)
	for name, call := range map[string]engine.Call{
		"is nil":              {},
		"head 3":              {Head: 3, Batch: good},
		"head -1":             {Head: -1, Batch: good},
		"room for 2":          {Batch: good, Out: make([]float32, 2)},
		"vocabulary":          {Batch: &runtime.Batch{IDs: []int32{fakeVocab}, Starts: []int32{0, 1}}, Out: make([]float32, 3)},
		"limit of a sequence": {Batch: oneSequence(65), Out: make([]float32, 3)},
	} {
		err := c.Run(ctx, call)
		require.ErrorIs(t, err, runtime.ErrInput, name)
		require.ErrorContains(t, err, name)
	}
	//lint:ignore SA1012 a nil context must be an error, not a crash
	require.ErrorIs(t, c.Run(nil, engine.Call{Batch: good, Out: make([]float32, 3)}), runtime.ErrInput)
}

func TestConcurrentRuns(t *testing.T) {
	c := openFake(t, fakeHooks{}, runtime.Threads(2), runtime.Concurrency(3))
	want, err := runKind(context.Background(), c, oneSequence(40))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got, err := runKind(context.Background(), c, oneSequence(40))
				if err != nil || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
					t.Error(got, err)
				}
			}
		})
	}
	wg.Wait()
	r, err := c.Report()
	require.NoError(t, err)
	require.Equal(t, 3, r.Concurrency)
	require.Positive(t, r.ArenaBytes)
	require.LessOrEqual(t, r.ArenaBytes, r.ArenaLimit)
}

// TestSharedPool runs two models on the same workers.
func TestSharedPool(t *testing.T) {
	p, err := pool.New(2)
	require.NoError(t, err)
	defer p.Close()
	a, b := openFake(t, fakeHooks{}, runtime.SharePool(p)), openFake(t, fakeHooks{}, runtime.SharePool(p), runtime.Threads(2))
	var wg sync.WaitGroup
	for _, c := range []*engine.Core{a, b} {
		wg.Go(func() {
			for range 100 {
				if _, err := runKind(context.Background(), c, oneSequence(30)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, a.Close())
	_, err = runKind(context.Background(), b, oneSequence(30))
	require.NoError(t, err, "closing one model leaves the pool to the other")
	_, err = engine.Open(fakeProgram(fakeHooks{}), packFake(t, fakeMeta(), true), runtime.SharePool(p), runtime.Threads(3))
	require.ErrorContains(t, err, "contradict")
}

func TestCancelBetweenLayers(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var layers atomic.Int32
	armed := atomic.Bool{}
	c := openFake(t, fakeHooks{layer: func(_ *engine.Exec, l int) {
		if armed.Load() {
			layers.Add(1)
			if l == 1 {
				cancel()
			}
		}
	}})
	armed.Store(true)
	_, err := runKind(ctx, c, oneSequence(8))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "before layer 1")
	require.EqualValues(t, 2, layers.Load())
	_, err = runKind(ctx, c, oneSequence(8))
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 2, layers.Load(), "a dead context starts nothing")
	armed.Store(false)
	_, err = runKind(context.Background(), c, oneSequence(8))
	require.NoError(t, err, "the execution is usable again")
}

// blocker is a hook that lets a test hold a call in layer 1.
type blocker struct {
	armed            atomic.Bool
	entered, release chan struct{}
}

func newBlocker() *blocker {
	return &blocker{entered: make(chan struct{}, 8), release: make(chan struct{})}
}

func (b *blocker) hook(_ *engine.Exec, l int) {
	if b.armed.Load() && l == 1 {
		b.entered <- struct{}{}
		<-b.release
	}
}

func TestWaitForExecution(t *testing.T) {
	bl := newBlocker()
	c := openFake(t, fakeHooks{layer: bl.hook}, runtime.Concurrency(1))
	bl.armed.Store(true)
	first := make(chan error, 1)
	go func() { _, err := runKind(context.Background(), c, oneSequence(8)); first <- err }()
	<-bl.entered
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := runKind(ctx, c, oneSequence(8))
	require.ErrorIs(t, err, context.DeadlineExceeded, "waiting for the only execution ends with the context")
	close(bl.release)
	require.NoError(t, <-first)
}

func TestCloseWhileRunning(t *testing.T) {
	before := goruntime.NumGoroutine()
	bl := newBlocker()
	c, err := engine.Open(fakeProgram(fakeHooks{layer: bl.hook}), packFake(t, fakeMeta(), true), runtime.Concurrency(1), runtime.Threads(2))
	require.NoError(t, err)
	bl.armed.Store(true)
	results := make(chan error, 2)
	call := func() { _, err := runKind(context.Background(), c, oneSequence(8)); results <- err }
	go call()
	<-bl.entered
	go call() // this call waits for the execution
	time.Sleep(10 * time.Millisecond)
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	require.ErrorIs(t, <-results, runtime.ErrClosed, "the waiting call ends at once")
	select {
	case <-closed:
		t.Fatal("Close returned while a call was inside")
	case <-time.After(10 * time.Millisecond):
	}
	close(bl.release)
	require.ErrorIs(t, <-results, runtime.ErrClosed, "the running call ends at its next layer")
	require.NoError(t, <-closed)
	require.NoError(t, c.Close())
	_, err = runKind(context.Background(), c, oneSequence(8))
	require.ErrorIs(t, err, runtime.ErrClosed)
	require.ErrorIs(t, c.CheckWeights(), runtime.ErrClosed)
	_, err = c.Report()
	require.ErrorIs(t, err, runtime.ErrClosed)
	for deadline := time.Now().Add(5 * time.Second); goruntime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "goroutines are left over")
	}
}

func TestCloseUnderLoad(t *testing.T) {
	c := openFake(t, fakeHooks{}, runtime.Threads(2), runtime.Concurrency(2))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for {
				if _, err := runKind(context.Background(), c, oneSequence(60)); err != nil {
					if !errors.Is(err, runtime.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, c.Close())
	wg.Wait()
}

func TestPanicsBecomeErrors(t *testing.T) {
	armed := atomic.Int32{}
	c := openFake(t, fakeHooks{
		layer: func(_ *engine.Exec, l int) {
			if armed.Load() == 1 {
				panic("in forward")
			}
		},
		row: func(row int) {
			if armed.Load() == 2 && row == 5 {
				panic("in a task")
			}
		},
	}, runtime.Threads(2))
	for n, text := range []string{1: "in forward", 2: "in a task"} {
		if n == 0 {
			continue
		}
		armed.Store(int32(n))
		_, err := runKind(context.Background(), c, oneSequence(8))
		var p *pool.PanicError
		require.ErrorAs(t, err, &p)
		require.ErrorContains(t, err, text)
		armed.Store(0)
		_, err = runKind(context.Background(), c, oneSequence(8))
		require.NoError(t, err)
	}
	_, err := engine.Open(fakeProgram(fakeHooks{panics: "in bind"}), packFake(t, fakeMeta(), true))
	require.ErrorContains(t, err, "in bind")
}

func TestForcedISA(t *testing.T) {
	open := func(opts ...runtime.Option) (*engine.Core, error) {
		return engine.Open(fakeProgram(fakeHooks{}), packFake(t, fakeMeta(), true), opts...)
	}
	t.Setenv(cpu.EnvISA, "go")
	c, err := open()
	require.NoError(t, err)
	r, err := c.Report()
	require.NoError(t, err)
	require.Equal(t, "go", r.ISA)
	require.Equal(t, []string{"go", "avx2"}, r.Compiled)
	require.NoError(t, c.Close())
	t.Setenv(cpu.EnvISA, "avx512")
	_, err = open()
	require.ErrorContains(t, err, "DEBERTAC_ISA asks for avx512, this package has no kernels for it")
	c, err = open(runtime.UseISA("go"))
	require.NoError(t, err, "the option is stronger")
	require.NoError(t, c.Close())
	_, err = open(runtime.UseISA("mmx"))
	require.ErrorIs(t, err, runtime.ErrInput)
	_, err = open(runtime.UseISA("avx512"))
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "package fake: the option asks for avx512, this package has no kernels for it")
	c, err = open(runtime.UseISA("auto"))
	require.NoError(t, err, "auto forces none, not even the set of the environment")
	require.NoError(t, c.Close())
}

func TestOptionFaults(t *testing.T) {
	path := packFake(t, fakeMeta(), true)
	for want, o := range map[string]runtime.Option{
		"Threads(0)":       runtime.Threads(0),
		"Threads(2000)":    runtime.Threads(2000),
		"Concurrency(0)":   runtime.Concurrency(0),
		"MaxTokens(0)":     runtime.MaxTokens(0),
		"MaxTokens(65)":    runtime.MaxTokens(65),
		"BatchTokens(0)":   runtime.BatchTokens(0),
		"BatchTokens(257)": runtime.BatchTokens(257),
		"Windows(-1)":      runtime.Long(runtime.Windows(-1)),
		"Special(7)":       runtime.Special(7),
	} {
		_, err := engine.Open(fakeProgram(fakeHooks{}), path, o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	for _, s := range []string{"reject", "truncate", "windows:0", "windows:12"} {
		p, err := runtime.ParseLong(s)
		require.NoError(t, err)
		require.Equal(t, s, p.String())
	}
	p, err := runtime.ParseLong("windows")
	require.NoError(t, err)
	require.Equal(t, runtime.Windows(0), p)
	for _, s := range []string{"", "window", "windows:", "windows:-1", "windows:1x", "windows:01", "Truncate"} {
		_, err := runtime.ParseLong(s)
		require.ErrorIs(t, err, runtime.ErrInput, s)
	}
}

func TestSelfTest(t *testing.T) {
	ids := []int32{3, 1, 4, 1, 5, 9, 2, 6}
	var want []float32
	for _, v := range fakeReference(fakeTensors(), ids, nil) {
		want = append(want, float32(v))
	}
	open := func(m func(*engine.SelfTest)) (*engine.Core, error) {
		meta := fakeMeta()
		meta.SelfTest = &engine.SelfTest{Head: "kind", Sequence: engine.Sequence{IDs: ids}, Outputs: append([]float32(nil), want...), Tolerance: 1e-4}
		m(meta.SelfTest)
		return engine.Open(fakeProgram(fakeHooks{}), packFake(t, meta, true))
	}
	c, err := open(func(*engine.SelfTest) {})
	require.NoError(t, err)
	r, err := c.Report()
	require.NoError(t, err)
	require.True(t, r.SelfTest.Ran && r.SelfTest.Recorded)
	require.Less(t, r.SelfTest.Error, 1e-5)
	require.InDelta(t, want[0], r.SelfTest.Score, 1e-4)
	require.NoError(t, c.Close())
	for text, m := range map[string]func(*engine.SelfTest){
		"differs from the recorded one": func(s *engine.SelfTest) { s.Outputs[1] += 0.01 },
		"outputs are recorded":          func(s *engine.SelfTest) { s.Outputs = s.Outputs[1:] },
		"no head":                       func(s *engine.SelfTest) { s.Head = "other" },
		"outside the vocabulary":        func(s *engine.SelfTest) { s.IDs = []int32{fakeVocab} },
	} {
		_, err := open(m)
		require.ErrorContains(t, err, text)
		require.ErrorContains(t, err, "self-test failed")
	}
}

func ptr(b []byte, i int) unsafe.Pointer { return unsafe.Pointer(&b[i]) }

// TestSelfTestFindsNaN checks that the self-test finds damaged values that no header shows.
func TestSelfTestFindsNaN(t *testing.T) {
	data := packFakeBytes(t, fakeMeta())
	w, err := engine.WeightsFromBytes("x", data, fakeWant())
	require.NoError(t, err)
	head := w.F32("head") // aligned Go memory is used in place; otherwise a copy is made
	inPlace := &head[0]
	nan := math.Float32bits(float32(math.NaN()))
	for i := 0; i+4 <= len(data); i += 4 { // find the head's first value and overwrite it
		if *(*uint32)(ptr(data, i)) == math.Float32bits(*inPlace) {
			*(*uint32)(ptr(data, i)) = nan
			break
		}
	}
	require.NoError(t, w.Close())
	_, err = engine.OpenBytes(fakeProgram(fakeHooks{}), "spoilt", data)
	require.ErrorContains(t, err, "output 0 is NaN")
	c, err := engine.OpenBytes(fakeProgram(fakeHooks{}), "spoilt", data, runtime.SkipSelfTest())
	require.NoError(t, err)
	require.ErrorContains(t, c.CheckWeights(), `tensor "head"`)
	require.NoError(t, c.Close())
}

func TestTrace(t *testing.T) {
	var names []string
	hook := func(name string, shape []int, data []float32) {
		names = append(names, name)
		n := 1
		for _, d := range shape {
			n *= d
		}
		require.Len(t, data, n)
	}
	c := openFake(t, fakeHooks{}, runtime.Trace(hook))
	_, err := runKind(context.Background(), c, oneSequence(6))
	require.NoError(t, err)
	require.Equal(t, []string{"layer 0", "layer 1", "logits"}, names)
	own := 0
	require.NoError(t, c.Run(context.Background(), engine.Call{Batch: oneSequence(2), Out: make([]float32, 3),
		Trace: func(string, []int, []float32) { own++ }}))
	require.Equal(t, 3, own)
	require.Len(t, names, 3)
}

func TestRunAllocatesNothing(t *testing.T) {
	c := openFake(t, fakeHooks{}, runtime.Threads(2))
	b, out := oneSequence(40), make([]float32, fakeLabels)
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = c.Run(ctx, engine.Call{Batch: b, Out: out}) }))
}

func BenchmarkRun(b *testing.B) {
	c := openFake(b, fakeHooks{}, runtime.Threads(2))
	batch, out := oneSequence(40), make([]float32, fakeLabels)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Run(ctx, engine.Call{Batch: batch, Out: out}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRunOverhead measures what the core adds to a forward pass of one token.
func BenchmarkRunOverhead(b *testing.B) {
	c := openFake(b, fakeHooks{}, runtime.Threads(1))
	batch, out := oneSequence(1), make([]float32, fakeLabels)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Run(ctx, engine.Call{Batch: batch, Out: out})
	}
}

func BenchmarkOpen(b *testing.B) {
	path := packFake(b, fakeMeta(), true)
	for b.Loop() {
		c, err := engine.Open(fakeProgram(fakeHooks{}), path, runtime.Threads(2))
		if err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
	}
}

// TestSteps checks that a call with Steps receives one duration for each step of the schedule, the same number in every call, and the same
// results.
func TestSteps(t *testing.T) {
	c := openFake(t, fakeHooks{})
	b := oneSequence(9)
	want, got := make([]float32, fakeLabels), make([]float32, fakeLabels)
	require.NoError(t, c.Run(t.Context(), engine.Call{Batch: b, Out: want}))
	steps := []time.Duration{5, 6, 7, 8, 9} // left there by an earlier call
	for range 3 {
		require.NoError(t, c.Run(t.Context(), engine.Call{Batch: b, Out: got, Steps: &steps}))
		require.Len(t, steps, 1+fakeLayers+1, "the embedding, the layers, the head")
	}
	require.Equal(t, want, got)
	for i, d := range steps {
		require.Positive(t, d, "step %d", i)
	}
}
