package dropout

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNormals compares the moments and the quantiles of drawn numbers with those of a normal distribution that is cut at two deviations.
func TestNormals(t *testing.T) {
	const rows, columns, deviation = 1 << 9, 1 << 9, 0.01
	y := make([]float32, rows*columns)
	Normals(y, KeyOf(7, 3, 0, 2, 5), columns, deviation, 0)
	below := func(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
	counts, sum, squares, neighbours := map[float64]int{}, 0.0, 0.0, 0.0
	for i, v := range y {
		z := float64(v) / deviation
		require.LessOrEqual(t, math.Abs(z), 2+1e-6)
		for _, q := range []float64{-1.999, -1, -0.5, 0, 0.5, 1, 1.999} {
			if z < q {
				counts[q]++
			}
		}
		sum, squares = sum+z, squares+z*z
		if i > 0 {
			neighbours += z * float64(y[i-1]) / deviation
		}
	}
	n := float64(len(y))
	for q, count := range counts {
		p := below(q)
		require.InDelta(t, p*n, float64(count), 5*math.Sqrt(p*(1-p)*n), "below %v", q)
	}
	// The variance of a normal variable that is moved to ±2 where it is beyond: the part within, and 4 for the two tails.
	inside := 1 - 2*below(-2)
	variance := inside - 2*2*math.Exp(-2)/math.Sqrt(2*math.Pi) + 4*2*below(-2)
	require.InDelta(t, 0, sum/n, 5/math.Sqrt(n))
	require.InDelta(t, variance, squares/n, 5*math.Sqrt(2/n))
	require.InDelta(t, 0, neighbours/n, 5/math.Sqrt(n))
}

// TestNormalsByPlace checks that a number depends on its place alone, for rows of an odd length too.
func TestNormalsByPlace(t *testing.T) {
	const rows = 7
	for _, columns := range []int{1, 5, 8} {
		all, part := make([]float32, rows*columns), make([]float32, 3*columns)
		k := KeyOf(3, 1, 4, 1, 5)
		Normals(all, k, columns, 2, 0)
		Normals(part, k, columns, 2, 2)
		require.Equal(t, all[2*columns:5*columns], part)
		Normals(part, KeyOf(3, 2, 4, 1, 5), columns, 2, 2)
		require.NotEqual(t, all[2*columns:5*columns], part)
	}
}
