package compiler_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/ragged"
)

// perturbed compiles a small classifier whose input can be perturbed, with its trace.
func perturbed(t *testing.T, after string) *ir.Program {
	t.Helper()
	s := resolved(t, smallModel("m", "")+"head c on m { take first; linear hidden; act; linear 3 }")
	units, faults, err := compiler.Compile(s, compiler.Options{After: after, Perturb: true, Trace: true})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Len(t, units, 1)
	return units[0].Program
}

// standard normalises each row of width h to mean 0 and variance 1, with eps added to the variance.
func standard(x []float64, h int, eps float64) []float64 {
	out := make([]float64, len(x))
	for r := 0; r < len(x); r += h {
		mean, variance := 0.0, 0.0
		for _, v := range x[r : r+h] {
			mean += v / float64(h)
		}
		for _, v := range x[r : r+h] {
			variance += (v - mean) * (v - mean) / float64(h)
		}
		for i, v := range x[r : r+h] {
			out[r+i] = (v - mean) / math.Sqrt(variance+eps)
		}
	}
	return out
}

// TestPerturbedInput checks the input of scale-invariant fine-tuning against its formula, and that the passes keep it.
func TestPerturbedInput(t *testing.T) {
	const h = 32
	var logits []float64
	for _, after := range []string{"build", ""} {
		p := perturbed(t, after)
		require.True(t, p.Reads(ragged.Delta))
		store := batchOf(rand.New(rand.NewPCG(3, 3)), p, 3, 5)
		ids := store["ids"].I
		delta := ir.NewArray(len(ids), h)
		for i := range delta.F {
			delta.F[i] = math.Sin(float64(i))
		}
		store["delta"] = delta
		tensors := shapesOf(p)
		require.NoError(t, eval.Run(p, store, eval.From(tensors)))
		table, err := tensors.Tensor("deberta.embeddings.word_embeddings.weight")
		require.NoError(t, err)
		gain, err := tensors.Tensor("deberta.embeddings.LayerNorm.weight")
		require.NoError(t, err)
		shift, err := tensors.Tensor("deberta.embeddings.LayerNorm.bias")
		require.NoError(t, err)
		var sum []float64
		for _, id := range ids {
			sum = append(sum, table.Floats()[int(id)*h:(int(id)+1)*h]...)
		}
		normed := standard(sum, h, 1e-7)
		require.InDeltaSlice(t, normed, store["normed"].Floats(), 1e-9)
		for i := range normed {
			normed[i] += delta.F[i]
		}
		first := standard(normed, h, 1e-7)
		for i := range first {
			first[i] = first[i]*gain.Floats()[i%h] + shift.Floats()[i%h]
		}
		require.InDeltaSlice(t, first, store["hidden_states.0"].Floats(), 1e-9)
		got := store["logits"].Floats()
		require.Len(t, got, 6)
		if logits != nil {
			require.InDeltaSlice(t, logits, got, 1e-9)
		}
		logits = got
	}
}
