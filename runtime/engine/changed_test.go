package engine_test

import (
	"context"
	"errors"
	"os"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// TestShrunkFile checks that a weight file that is cut while the model is open makes calls fail and does not end the program.
func TestShrunkFile(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("elsewhere the file is read, or cannot be cut while it is mapped")
	}
	path := packFake(t, fakeMeta(), true)
	for _, threads := range []int{1, 2} {
		path := path
		c, err := engine.Open(fakeProgram(fakeHooks{}), path, runtime.Threads(threads))
		require.NoError(t, err)
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		copied, err := engine.Open(fakeProgram(fakeHooks{}), path, runtime.CopyWeights())
		require.NoError(t, err)
		require.NoError(t, os.Truncate(path, 0))
		changed := func(err error) {
			t.Helper()
			var w *runtime.WeightsError
			require.ErrorAs(t, err, &w)
			require.ErrorIs(t, err, runtime.ErrChanged)
			require.ErrorContains(t, err, path+": ")
			require.ErrorContains(t, err, "the file of weights changed or became shorter while it was open")
			var p *pool.PanicError
			require.False(t, errors.As(err, &p), "the program is not at fault")
		}
		_, err = runKind(context.Background(), c, oneSequence(20))
		changed(err)
		_, err = c.Tensor("head")
		changed(err)
		changed(c.CheckWeights())
		require.NoError(t, c.Close())
		_, err = runKind(context.Background(), copied, oneSequence(20))
		require.NoError(t, err, "copied weights do not need the file")
		require.NoError(t, copied.CheckWeights())
		require.NoError(t, copied.Close())
		// When the same file is whole again, calls succeed again: the error leaves no state.
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		again, err := engine.Open(fakeProgram(fakeHooks{}), path, runtime.Threads(threads))
		require.NoError(t, err)
		require.NoError(t, os.Truncate(path, 0))
		_, err = again.Tensor("head")
		changed(err)
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		v, err := again.Tensor("head")
		require.NoError(t, err)
		require.Equal(t, fakeTensors()["head"], v)
		_, err = runKind(context.Background(), again, oneSequence(20))
		require.NoError(t, err)
		require.NoError(t, again.Close())
	}
}

// TestShrinksWhileOpening checks that a file that is cut while Open reads the mapping is an error, at whatever moment. Bind is one
// such moment: the tokenizer, the forward pass of the self-test and its recorded outputs are read after it.
func TestShrinksWhileOpening(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("elsewhere the file is read, or cannot be cut while it is mapped")
	}
	path := packFake(t, fakeMeta(), true)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, cut := range map[string]func(*engine.Program){
		"tokenizer": func(p *engine.Program) {
			make := p.Tokenizer
			p.Tokenizer = func(kind string, data []byte) (tokenizer.Tokenizer, error) {
				require.NoError(t, os.Truncate(path, 0))
				return make(kind, data) // the tokenizer's copy
			}
		},
		"bind": func(p *engine.Program) {
			bind := p.Bind
			p.Bind = func(w *engine.Weights, isa cpu.ISA) (engine.NewForward, error) {
				require.NoError(t, os.Truncate(path, 0))
				_ = w.F32("embed")[0]
				return bind(w, isa)
			}
		},
		"forward": func(p *engine.Program) {
			bind := p.Bind
			p.Bind = func(w *engine.Weights, isa cpu.ISA) (engine.NewForward, error) {
				f, err := bind(w, isa)
				require.NoError(t, os.Truncate(path, 0))
				return f, err
			}
		},
	} {
		p := fakeProgram(fakeHooks{})
		cut(p)
		_, err := engine.Open(p, path)
		require.ErrorIs(t, err, runtime.ErrChanged, name)
		require.ErrorContains(t, err, "became shorter while it was open", name)
		require.NoError(t, os.WriteFile(path, whole, 0o600))
	}
}

// TestEveryReadOfTheFileFails makes each operation on a weight file fail in turn, from opening it to comparing all hashes. The error names the file, and
// without the failure the same calls succeed. A file that cannot be mapped is read instead.
func TestEveryReadOfTheFileFails(t *testing.T) {
	path := packFake(t, fakeMeta(), true)
	use := func() error {
		c, err := engine.Open(fakeProgram(fakeHooks{}), path, runtime.Threads(1))
		if err != nil {
			return err
		}
		_, tensor := c.Tensor("head")
		_, result := runKind(context.Background(), c, oneSequence(20))
		return errors.Join(tensor, result, c.CheckWeights(), c.Close())
	}
	type moment struct {
		op disk.Op
		n  int
	}
	// try makes one operation fail and lists all operations.
	try := func(at moment) ([]moment, error) {
		count := map[disk.Op]int{}
		var seen []moment
		defer disk.Inject(func(op disk.Op, p string) error {
			m := moment{op, count[op]}
			count[op]++
			seen = append(seen, m)
			if m == at {
				return errDisk
			}
			return nil
		})()
		err := use()
		return seen, err
	}
	seen, err := try(moment{n: -1})
	require.NoError(t, err)
	kinds := map[disk.Op]int{}
	for _, m := range seen {
		kinds[m.op]++
		_, err := try(m)
		if m.op == disk.OpMap {
			require.NoError(t, err, "what cannot be mapped is read")
		} else {
			require.ErrorContains(t, err, path, "%v", m)
			require.True(t, errors.Is(err, errDisk) || errors.Is(err, runtime.ErrChanged), "%v: %v", m, err)
			var p *pool.PanicError
			require.False(t, errors.As(err, &p), "%v: %v", m, err)
		}
		_, err = try(moment{n: -1})
		require.NoError(t, err, "after %v", m)
	}
	require.Equal(t, 1, kinds[disk.OpMap])
	require.Greater(t, kinds[disk.OpRead], len(fakeTensors()), "each tensor is read for its hash")
}

var errDisk = errors.New("the disk fails")
