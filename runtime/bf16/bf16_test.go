package bf16

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRound compares with rounding in float64: the nearer of the two neighbours with 8 significant bits, and the even one between both.
func TestRound(t *testing.T) {
	for high := range uint32(1 << 16) {
		low, next := math.Float32frombits(high<<16), math.Float32frombits((high+1)<<16)
		if low != low || next != next || high&0x7fff == 0x7fff {
			continue
		}
		for _, rest := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
			x := math.Float32frombits(high<<16 | rest)
			want := low
			if rest > 0x8000 || rest == 0x8000 && high&1 == 1 {
				want = next
			}
			if math.Abs(float64(x)) < 0x1p-126 {
				want = float32(math.Copysign(0, float64(x)))
			}
			require.Equal(t, math.Float32bits(want), math.Float32bits(Round(x)), "%x", high<<16|rest)
		}
	}
	require.True(t, math.IsInf(float64(Round(math.MaxFloat32)), 1))
	for _, b := range []uint32{0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fc00000} {
		got := Round(math.Float32frombits(b))
		require.True(t, got != got, "%x is NaN", b)
		require.Equal(t, b&sign, math.Float32bits(got)&sign)
	}
}

// TestPair checks that a pair holds both numbers, rounded.
func TestPair(t *testing.T) {
	for _, x := range []float32{0, 1, -1, 3.14159, -1e30, 1e-40, float32(math.Inf(1))} {
		for _, y := range []float32{2, -0.1, 1e38} {
			require.Equal(t, Round(x), Lower(Pair(x, y)))
			require.Equal(t, Round(y), Upper(Pair(x, y)))
		}
	}
}
