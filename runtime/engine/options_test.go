package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
)

// TestOwnOptions checks that Open holds options that callers write themselves to the ranges of the package's own options.
func TestOwnOptions(t *testing.T) {
	path := packFake(t, fakeMeta(), true)
	p, err := pool.New(2)
	require.NoError(t, err)
	defer p.Close()
	for want, set := range map[string]func(o *runtime.Options){
		"Threads(-1): it must be from 1 to 1024":             func(o *runtime.Options) { o.Threads = -1 },
		"Threads(1025): it must be from 1 to 1024":           func(o *runtime.Options) { o.Threads = 1025 },
		"Concurrency(1000000000): it must be from 1 to 1024": func(o *runtime.Options) { o.Concurrency = 1e9 },
		"Concurrency(-3): it must be from 1 to 1024":         func(o *runtime.Options) { o.Concurrency = -3 },
		"MaxTokens(-1): it must be at least 1":               func(o *runtime.Options) { o.MaxTokens = -1 },
		"MaxTokens(65): the spec's seq allows 64":            func(o *runtime.Options) { o.MaxTokens = 65 },
		"BatchTokens(-3): it must be at least 1":             func(o *runtime.Options) { o.BatchTokens = -3 },
		"BatchTokens(257): the spec allows 256":              func(o *runtime.Options) { o.BatchTokens = 257 },
		"Windows(-2): the stride must not be negative":       func(o *runtime.Options) { o.Long = -2 },
		"JoinWindows(7): unknown value":                      func(o *runtime.Options) { o.Join = 7 },
		"Special(7): unknown value":                          func(o *runtime.Options) { o.Special = 7 },
		`UseISA: unknown instruction set "x"`:                func(o *runtime.Options) { o.ISA = "x" },
		"PinThreads and SharePool contradict":                func(o *runtime.Options) { o.Pin, o.Pool = true, p },
		"Threads(3) and a shared pool of 2":                  func(o *runtime.Options) { o.Threads, o.Pool = 3, p },
	} {
		own := func(o *runtime.Options) error { set(o); return nil }
		for _, opts := range [][]runtime.Option{{own}, {own, runtime.SkipSelfTest()}, {runtime.SkipSelfTest(), own}} {
			_, err := engine.Open(fakeProgram(fakeHooks{}), path, opts...)
			require.ErrorIs(t, err, runtime.ErrInput, want)
			require.ErrorContains(t, err, want)
		}
	}
	c, err := engine.Open(fakeProgram(fakeHooks{}), path, func(o *runtime.Options) error { o.Concurrency, o.Threads = 2, 1; return nil })
	require.NoError(t, err)
	require.Equal(t, 2, c.Options().Concurrency)
	require.NoError(t, c.Close())
}

// TestNil checks that nil in place of a program, a model, an option or a function is an error that names it.
func TestNil(t *testing.T) {
	path, p := packFake(t, fakeMeta(), true), fakeProgram(fakeHooks{})
	wrong := func(want string, err error) {
		t.Helper()
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	_, err := engine.Open(nil, path)
	wrong("the program is nil", err)
	_, err = engine.OpenAt(nil, path, 0, -1)
	wrong("the program is nil", err)
	_, err = engine.OpenBytes(nil, "x", nil)
	wrong("the program is nil", err)
	_, err = engine.Open(p, path, runtime.Threads(1), nil)
	wrong("option 2 of 2 is nil", err)
	_, err = engine.NewClassifier(nil, "")
	wrong("the model is nil", err)
	_, err = engine.NewBatcher(nil, 0, false, nil)
	wrong("the model is nil", err)

	b, err := engine.NewBatcher(openFake(t, fakeHooks{}), 0, false, nil)
	require.NoError(t, err, "a batcher that only makes sequences")
	require.NoError(t, b.Begin(t.Context(), false))
	var e engine.Encoded
	require.NoError(t, b.Encode(&e, 0, runtime.Text{First: "abc"}))
	_, err = b.Add(t.Context(), 0, &e)
	wrong("nil for take", err)

	// A nil value of an option that holds one stands for the default.
	c, err := engine.Open(p, path, runtime.SharePool(nil), runtime.UseTokenizer(nil), runtime.Trace(nil))
	require.NoError(t, err)
	require.Equal(t, letters{}, c.Tokenizer())
	require.NoError(t, c.Close())
}

// TestSharedPoolRefused checks the options that a shared pool contradicts, in both orders, and a pool that is closed.
func TestSharedPoolRefused(t *testing.T) {
	path := packFake(t, fakeMeta(), true)
	p, err := pool.New(2)
	require.NoError(t, err)
	for _, opts := range [][]runtime.Option{
		{runtime.SharePool(p), runtime.PinThreads()}, {runtime.PinThreads(), runtime.SharePool(p)},
		{runtime.SharePool(p), runtime.Threads(1)}, {runtime.Threads(1), runtime.SharePool(p)},
	} {
		_, err := engine.Open(fakeProgram(fakeHooks{}), path, opts...)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, "contradict")
	}
	require.False(t, p.Closed())
	p.Close()
	require.True(t, p.Closed())
	_, err = engine.Open(fakeProgram(fakeHooks{}), path, runtime.SharePool(p))
	require.ErrorIs(t, err, runtime.ErrClosed)
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "SharePool: the pool is closed")
}

