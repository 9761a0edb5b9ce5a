package dropout

import "math"

// Normals draws m rows of n numbers from a normal distribution with mean 0 and the given deviation, cut at twice the deviation. The first row has the given
// number. A number is a function of its place alone, as what is dropped is: columns 2i and 2i+1 of a row come from its random numbers 2i and 2i+1 (Box and
// Muller 1958).
func Normals(y []float32, key Key, n int, deviation float64, first int) {
	const whole = 1 << 32
	bound := 2 * deviation
	for r := range len(y) / n {
		to, state := y[r*n:(r+1)*n], Row(key, first+r)
		for c := 0; c < n; c += 2 {
			length := math.Sqrt(-2 * math.Log((float64(Number(state, c))+0.5)/whole))
			sin, cos := math.Sincos(2 * math.Pi / whole * float64(Number(state, c+1)))
			to[c] = float32(max(-bound, min(bound, deviation*length*cos)))
			if c+1 < n {
				to[c+1] = float32(max(-bound, min(bound, deviation*length*sin)))
			}
		}
	}
}
