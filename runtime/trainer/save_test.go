package trainer_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/trainer"
)

// saved trains for a step and returns the path of a checkpoint.
func saved(t *testing.T, p *trainer.Program) string {
	t.Helper()
	tr := begin(t, p)
	_, err := tr.Step(t.Context(), tokens([]int32{3}))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	require.NoError(t, tr.Save(path))
	return path
}

// changed writes a copy of a file with another header, and returns its path.
func changed(t *testing.T, path string, change func(metadata map[string]any, data []byte)) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	n := binary.LittleEndian.Uint64(raw)
	var header map[string]any
	require.NoError(t, json.Unmarshal(raw[8:8+n], &header))
	data := bytes.Clone(raw[8+n:])
	change(header["__metadata__"].(map[string]any), data)
	head, err := json.Marshal(header)
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "changed.safetensors")
	require.NoError(t, os.WriteFile(out, append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), data...), 0o600))
	return out
}

// TestDamagedCheckpoint checks that a checkpoint which differs from what was saved is refused, and that the trainer stays as it is.
func TestDamagedCheckpoint(t *testing.T) {
	p := slope(false)
	path := saved(t, p)
	tr := begin(t, p)
	at := value(t, tr)
	refused := func(path, want string) {
		t.Helper()
		err := tr.Resume(path)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
		require.Equal(t, at, value(t, tr))
	}
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	for bit := range 8 * 8 { // the numbers of w and slow.w
		damaged := changed(t, path, func(_ map[string]any, data []byte) { data[bit/8] ^= 1 << (bit % 8) })
		refused(damaged, "do not have their checksum")
	}
	refused(changed(t, path, func(m map[string]any, _ []byte) { delete(m, "debertac.crc32c") }), "it holds no checksum of")
	refused(changed(t, path, func(m map[string]any, _ []byte) { m["debertac.crc32c"] = `{"w":1}` }), "it holds no checksum of slow.w")
	refused(changed(t, path, func(m map[string]any, _ []byte) { m["debertac.crc32c"] = "{" }), "cannot be read")
	for _, step := range []string{"-1", "x", "", "9007199254740993", "9223372036854775807", "99999999999999999999"} {
		refused(changed(t, path, func(m map[string]any, _ []byte) { m["debertac.step"] = step }), fmt.Sprintf("the number of the step is %q", step))
	}
	refused(changed(t, path, func(m map[string]any, _ []byte) { m["debertac.seed"] = "-1" }), `the seed is "-1"`)
	for n := range len(raw) {
		cut := filepath.Join(t.TempDir(), "cut")
		require.NoError(t, os.WriteFile(cut, raw[:n], 0o600))
		require.Error(t, tr.Resume(cut))
		require.Equal(t, at, value(t, tr))
	}
	require.NoError(t, tr.Resume(path))
	require.NotEqual(t, at, value(t, tr))
}

// TestOtherCheckpoint checks that a checkpoint of a training which keeps more, less or other numbers is refused.
func TestOtherCheckpoint(t *testing.T) {
	with, without, other, kind := slope(false), slope(false), slope(false), slope(false)
	without.States, without.Optimizers[0].Every = nil, 0
	other.SpecHash = "other"
	kind.Optimizers[0].Kind = "lamb"
	for _, c := range []struct {
		of, by *trainer.Program
		want   string
	}{
		{with, without, "it holds slow.w, which the package slope does not keep"},
		{without, with, "it lacks slow.w"},
		{other, with, "a checkpoint of another model"},
		{kind, with, "with the optimizer lamb"},
	} {
		err := begin(t, c.by).Resume(saved(t, c.of))
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, c.want)
	}
}

// weights writes a file of weights with one number.
func weights(t *testing.T, w float32) string {
	t.Helper()
	var b bytes.Buffer
	out, err := safetensors.NewWriter(&b, nil, []safetensors.Tensor{{Name: "w", DType: safetensors.F32, Shape: []int{1}}})
	require.NoError(t, err)
	require.NoError(t, out.WriteFloats("w", []float32{w}))
	require.NoError(t, out.Close())
	path := filepath.Join(t.TempDir(), "weights")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

// TestWeightsNotFinite checks that weights which are no numbers are refused by their name.
func TestWeightsNotFinite(t *testing.T) {
	for _, w := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := trainer.Open(slope(false), weights(t, float32(w)))
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, fmt.Sprintf("number 0 of w is %v: it must be finite", w))
	}
}

// TestTargetsNotFinite checks that targets which are no numbers are refused by their place.
func TestTargetsNotFinite(t *testing.T) {
	p := slope(false)
	p.Targets[0].Floats, p.Targets[0].Check = true, trainer.Finite
	tr := begin(t, p)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		b := tokens([]int32{1, 2})
		b.Integers, b.Floats = nil, map[string][]float32{"target": {1, float32(v)}}
		_, err := tr.Step(t.Context(), b)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, fmt.Sprintf("target[1] is %v: it must be a finite number", v))
	}
}

