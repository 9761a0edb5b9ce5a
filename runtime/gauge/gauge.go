// Package gauge holds what the benchmarks of built programs share: quantiles of times, the memory of the process, and files of lengths.
package gauge

import (
	"math"
	"time"
)

// Quantile returns the smallest sample s for which at least the share q of the samples is not above s. sorted must be in rising order.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// MS returns a duration in milliseconds.
func MS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Round returns x with a number of decimals.
func Round(x float64, digits int) float64 {
	p := math.Pow(10, float64(digits))
	return math.Round(x*p) / p
}
