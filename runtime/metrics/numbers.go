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

// Order holds the order of a list of numbers, by which the ranks of samples of them are found without sorting.
type Order struct {
	place []int // of each number among the different ones
	count []int // of each different number in a sample
	rank  []float64
}

// NewOrder returns the order of numbers.
func NewOrder(x []float64) *Order {
	ranks := Ranks(x)
	sorted := slices.Compact(slices.Sorted(slices.Values(ranks)))
	o := &Order{place: make([]int, len(x)), count: make([]int, len(sorted)), rank: make([]float64, len(sorted))}
	for i, r := range ranks {
		o.place[i], _ = slices.BinarySearch(sorted, r)
	}
	return o
}

// Ranks appends to dst[:0] what the function Ranks returns for the numbers with these indices.
func (o *Order) Ranks(sample []int, dst []float64) []float64 {
	clear(o.count)
	for _, i := range sample {
		o.count[o.place[i]]++
	}
	before := 0
	for k, n := range o.count {
		o.rank[k] = float64(before) + float64(n+1)/2
		before += n
	}
	dst = dst[:0]
	for _, i := range sample {
		dst = append(dst, o.rank[o.place[i]])
	}
	return dst
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
	c := NewCalibration(bins)
	for i, p := range confidence {
		c.Add(p, right[i])
	}
	return c.Error()
}

// Calibration adds up predictions for CalibrationError one by one.
type Calibration struct {
	sums, hits []float64 // of each bin: of the confidences, and how many are right
	n          int
}

// NewCalibration returns a Calibration without predictions.
func NewCalibration(bins int) *Calibration {
	return &Calibration{sums: make([]float64, bins), hits: make([]float64, bins)}
}

// Clear removes all predictions.
func (c *Calibration) Clear() {
	clear(c.sums)
	clear(c.hits)
	c.n = 0
}

// Add adds a prediction.
func (c *Calibration) Add(confidence float64, right bool) {
	bins := len(c.sums)
	b := min(bins-1, max(0, int(math.Ceil(confidence*float64(bins)))-1))
	// confidence·bins is rounded: the bin's edges are compared as they are written.
	if b > 0 && confidence <= float64(b)/float64(bins) {
		b--
	} else if b < bins-1 && confidence > float64(b+1)/float64(bins) {
		b++
	}
	c.n++
	c.sums[b] += confidence
	if right {
		c.hits[b]++
	}
}

// Error returns the error of all predictions; NaN without predictions.
func (c *Calibration) Error() float64 {
	sum := 0.0
	for b, s := range c.sums {
		sum += math.Abs(c.hits[b] - s)
	}
	return sum / float64(c.n)
}