// faulty runs f again and again, until no operation on files is left that can fail. Run k of it fails at the k-th operation.
func faulty(t *testing.T, f func(fault error) (done bool)) {
	t.Helper()
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, &disk.Short{Err: syscall.ENOSPC}} {
		for k := 0; ; k++ {
			n := 0
			restore := disk.Inject(func(disk.Op, string) error {
				if n++; n-1 == k {
					return fault
				}
				return nil
			})
			done := f(fault)
			restore()
			if n <= k { // nothing has failed
				require.True(t, done)
				require.Greater(t, k, 2)
				break
			}
		}
	}
}

// TestSaveFaults checks that a file is a whole checkpoint, the old one or the new one, whatever fails while it is written, and that the training goes on.
func TestSaveFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	tr := begin(t, slope(false))
	require.NoError(t, tr.Save(path))
	old := value(t, tr)
	for range 2 {
		_, err := tr.Step(t.Context(), tokens([]int32{3}))
		require.NoError(t, err)
	}
	now := value(t, tr)
	require.NotEqual(t, old, now)
	faulty(t, func(fault error) bool {
		err := tr.Save(path)
		require.Equal(t, now, value(t, tr))
		restore := disk.Inject(func(disk.Op, string) error { return nil })
		defer restore()
		other := begin(t, slope(false))
		require.NoError(t, other.Resume(path))
		if err == nil {
			require.Equal(t, now, value(t, other))
			return true
		}
		require.ErrorIs(t, err, errno(fault))
		require.Contains(t, []float64{old, now}, value(t, other))
		files, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, files, 1)
		return false
	})
	r, err := tr.Step(t.Context(), tokens([]int32{3}))
	require.NoError(t, err)
	require.Equal(t, 2, r.Step)
}

// errno returns the error that a fault stands for.
func errno(fault error) error {
	if s := (*disk.Short)(nil); errors.As(fault, &s) {
		return s.Err
	}
	return fault
}

// TestResumeFaults checks that a trainer stays as it is if a checkpoint cannot be read.
func TestResumeFaults(t *testing.T) {
	path := saved(t, slope(false))
	tr := begin(t, slope(false))
	at := value(t, tr)
	faulty(t, func(error) bool {
		if tr.Resume(path) == nil {
			require.NotEqual(t, at, value(t, tr))
			tr = begin(t, slope(false))
			return true
		}
		require.Equal(t, at, value(t, tr))
		return false
	})
}

// TestBrokenUpdate checks that a trainer whose update was not completed refuses steps and checkpoints, until it resumes.
func TestBrokenUpdate(t *testing.T) {
	for _, stage := range []string{"apply", "lookahead"} {
		p := slope(false)
		p.Optimizers[0].Every = 1
		path := saved(t, p)
		fail := true
		bind := p.Bind
		p.Bind = func(x *trainer.Exec, isa cpu.ISA) ([]trainer.Step, error) {
			s, err := bind(x, isa)
			part := map[string]*func() error{"apply": &s[0].Apply, "lookahead": &s[0].Lookahead}[stage]
			run := *part
			*part = func() error {
				if err := run(); fail || err != nil {
					panic("half done")
				}
				return nil
			}
			return s, err
		}
		tr := begin(t, p)
		_, err := tr.Step(t.Context(), tokens([]int32{3}))
		require.ErrorContains(t, err, "the update of step 0 was not completed")
		fail = false
		_, err = tr.Step(t.Context(), tokens([]int32{3}))
		require.ErrorContains(t, err, "the update of step 0 was not completed")
		for _, save := range []func(string) error{tr.Save, tr.SaveModel} {
			file := filepath.Join(t.TempDir(), "x")
			require.ErrorContains(t, save(file), "resume from a checkpoint")
			require.NoFileExists(t, file)
		}
		require.NoError(t, tr.Resume(path))
		r, err := tr.Step(t.Context(), tokens([]int32{3}))
		require.NoError(t, err)
		require.Equal(t, 1, r.Step)
	}
}

// TestConcurrentCalls calls everything at once, for the race detector.
func TestConcurrentCalls(t *testing.T) {
	path := saved(t, slope(false))
	tr := begin(t, slope(false))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				if _, err := tr.Step(t.Context(), tokens([]int32{1})); err != nil {
					t.Error(err)
				}
				if err := tr.Resume(path); err != nil {
					t.Error(err)
				}
				if o := tr.Options(); o.Threads != 1 {
					t.Error(o)
				}
			}
		})
	}
	all.Wait()
}
