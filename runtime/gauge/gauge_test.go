package gauge_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime/gauge"
)

// TestQuantile checks that a quantile is the sample that has the share of all samples up to itself.
func TestQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		q := rapid.SampledFrom([]float64{0.5, 0.9, 0.99, 1}).Draw(t, "q")
		sorted := make([]time.Duration, n)
		for i := range sorted {
			sorted[i] = time.Duration(i + 1)
		}
		got := float64(gauge.Quantile(sorted, q)) // the samples are 1 … n, so the value is the number of samples not above it
		if got < q*float64(n) || got-1 >= q*float64(n) {
			t.Fatalf("quantile %v of %d samples is %v", q, n, got)
		}
	})
}
