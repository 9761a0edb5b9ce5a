package generated_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/generated/spam"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/programtest"
)

// TestWeightsBecomeShorter cuts the file of weights under an open model, at many lengths. Kernels of every instruction set, in the caller and in workers, then
// fault in the middle of their work or read zeros, and each call must return an error about the weights. When the file is complete again, the same model
// returns the same bits.
func TestWeightsBecomeShorter(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("elsewhere the file is read, or cannot be cut while it is mapped")
	}
	data, err := programtest.RandomWeights(spam.Program(), 1, []programtest.Steps{{Name: "relative.index"}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "spam.weights")
	batch := &runtime.Batch{Starts: []int32{0}}
	for s := range 4 {
		for i := range 20 + 30*s {
			batch.IDs = append(batch.IDs, int32((i*37+s)%spam.Program().Limits.Vocab))
		}
		batch.Starts = append(batch.Starts, int32(len(batch.IDs)))
	}
	cuts := []int{0, 1, 4096, len(data) - 1, len(data) - 5000}
	for i := range 20 {
		cuts = append(cuts, len(data)/20*i+17)
	}
	for _, isa := range spam.Program().ISAs {
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprint(isa, " ", threads), func(t *testing.T) {
				require.NoError(t, os.WriteFile(path, data, 0o600))
				core, err := engine.Open(spam.Program(), path, runtime.UseISA(isa.String()), runtime.Threads(threads))
				if err != nil {
					t.Skip(err) // this processor lacks the instruction set
				}
				defer core.Close()
				out := make([]float32, spam.Program().Heads[0].OutLen(batch))
				run := func() error { return core.Run(context.Background(), engine.Call{Batch: batch, Out: out}) }
				require.NoError(t, run())
				want := slices.Clone(out)
				cuts := cuts
				if testing.Short() {
					cuts = cuts[:3]
				} else if isa == cpu.ISAGo { // slow, and it faults as any Go code does
					cuts = cuts[:4]
				}
				for _, n := range cuts {
					require.NoError(t, os.Truncate(path, int64(n)))
					require.ErrorIs(t, run(), runtime.ErrChanged, "cut to %d of %d bytes", n, len(data))
					require.NoError(t, os.WriteFile(path, data, 0o600))
					require.NoError(t, run())
					require.Equal(t, want, out)
				}
			})
		}
	}
}
