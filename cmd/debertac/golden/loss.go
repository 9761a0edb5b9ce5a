package golden

import "math"

// logSoftmax returns the logarithms of a row's softmax.
func logSoftmax(z []float64) []float64 {
	largest := math.Inf(-1)
	for _, v := range z {
		largest = math.Max(largest, v)
	}
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(v - largest)
	}
	out := make([]float64, len(z))
	for i, v := range z {
		out[i] = v - largest - math.Log(sum)
	}
	return out
}

// crossEntropy returns −Σ_c p_c log softmax(z)_c.
func crossEntropy(p, z []float64) float64 {
	sum := 0.0
	for c, l := range logSoftmax(z) {
		if p[c] != 0 {
			sum -= p[c] * l
		}
	}
	return sum
}

// softmax returns a row's probabilities.
func softmax(z []float64) []float64 {
	p := logSoftmax(z)
	for i, l := range p {
		p[i] = math.Exp(l)
	}
	return p
}

// disagreement returns CE(softmax(b), a) + CE(softmax(a), b). This is the symmetric Kullback-Leibler divergence plus the entropies, as in the
// authors' code of scale-invariant fine-tuning.
func disagreement(a, b []float64) float64 {
	return crossEntropy(softmax(b), a) + crossEntropy(softmax(a), b)
}

// binaryCrossEntropy returns −y log σ(z) − (1−y) log(1−σ(z)).
func binaryCrossEntropy(z, y float64) float64 {
	return math.Max(z, 0) - z*y + math.Log1p(math.Exp(-math.Abs(z)))
}

// meanOf returns the mean of f(i) for 0 <= i < n.
func meanOf(n int, f func(i int) float64) float64 {
	sum := 0.0
	for i := range n {
		sum += f(i)
	}
	return sum / float64(n)
}

// squares returns the mean squared difference.
func squares(a, b []float64) float64 {
	return meanOf(len(a), func(i int) float64 { return (a[i] - b[i]) * (a[i] - b[i]) })
}
