package task

import "math"

// probabilities writes the softmax of logits to dst, or, if independent is set, the sigmoid of
// each.
func probabilities(dst, logits []float64, independent bool) {
	if independent {
		for i, z := range logits {
			dst[i] = sigmoid(z)
		}
		return
	}
	z := logSum(logits)
	for i, v := range logits {
		dst[i] = math.Exp(v - z)
	}
}

// sigmoid returns 1/(1 + exp(-z)), computed in a form that does not overflow.
func sigmoid(z float64) float64 {
	e := math.Exp(-math.Abs(z))
	if z >= 0 {
		return 1 / (1 + e)
	}
	return e / (1 + e)
}

// defaultThreshold is the probability of entities and of labels of a call from which on they count, as published.
const defaultThreshold = 0.5

// largest returns the index of the largest value; ties: the lowest index.
func largest(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
