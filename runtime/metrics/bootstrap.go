package metrics

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a range of values that holds the true one with some probability.
type Interval struct{ Low, High float64 }

// Resampling holds the settings of Bootstrap.
type Resampling struct {
	Times int     // how often examples are drawn
	Level float64 // the share of the results that lies in an interval, such as 0.95
	Seed  uint64
}

// Bootstrap returns intervals of metrics over n examples by the percentile method (Efron 1979): n examples are drawn with replacement, measure computes the
// metrics of the drawn ones, and the interval of a metric holds the middle share Level of its values over all draws; between two values it is interpolated,
// see Quantile. measure receives the indices of the drawn examples and writes one number per metric to out. Values that are not numbers are left out; the
// interval of a metric without numbers is NaN. The result depends on the seed alone.
func Bootstrap(n, metrics int, r Resampling, measure func(sample []int, out []float64)) []Interval {
	draw := rand.New(rand.NewPCG(r.Seed, 0x9e3779b97f4a7c15))
	values := make([][]float64, metrics)
	sample, out := make([]int, n), make([]float64, metrics)
	for range r.Times {
		for i := range sample {
			sample[i] = draw.IntN(n)
		}
		measure(sample, out)
		for j, v := range out {
			if !math.IsNaN(v) {
				values[j] = append(values[j], v)
			}
		}
	}
	list := make([]Interval, metrics)
	for j, v := range values {
		slices.SortFunc(v, cmp.Compare)
		tail := (1 - r.Level) / 2
		list[j] = Interval{Quantile(v, tail), Quantile(v, 1-tail)}
	}
	return list
}

// Quantile returns the value below which a share q of sorted numbers lies. Between two numbers it is interpolated, as numpy.percentile does by default. It
// is NaN if there are no numbers.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := min(max(int(at), 0), len(sorted)-1)
	if i == len(sorted)-1 {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
