package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
)

// numbers holds the exported calls that take a number, each as a function of it. Each either returns a result or an ErrInput
// that names the call or its setting.
func numbers(t *testing.T) map[string]func(n int) error {
	long, path := strings.Repeat("a b c ", 20), packFake(t, fakeMeta(), true)
	core := openFake(t, fakeHooks{})
	opened := func(opts ...runtime.Option) error {
		for _, o := range opts {
			if err := o(&runtime.Options{}); err != nil {
				return err
			}
		}
		c, err := engine.Open(fakeProgram(fakeHooks{}), path, append(opts, runtime.SkipSelfTest())...)
		if err != nil {
			return err
		}
		defer c.Close()
		k, err := engine.NewClassifier(c, "")
		if err == nil {
			_, err = k.Classify(t.Context(), []string{"a", long})
		}
		return err
	}
	return map[string]func(n int) error{
		"Threads": func(n int) error { return opened(runtime.Threads(n), runtime.Long(runtime.Truncate)) },
		"Concurrency": func(n int) error {
			return opened(runtime.Concurrency(n), runtime.Threads(1), runtime.Long(runtime.Truncate))
		},
		"MaxTokens":   func(n int) error { return opened(runtime.MaxTokens(n), runtime.Long(runtime.Truncate)) },
		"BatchTokens": func(n int) error { return opened(runtime.BatchTokens(n), runtime.Long(runtime.Truncate)) },
		"Windows":     func(n int) error { return opened(runtime.Long(runtime.Windows(n)), runtime.MaxTokens(12)) },
		"NewBatcher": func(n int) error {
			_, err := engine.NewBatcher(core, n, false, nil)
			return err
		},
		"HeadLabels": func(n int) error {
			_, err := core.HeadLabels(n)
			return err
		},
		"pool.New": func(n int) error {
			p, err := pool.New(n)
			if err == nil {
				p.Close()
			}
			return err
		},
		"pool.NewPinned": func(n int) error {
			p, err := pool.NewPinned(n)
			if err == nil {
				p.Close()
			}
			return err
		},
	}
}

// elsewhere holds the other calls that take a number. Either their own tests check the bounds (NewPast, Truncate), or generated
// code and tasks call them with numbers that the compiler or a batcher made.
var elsewhere = []string{"NewPast", "Truncate", "Encode", "Add", "Cut", "Row", "NewArena", "Grow", "F32", "I32",
	"PairsOf", "CutRows", "Part", "Run", "RunIf", "TraceRows", "Kept", "KeepRows", "Holes", "At", "TextFault", "LongFault", "NotEncoded", "NoNumbers",
	"CheckNumbers"}

func TestNumbers(t *testing.T) {
	names := map[string]string{"Windows": "windows", "pool.New": "a pool of", "pool.NewPinned": "a pool of", "NewBatcher": "head ", "HeadLabels": "head "}
	for call, f := range numbers(t) {
		right := 0
		for _, n := range []int{math.MinInt, math.MinInt32, -1, 0, 1, 2, 3, math.MaxInt32, math.MaxInt - 1, math.MaxInt} {
			err := f(n)
			if err == nil {
				right++
				continue
			}
			name := names[call]
			if name == "" {
				name = strings.ToLower(call)
			}
			require.ErrorIs(t, err, runtime.ErrInput, "%s(%d)", call, n)
			message := strings.ToLower(err.Error())
			require.True(t, strings.Contains(message, name) ||
				call == "MaxTokens" && n == 1 && strings.Contains(message, "the limit of 1 tokens"), "%s(%d): %v", call, n, err)
		}
		require.NotZero(t, right, call)
	}
	// Weights at an offset in a file: only some numbers are valid offsets.
	path := packFake(t, fakeMeta(), true)
	for _, n := range []int64{math.MinInt64, -1, 1, 4097, math.MaxInt64 - 1, math.MaxInt64} {
		for _, at := range [][2]int64{{n, 4096}, {0, max(n, 0)}, {n, n}} { // a negative size stands for the rest of the file
			_, err := engine.OpenAt(fakeProgram(fakeHooks{}), path, at[0], at[1])
			require.Error(t, err, at)
		}
	}
	// A batcher's own settings.
	c := openFake(t, fakeHooks{})
	b, err := engine.NewBatcher(c, 0, false, nil)
	require.NoError(t, err)
	b.Long = runtime.Windows(-1)
	require.ErrorContains(t, b.Begin(t.Context(), false), "Windows(-1): the stride must not be negative")
	b.Long = runtime.Reject
	for _, n := range []int{math.MinInt, -1, 0, math.MaxInt} {
		b.MaxTokens = n
		err := b.Begin(t.Context(), false)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, "MaxTokens is ")
	}
}

// TestNumbersAreAll checks that no exported call with a number is missing above, in this package, in runtime and in pool.
func TestNumbersAreAll(t *testing.T) {
	known := map[string]bool{}
	for call := range numbers(t) {
		known[call] = true
	}
	known["OpenAt"], known["OpenWeightsAt"] = true, true
	for _, call := range elsewhere {
		known[call] = true
	}
	prefix := ""
	look := func(n ast.Node) bool {
		d, ok := n.(*ast.FuncDecl)
		if !ok {
			return true
		}
		if d.Recv != nil {
			of := d.Recv.List[0].Type
			if star, ok := of.(*ast.StarExpr); ok {
				of = star.X
			}
			if id, ok := of.(*ast.Ident); !ok || !id.IsExported() {
				return false
			}
		}
		for _, p := range d.Type.Params.List {
			if id, ok := p.Type.(*ast.Ident); ok && d.Name.IsExported() && strings.Contains(" int int32 int64 uint64 float32 float64 ", " "+id.Name+" ") {
				name := d.Name.Name
				if d.Recv == nil {
					name = prefix + name
				}
				require.True(t, known[name], "%s takes a number and is not drawn", name)
			}
		}
		return false
	}
	for folder, of := range map[string]string{".": "", "..": "", "../pool": "pool."} {
		sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, sources)
		prefix = of
		for _, name := range sources {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			require.NoError(t, err)
			ast.Inspect(f, look)
		}
	}
}
