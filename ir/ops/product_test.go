package ops

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProductBits checks that the bits do not depend on blocks or goroutines: every element is one sum from its first term to its last.
func TestProductBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		return x
	}
	for _, s := range [][3]int{{1, 1, 1}, {1, 7, 3}, {2, 4, 5}, {3, 9, 8}, {33, 70, 17}, {65, 131, 40}, {4, 300, 64}, {0, 5, 3}} {
		m, n, k := s[0], s[1], s[2]
		x, w := random(m*k), random(n*k)
		want := make([]float64, m*n)
		for i := range want {
			want[i] = dot(x[i/n*k:][:k], w[i%n*k:][:k])
		}
		require.Equal(t, want, product(x, w, m, n, k), "%v", s)
		old := runtime.GOMAXPROCS(1)
		require.Equal(t, want, product(x, w, m, n, k), "%v, one processor", s)
		runtime.GOMAXPROCS(old)
	}
}

// BenchmarkProduct measures the projection of a relative table of 512 rows, which is computed 24 times when a base model is packed.
func BenchmarkProduct(b *testing.B) {
	const m, n, k = 512, 768, 768
	x, w := make([]float64, m*k), make([]float64, n*k)
	for i := range x {
		x[i] = float64(i % 7)
	}
	for i := range w {
		w[i] = float64(i % 5)
	}
	for b.Loop() {
		product(x, w, m, n, k)
	}
	b.ReportMetric(2*m*n*k*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
