package trainer_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/trainer"
)

// adapted is a program without a step, whose matrices have adapters: w as a whole, and of the heads' rows in joined the second of three parts.
func adapted() *trainer.Program {
	return &trainer.Program{
		Name: "adapted", ISAs: []cpu.ISA{cpu.ISAGo}, Limits: engine.Limits{Vocab: 9, SequenceTokens: 9, BatchSequences: 9, BatchTokens: 99},
		Params: []trainer.Param{
			{Name: "w", Shape: []int{2, 3}}, {Name: "w.down", Shape: []int{1, 3}, Trained: true}, {Name: "w.up", Shape: []int{2, 1}, Trained: true},
			{Name: "joined", Shape: []int{12, 2}}, {Name: "j.down", Shape: []int{2, 2}, Trained: true}, {Name: "j.up", Shape: []int{4, 2}, Trained: true},
			{Name: "b", Shape: []int{3}}},
		Merges: []trainer.Merge{{Of: "w", Down: "w.down", Up: "w.up", By: 2},
			{Of: "joined", Down: "j.down", Up: "j.up", By: 0.5, Heads: 2, Part: 1, Parts: 3}},
		Arena: func(engine.Sizes) int64 { return 64 },
		Bind:  func(*trainer.Exec, cpu.ISA) ([]trainer.Step, error) { return []trainer.Step{{}}, nil },
	}
}

// TestSaveModel checks that the file of a model has the tensors of a model without adapters, and that it is no checkpoint.
func TestSaveModel(t *testing.T) {
	tr := begin(t, adapted())
	tensor := func(name string) []float32 {
		x, err := tr.Tensor(name)
		require.NoError(t, err)
		return x
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	require.NoError(t, tr.SaveModel(path))
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.ElementsMatch(t, []string{"w", "joined", "b"}, f.Names())
	read := func(name string) []float32 {
		x := make([]float32, len(tensor(name)))
		require.NoError(t, f.Floats(name, x))
		return x
	}
	require.Equal(t, tensor("b"), read("b"))

	w, down, up := tensor("w"), tensor("w.down"), tensor("w.up")
	for r := range 2 {
		for c := range 3 {
			w[r*3+c] += 2 * up[r] * down[c]
		}
	}
	require.InDeltaSlice(t, w, read("w"), 1e-7)
	require.NotEqual(t, tensor("w"), read("w"))

	j, down, up := tensor("joined"), tensor("j.down"), tensor("j.up")
	for r, row := range []int{2, 3, 8, 9} { // of each head's six rows the second two
		for c := range 2 {
			j[row*2+c] += 0.5 * (up[r*2]*down[c] + up[r*2+1]*down[2+c])
		}
	}
	require.InDeltaSlice(t, j, read("joined"), 1e-7)

	require.ErrorIs(t, tr.Resume(path), runtime.ErrInput)
	require.ErrorContains(t, tr.Resume(path), "is not a checkpoint of a training")
	require.ErrorContains(t, tr.SaveModel(filepath.Join(path, "below", "model.safetensors")), "model.safetensors")
	require.NoError(t, tr.Close())
	require.ErrorIs(t, tr.SaveModel(path), runtime.ErrClosed)
}
