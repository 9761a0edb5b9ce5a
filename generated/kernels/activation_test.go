package kernels

import "math"

// activationUlps bounds the error of every activation, in ulp of its result.
const activationUlps = 8

// activate is the reference of an activation in float64; "" is the identity.
func activate(name string, x float64) float64 {
	switch name {
	case "gelu":
		return x * 0.5 * math.Erfc(-x/math.Sqrt2)
	case "gelu_tanh":
		return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case "relu":
		return max(x, 0)
	case "sigmoid":
		return 1 / (1 + math.Exp(-x))
	case "silu":
		return x / (1 + math.Exp(-x))
	case "tanh":
		return math.Tanh(x)
	}
	return x
}
