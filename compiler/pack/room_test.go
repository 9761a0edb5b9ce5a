package pack

import (
	"math"
	"path/filepath"
	goruntime "runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/resource"
	"github.com/debertac/debertac/spec"
)

func program(t *testing.T, text string) *ir.Program {
	t.Helper()
	f, faults := spec.Parse("test.dspec", []byte("dspec 1\n"+text))
	require.Empty(t, faults)
	s, faults := spec.Resolve(f)
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.False(t, faults.HasErrors())
	return units[0].Program
}

// TestMemoryOf compares the memory that packing is expected to need with the live memory that the garbage collector sees when it runs often.
func TestMemoryOf(t *testing.T) {
	if testing.Short() {
		t.Skip("packs tens of MB")
	}
	p := program(t, "model m like deberta_v3_base { dim layers = 2; dim hidden = 768; dim heads = 12; dim vocab = 100 }")
	need, tensor := memoryOf(p)
	require.Equal(t, []int{3072, 768}, tensor.shape, tensor.name)

	defer debug.SetGCPercent(debug.SetGCPercent(2))
	var m goruntime.MemStats
	goruntime.GC()
	goruntime.ReadMemStats(&m)
	before, most := m.HeapAlloc, uint64(0)
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		var m goruntime.MemStats
		for !stop.Load() {
			goruntime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}()
	require.NoError(t, Write(filepath.Join(t.TempDir(), "w"), p, Random{Seed: 1}, Options{}))
	stop.Store(true)
	<-done
	alive := float64(most - before) // includes garbage that is not collected yet
	require.Less(t, float64(need), 1.1*alive, "what fits must not be refused")
	require.Greater(t, float64(need), alive/4)
}

// TestNoRoom checks that weights that do not fit are refused before any are drawn, and that the error names the largest tensor.
func TestNoRoom(t *testing.T) {
	p := program(t, "model m like deberta_v3_base { dim layers = 1; dim hidden = 1048576; dim heads = 1; dim vocab = 100; dim span = 8 }")
	path := filepath.Join(t.TempDir(), "w")
	err := Write(path, p, Random{Seed: 1}, Options{})
	var scarce *resource.Error
	require.ErrorAs(t, err, &scarce)
	require.Greater(t, scarce.Need, int64(50)<<40)
	require.Less(t, scarce.Need, int64(math.MaxInt64/2))
	require.ErrorContains(t, err, `packing tensor "deberta.encoder.layer.0.intermediate.dense.weight" of shape [4194304 1048576], with those of the same `+
		`step, needs `)
	require.NoFileExists(t, path)
	_, err = Random{Seed: 1}.Tensor("w", []int{1 << 21, 1 << 21})
	require.ErrorAs(t, err, &scarce)
	require.ErrorContains(t, err, `tensor "w" of shape [2097152 2097152] needs 32.0 TiB of memory`)
}
