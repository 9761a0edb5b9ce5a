package engine

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSoftmax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-100, 100), 1, 9).Draw(t, "x")
		got := make([]float32, len(x))
		Softmax(got, x)
		for i := range x {
			// p_i = 1 / Σ_j exp(x_j - x_i), another form of the same number.
			sum := 0.0
			for j := range x {
				sum += math.Exp(float64(x[j]) - float64(x[i]))
			}
			require.InDelta(t, 1/sum, float64(got[i]), 1e-7)
		}
		require.Equal(t, argmax(x), argmax(x[:argmax(x)+1]), "the first of equals")
	})
	big := []float32{3e38, 3e38, -3e38}
	Softmax(big, big)
	require.Equal(t, []float32{0.5, 0.5, 0}, big)
}

func TestSigmoid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float32Range(-80, 80).Draw(t, "x") // outside this range float32 is subnormal
		got := make([]float32, 1)
		Sigmoid(got, []float32{x})
		require.InEpsilon(t, 1/(1+math.Exp(-float64(x))), float64(got[0]), 1e-6)
	})
	x := []float32{float32(math.Inf(-1)), 0, float32(math.Inf(1))}
	Sigmoid(x, x)
	require.Equal(t, []float32{0, 0.5, 1}, x)
}
