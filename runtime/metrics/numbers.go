package metrics

import (
	"cmp"
	"math"
	"slices"
)

// Pearson returns the correlation coefficient of two lists of numbers of one length: Σ(x-x̄)(y-ȳ) / √(Σ(x-x̄)²·Σ(y-ȳ)²). It is NaN for fewer than two numbers,
// and if the numbers of a list are all the same.
func Pearson(x, y []float64) float64 {
	if len(x) < 2 || constant(x) || constant(y) {
		return math.NaN()
	}
	mx, my := Mean(x), Mean(y)
	// The deviations are scaled, so that their squares neither overflow nor vanish.
	sx, sy := spread(x, mx), spread(y, my)
	var xy, xx, yy float64
	for i := range x {
		a, b := (x[i]-mx)/sx, (y[i]-my)/sy
		xy, xx, yy = xy+a*b, xx+a*a, yy+b*b
	}
	return min(1, max(-1, xy/math.Sqrt(xx*yy)))
}

func constant(x []float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return v != x[0] })
}

// spread returns the largest distance of a number from m.
func spread(x []float64, m float64) float64 {
	most := 0.0
	for _, v := range x {
		most = max(most, math.Abs(v-m))
	}
	return most
}

// Spearman returns the rank correlation of two lists of numbers of one length: Pearson of their Ranks. It is NaN when Pearson is.
func Spearman(x, y []float64) float64 { return Pearson(Ranks(x), Ranks(y)) }

// Ranks returns the ranks of numbers, from 1 for the lowest. Equal numbers have the mean of their ranks.
func Ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	ranks := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			ranks[k] = float64(i+1+j) / 2
		}
		i = max(j, i+1)
	}
	return ranks
}

// MeanSquaredError returns the mean of (x-y)² of two lists of numbers of one length; NaN if they are empty.
func MeanSquaredError(x, y []float64) float64 {
	sum := 0.0
	for i := range x {
		sum += (x[i] - y[i]) * (x[i] - y[i])
	}
	return sum / float64(len(x))
}

// Perplexity returns exp(-logProbability/tokens), where logProbability is the sum of the natural logarithms of the probabilities of all tokens. It is NaN
// without tokens.
func Perplexity(logProbability, tokens float64) float64 {
	if tokens == 0 {
		return math.NaN()
	}
	return math.Exp(-logProbability / tokens)
}

// CalibrationBins is the usual number of bins of CalibrationError (Guo et al. 2017).
const CalibrationBins = 15

// CalibrationError returns the expected calibration error (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3): the predictions are
// divided by their confidence into bins of one width, ((b-1)/bins, b/bins]; a confidence of 0 is in the first bin. The error is the mean over all
// predictions of |accuracy of the bin - mean confidence of the bin|. confidence holds the probability of each predicted class, from 0 to 1, and right
// whether the class is right. It is NaN without predictions.
func CalibrationError(confidence []float64, right []bool, bins int) float64 {
	sums, hits, counts := make([]float64, bins), make([]float64, bins), make([]int, bins)
	for i, p := range confidence {
		b := min(bins-1, max(0, int(math.Ceil(p*float64(bins)))-1))
		// p·bins is rounded: the bin's edges are compared as they are written.
		if b > 0 && p <= float64(b)/float64(bins) {
			b--
		} else if b < bins-1 && p > float64(b+1)/float64(bins) {
			b++
		}
		counts[b]++
		sums[b] += p
		if right[i] {
			hits[b]++
		}
	}
	sum := 0.0
	for b, n := range counts {
		if n > 0 {
			sum += math.Abs(hits[b] - sums[b])
		}
	}
	return sum / float64(len(confidence))
}
