package engine

import "math"

// Softmax writes exp(x_i - max x) / Σ_j exp(x_j - max x) to dst, computed in float64. dst and x
// have the same length and may be the same slice.
func Softmax(dst, x []float32) {
	top := math.Inf(-1)
	for _, v := range x {
		top = math.Max(top, float64(v))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	for i, v := range x {
		dst[i] = float32(math.Exp(float64(v)-top) / sum)
	}
}

// Sigmoid writes 1 / (1 + exp(-x_i)) to dst, computed in float64 and in a form that does not
// overflow. dst and x have the same length and may be the same slice.
func Sigmoid(dst, x []float32) {
	for i, v := range x {
		e := math.Exp(-math.Abs(float64(v)))
		if v >= 0 {
			dst[i] = float32(1 / (1 + e))
		} else {
			dst[i] = float32(e / (1 + e))
		}
	}
}

// argmax returns the index of the largest value; ties: the lowest index.
func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
