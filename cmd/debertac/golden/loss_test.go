package golden

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// rowsOf draws two rows of the same width.
func rowsOf(t *rapid.T) (a, b []float64) {
	n := rapid.IntRange(2, 7).Draw(t, "n")
	number := rapid.Float64Range(-8, 8)
	return rapid.SliceOfN(number, n, n).Draw(t, "a"), rapid.SliceOfN(number, n, n).Draw(t, "b")
}

func TestLossFormulas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rowsOf(t)
		sum := 0.0
		for _, p := range softmax(a) {
			sum += p
		}
		require.InDelta(t, 1, sum, 1e-12)
		one := make([]float64, len(a))
		one[1] = 1
		require.InDelta(t, -math.Log(softmax(a)[1]), crossEntropy(one, a), 1e-9)
		require.InDelta(t, disagreement(a, b), disagreement(b, a), 1e-9)
		// Both cross entropies are smallest where the rows agree: there they are the entropies.
		require.GreaterOrEqual(t, disagreement(a, b)+1e-9, crossEntropy(softmax(a), a)+crossEntropy(softmax(b), b))
		y := float64(rapid.IntRange(0, 1).Draw(t, "y"))
		s := 1 / (1 + math.Exp(-a[0]))
		require.InDelta(t, -y*math.Log(s)-(1-y)*math.Log(1-s), binaryCrossEntropy(a[0], y), 1e-9)
		require.InDelta(t, squares(a, b), squares(b, a), 1e-12)
	})
}

func TestLossesStayFinite(t *testing.T) {
	require.InDelta(t, 2000, crossEntropy([]float64{1, 0}, []float64{-1000, 1000}), 1e-9)
	require.InDelta(t, 1000, binaryCrossEntropy(-1000, 1), 1e-9)
	require.InDelta(t, 0, binaryCrossEntropy(1000, 1), 1e-9)
	require.InDelta(t, 4.0/3, squares([]float64{1, 2, 3}, []float64{1, 2, 1}), 1e-12)
}

// TestLossesOfSequences checks that the head's loss and the form of the labels decide the loss of sequences.
func TestLossesOfSequences(t *testing.T) {
	z := &grid{[]float64{0, math.Log(3), 0, 0}, 2, 2}
	for name, x := range map[string]struct {
		loss   string
		labels given
		want   float64
	}{
		"labels":             {"cross_entropy", given{[]int{2}, []float64{0, 1}, true}, (math.Log(4) + math.Log(2)) / 2},
		"one ignored":        {"cross_entropy", given{[]int{2}, []float64{1, -100}, true}, math.Log(4.0 / 3)},
		"all ignored":        {"cross_entropy", given{[]int{2}, []float64{-1, -100}, true}, 0},
		"probabilities":      {"cross_entropy", given{[]int{2, 2}, []float64{1, 0, 0.5, 0.5}, false}, (math.Log(4) + math.Log(2)) / 2},
		"several labels":     {"binary_cross_entropy", given{[]int{2, 2}, []float64{1, 1, 0, 1}, false}, (math.Log(2) + math.Log(4.0/3) + 2*math.Log(2)) / 4},
		"squared difference": {"mean_squared_error", given{[]int{2, 2}, []float64{0, math.Log(3), 2, 0}, false}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			k := &comparison{produced: Produced{Loss: x.loss}}
			got, v, err := k.sequences(z, &x.labels)
			require.NoError(t, err)
			require.Empty(t, v.reason)
			require.InDelta(t, x.want, got[0], 1e-12)
		})
	}
	k := &comparison{produced: Produced{Loss: "cross_entropy"}}
	for _, labels := range []given{{[]int{2}, []float64{0, 2}, true}, {[]int{3}, []float64{0, 1, 1}, true}} {
		_, v, err := k.sequences(z, &labels)
		require.NoError(t, err)
		require.NotEmpty(t, v.reason)
	}
}
