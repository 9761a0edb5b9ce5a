package runtime

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

func TestAbove(t *testing.T) {
	c := &Classification{Scores: []float32{0.2, 0.9, 0.5, 0.9, 0}}
	for _, x := range []struct {
		thresholds []float32
		want       []int
	}{
		{[]float32{0.5}, []int{1, 3, 2}}, {[]float32{0}, []int{1, 3, 2, 0, 4}}, {[]float32{1}, []int{}}, {[]float32{0.1, 0.95, 0.5, 0.9, 0.1}, []int{3, 2, 0}},
	} {
		got, err := c.Above(x.thresholds...)
		require.NoError(t, err)
		require.Equal(t, x.want, got)
	}
	nan := float32(math.NaN())
	for _, thresholds := range [][]float32{{}, {0.5, 0.5}, {-1}, {1.5}, {nan}, {0, 0, nan, 0, 0}} {
		_, err := c.Above(thresholds...)
		require.ErrorIs(t, err, ErrInput)
		require.ErrorContains(t, err, "thresholds")
	}
}
