package safetensors

import (
	"encoding/binary"
	"math"
)

// DType is an element type of the format.
type DType uint8

// The element types that this package knows. Others are refused by name.
const (
	F64  DType = iota + 1 // IEEE 754 binary64
	F32                   // IEEE 754 binary32
	F16                   // IEEE 754 binary16
	BF16                  // the upper half of a binary32
	I64                   // two's complement, 64 bits
	I32                   // two's complement, 32 bits
	U8                    // one byte
	I8                    // two's complement, 8 bits
	Bool                  // one byte, 0 or 1
)

var dtypes = [...]struct {
	name string
	size int
}{
	F64: {"F64", 8}, F32: {"F32", 4}, F16: {"F16", 2}, BF16: {"BF16", 2},
	I64: {"I64", 8}, I32: {"I32", 4}, U8: {"U8", 1}, I8: {"I8", 1}, Bool: {"BOOL", 1},
}

// String returns the format's name for the type: F32, BOOL …
func (t DType) String() string {
	if int(t) < len(dtypes) && dtypes[t].name != "" {
		return dtypes[t].name
	}
	return "unknown"
}

// Size returns the size of one element in bytes, 0 for an unknown type.
func (t DType) Size() int {
	if int(t) < len(dtypes) {
		return dtypes[t].size
	}
	return 0
}

// ParseDType returns the element type with the given name in the format; ok is false if the name is
// unknown.
func ParseDType(name string) (DType, bool) {
	for t := F64; int(t) < len(dtypes); t++ {
		if dtypes[t].name == name {
			return t, true
		}
	}
	return 0, false
}

// FromF16 widens an IEEE 754 binary16 exactly. NaNs keep their sign and payload.
func FromF16(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h) & 0x3ff
	switch {
	case exp == 0x1f: // infinity, NaN
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
	case frac == 0:
		return math.Float32frombits(sign)
	}
	// A subnormal is frac·2⁻²⁴, which is a normal number in float32.
	f := float32(frac) * (1.0 / (1 << 24))
	return math.Float32frombits(sign | math.Float32bits(f))
}

// FromBF16 widens a bfloat16 exactly.
func FromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// floats converts src, elements of type t, into dst. F64 is rounded to the nearest float32; the
// other types are exact. It reports whether t is a float type.
func floats(dst []float32, src []byte, t DType) bool {
	le := binary.LittleEndian
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	case F16:
		for i := range dst {
			dst[i] = FromF16(le.Uint16(src[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = FromBF16(le.Uint16(src[2*i:]))
		}
	default:
		return false
	}
	return true
}

// ints converts src, elements of type t, into dst, and reports whether t is an
// integer type or BOOL.
func ints(dst []int64, src []byte, t DType) bool {
	le := binary.LittleEndian
	switch t {
	case I64:
		for i := range dst {
			dst[i] = int64(le.Uint64(src[8*i:]))
		}
	case I32:
		for i := range dst {
			dst[i] = int64(int32(le.Uint32(src[4*i:])))
		}
	case I8:
		for i := range dst {
			dst[i] = int64(int8(src[i]))
		}
	case U8, Bool:
		for i := range dst {
			dst[i] = int64(src[i])
		}
	default:
		return false
	}
	return true
}
