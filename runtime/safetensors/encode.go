package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
)

// AppendFloats appends numbers as the type t, little-endian. Each is rounded once, to the nearest, ties to even. A number that the type cannot hold, and a
// type that is not one of floats, are errors.
func AppendFloats(b []byte, t DType, v []float64) ([]byte, error) {
	var add func(b []byte, x float64) ([]byte, bool)
	switch t {
	case F64:
		add = func(b []byte, x float64) ([]byte, bool) {
			return binary.LittleEndian.AppendUint64(b, math.Float64bits(x)), true
		}
	case F32:
		add = func(b []byte, x float64) ([]byte, bool) {
			y := float32(x)
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(y)), math.IsInf(float64(y), 0) == math.IsInf(x, 0)
		}
	case F16:
		add = func(b []byte, x float64) ([]byte, bool) {
			h := short(x, 5, 10)
			return binary.LittleEndian.AppendUint16(b, h), h&0x7fff != 0x7c00 || math.IsInf(x, 0)
		}
	case BF16:
		add = func(b []byte, x float64) ([]byte, bool) {
			h := short(x, 8, 7)
			return binary.LittleEndian.AppendUint16(b, h), h&0x7fff != 0x7f80 || math.IsInf(x, 0)
		}
	default:
		return nil, fmt.Errorf("%v is not a type of floats", t)
	}
	for _, x := range v {
		var ok bool
		if b, ok = add(b, x); !ok {
			return nil, fmt.Errorf("%g is larger than any number of the type %v", x, t)
		}
	}
	return b, nil
}

// short rounds to a float of 16 bits: a sign, an exponent and a mantissa with these numbers of bits.
func short(x float64, exponent, mantissa int) uint16 {
	sign := uint16(0)
	if math.Signbit(x) {
		sign, x = 1<<15, -x
	}
	top := uint16(1<<exponent-1) << mantissa // the bits of infinity
	bias := 1<<(exponent-1) - 1
	switch {
	case math.IsNaN(x):
		return sign | top | 1<<(mantissa-1)
	case math.IsInf(x, 0):
		return sign | top
	case x == 0:
		return sign
	}
	_, e := math.Frexp(x)                            // x = f·2^e, f from a half to 1
	e = max(e-1, 1-bias)                             // smaller numbers have the exponent of the smallest normal one
	n := math.RoundToEven(math.Ldexp(x, mantissa-e)) // in units of the last place
	bits := int(n) + (e+bias-1)<<mantissa            // the leading one of a normal number adds 1 to the exponent
	if bits >= int(top) {
		return sign | top
	}
	return sign | uint16(bits)
}