// TestOptionsInForce checks that Core.Options has a value for every setting with a default.
func TestOptionsInForce(t *testing.T) {
	c := openFake(t, fakeHooks{})
	o := c.Options()
	r, err := c.Report()
	require.NoError(t, err)
	require.Equal(t, r.ISA, o.ISA)
	require.Equal(t, c.Tokenizer(), o.Tokenizer)
	require.NotNil(t, o.Pool)
	require.Equal(t, r.Threads, o.Pool.Threads())
	require.Equal(t, r.Threads, o.Threads)
	require.Equal(t, r.Concurrency, o.Concurrency)
	require.Equal(t, 32, o.MaxTokens)
	require.Equal(t, 256, o.BatchTokens)
	require.NoError(t, o.Check())

	p, err := pool.New(3)
	require.NoError(t, err)
	defer p.Close()
	o = openFake(t, fakeHooks{}, runtime.SharePool(p), runtime.UseISA("go"), runtime.UseTokenizer(shouting{})).Options()
	require.Same(t, p, o.Pool)
	require.Equal(t, 3, o.Threads)
	require.Equal(t, cpu.ISAGo.String(), o.ISA)
	require.Equal(t, shouting{}, o.Tokenizer)
}

// TestRoom checks that Open refuses settings that no text, or no long text, could be read with, and that every other setting of the grid reads one.
func TestRoom(t *testing.T) {
	path, long := packFake(t, fakeMeta(), true), []string{strings.Repeat("a", 40)}
	policies := []runtime.LongPolicy{runtime.Reject, runtime.Truncate, runtime.Windows(0), runtime.Windows(1), runtime.Windows(4), runtime.Windows(9)}
	for limit := 1; limit <= 8; limit++ {
		for _, policy := range policies {
			c, err := engine.Open(fakeProgram(fakeHooks{}), path, runtime.MaxTokens(limit), runtime.Long(policy))
			var bad *engine.SettingError
			if errors.As(err, &bad) {
				require.ErrorIs(t, err, runtime.ErrInput)
				if least := 3; bad.Option == "MaxTokens" {
					if policy == runtime.Truncate {
						least = 2 // special tokens alone
					}
					require.Less(t, limit, least)
					require.EqualError(t, err, fmt.Sprintf("MaxTokens(%d): 2 special tokens stand around each text, which leave no room for it: "+
						"choose at least %d", limit, least))
				} else {
					require.GreaterOrEqual(t, policy.Stride(), limit-2)
					require.EqualError(t, err, fmt.Sprintf("Windows(%d): the model sees %d tokens at once, 2 of them special, so windows of a text "+
						"cannot overlap by %[1]d: choose a smaller stride, at most %[3]d", policy.Stride(), limit, limit-3))
				}
				continue
			}
			require.NoError(t, err)
			k, err := engine.NewClassifier(c, "")
			require.NoError(t, err)
			if _, err = k.Classify(t.Context(), long); policy == runtime.Reject {
				require.ErrorIs(t, err, runtime.ErrTooLong)
				_, err = k.Classify(t.Context(), []string{"a"})
			}
			require.NoError(t, err, "%d tokens, %v", limit, policy)
			require.NoError(t, c.Close())
		}
	}
	_, err := engine.Open(fakeProgram(fakeHooks{}), path, runtime.Long(runtime.Windows(30)))
	require.ErrorContains(t, err, "Windows(30): the model sees 32 tokens at once", "the limit of the weights counts")
	for _, opts := range [][]runtime.Option{{runtime.MaxTokens(1)}, {runtime.Long(runtime.Windows(99))}} {
		c, err := engine.Open(fakeProgram(fakeHooks{}), packFake(t, fakeMeta(), false), opts...)
		require.NoError(t, err, "token ids have no special tokens and are not cut")
		require.NoError(t, c.Close())
	}
}
