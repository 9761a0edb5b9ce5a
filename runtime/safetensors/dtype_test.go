package safetensors

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHalfExact compares all 2¹⁶ half-precision numbers with their definition in float64.
func TestHalfExact(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		sign := 1.0
		if h&0x8000 != 0 {
			sign = -1
		}
		exp, frac := int(h>>10&31), float64(h&1023)
		got := FromF16(h)
		switch {
		case exp == 31 && frac != 0:
			require.True(t, math.IsNaN(float64(got)), "%#04x", h)
			require.Equal(t, uint32(h&0x8000)<<16|0x7f800000|uint32(h&1023)<<13, math.Float32bits(got), "%#04x", h)
			continue
		case exp == 31:
			require.Equal(t, math.Inf(int(sign)), float64(got), "%#04x", h)
		case exp == 0:
			require.Equal(t, sign*math.Ldexp(frac, -24), float64(got), "%#04x", h)
		default:
			require.Equal(t, sign*math.Ldexp(1+frac/1024, exp-15), float64(got), "%#04x", h)
		}
		require.Equal(t, h&0x8000 != 0, math.Signbit(float64(got)), "sign of %#04x", h)
	}
}

func TestBrainExact(t *testing.T) {
	for i := range 1 << 16 {
		require.Equal(t, uint32(i)<<16, math.Float32bits(FromBF16(uint16(i))))
	}
}

func TestDTypeNames(t *testing.T) {
	for _, name := range []string{"F64", "F32", "F16", "BF16", "I64", "I32", "U8", "I8", "BOOL"} {
		d, ok := ParseDType(name)
		require.True(t, ok, name)
		require.Equal(t, name, d.String())
		require.Positive(t, d.Size())
	}
	for _, name := range []string{"", "f32", "F8_E4M3", "U16", "unknown"} {
		_, ok := ParseDType(name)
		require.False(t, ok, name)
	}
	require.Equal(t, "unknown", DType(99).String())
	require.Zero(t, DType(99).Size())
}
