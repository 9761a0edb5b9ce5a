package engine_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
)

// TestFlippedWeights flips single bits of a packed file's tensors, including padding and tokenizer. With VerifyWeights, Open refuses every
// such file and names the tensor, however the file is opened. Without it, only flips in integers are certain to be found.
func TestFlippedWeights(t *testing.T) {
	good := packFakeBytes(t, fakeMeta())
	head := 8 + int(binary.LittleEndian.Uint64(good))
	f, err := safetensors.OpenBytes("fake", good)
	require.NoError(t, err)
	owner := func(at int) safetensors.Info {
		for _, name := range f.Names() {
			info, err := f.Info(name)
			require.NoError(t, err)
			if int64(at-head) >= info.Offset && int64(at-head) < info.Offset+info.Size {
				return info
			}
		}
		t.Fatal("no tensor there")
		return safetensors.Info{}
	}
	r := rand.New(rand.NewPCG(10, 4))
	path := filepath.Join(t.TempDir(), "flipped")
	opened := 0
	flips := 600
	if testing.Short() {
		flips = 60
	}
	for range flips {
		at, bit := head+r.IntN(len(good)-head), byte(1)<<r.IntN(8)
		bad := slices.Clone(good)
		bad[at] ^= bit
		info := owner(at)
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		p := fakeProgram(fakeHooks{})
		for name, open := range map[string]func(...runtime.Option) (*engine.Core, error){
			"map": func(o ...runtime.Option) (*engine.Core, error) { return engine.Open(p, path, o...) },
			"copy": func(o ...runtime.Option) (*engine.Core, error) {
				return engine.Open(p, path, append(o, runtime.CopyWeights())...)
			},
			"bytes": func(o ...runtime.Option) (*engine.Core, error) { return engine.OpenBytes(p, "flipped", bad, o...) },
		} {
			c, err := open(runtime.VerifyWeights(), runtime.SkipSelfTest(), runtime.Threads(2))
			require.ErrorContains(t, err, fmt.Sprintf("tensor %q: its values are not those that were packed", info.Name), "%s: byte %d, bit %#x", name, at, bit)
			require.Nil(t, c)
		}
		c, err := engine.OpenBytes(p, "flipped", bad)
		if err == nil {
			opened++
			require.NoError(t, c.Close())
		}
		require.False(t, err == nil && info.DType == safetensors.I32, "byte %d of %s", at, info.Name)
	}
	require.NotZero(t, opened, "Open does not hash matrices unless it is told to")
	c, err := engine.OpenBytes(fakeProgram(fakeHooks{}), "whole", good, runtime.VerifyWeights())
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// TestRowsOfATable checks that a row index must lie in its table, even if the hashes are right.
func TestRowsOfATable(t *testing.T) {
	const rows = 6
	want := engine.Want{SpecHash: fakeSpec, Layout: "1", Tensors: []engine.TensorWant{{Name: "index", DType: safetensors.I32, Len: 5, Rows: rows}}}
	for _, c := range []struct {
		index [5]int32
		fault string
	}{
		{[5]int32{0, 0, 1, 2, rows - 1}, ""},
		{[5]int32{3, 3, 3, 3, 3}, ""},
		{[5]int32{0, 0, 1, 2, rows}, "element 4 is 6: it must be a row of a table of 6"},
		{[5]int32{-1, 0, 1, 2, 3}, "element 0 is -1"},
		{[5]int32{0, 2, 1, 2, 3}, "element 2 is 1: it must be a row of a table of 6, not below the element before it"},
		{[5]int32{0, 0, 1, 2, -1 << 31}, "element 4 is -2147483648"},
		{[5]int32{0, 0, 1, 2, 1<<31 - 1}, "element 4 is 2147483647"},
	} {
		var s seekBuffer
		w, err := engine.NewWeightsWriter(&s, fakeMeta(), []engine.TensorDecl{{Name: "index", DType: safetensors.I32, Len: 5}})
		require.NoError(t, err)
		require.NoError(t, w.WriteI32("index", c.index[:]))
		require.NoError(t, w.Close())
		got, err := engine.WeightsFromBytes("x", s.b, want)
		if c.fault == "" {
			require.NoError(t, err)
			require.NoError(t, got.Close())
			continue
		}
		var fault *runtime.WeightsError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "index", fault.Tensor)
		require.ErrorContains(t, err, c.fault)
		require.ErrorContains(t, err, "the weights are damaged: run debertac pack again")
	}
}
