// Package bf16 rounds numbers to bfloat16, and holds two of them in 4 bytes.
package bf16

import "math"

const (
	exponent = 0x7f800000 // the bits of a float32's exponent
	sign     = 0x80000000
	quiet    = 0x00400000 // the bit of a NaN that makes it quiet
)

// bits returns the bits of x rounded to bfloat16, with zeros after them.
func bits(x float32) uint32 {
	b := math.Float32bits(x)
	switch {
	case b&exponent == 0:
		return b & sign
	case x != x:
		return (b | quiet) &^ 0xffff
	}
	return (b + 0x7fff + b>>16&1) &^ 0xffff
}

// Round returns x rounded to bfloat16: to the nearest number with 8 significant bits, and of two to the even one, as the instructions of AVX512-BF16 do.
// Numbers whose size is below 2⁻¹²⁶ become 0. Numbers that are too large become infinite.
func Round(x float32) float32 { return math.Float32frombits(bits(x)) }

// Pair returns the pair of two numbers, rounded as by [Round].
func Pair(lower, upper float32) int32 { return int32(bits(upper) | bits(lower)>>16) }

// Lower returns the first number of a pair.
func Lower(pair int32) float32 { return math.Float32frombits(uint32(pair) << 16) }

// Upper returns the second number of a pair.
func Upper(pair int32) float32 { return math.Float32frombits(uint32(pair) &^ 0xffff) }
