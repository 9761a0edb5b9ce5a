package safetensors_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/safetensors"
)

// TestAppendFloats rounds the numbers between all neighbours of both short types: the nearest of the two, and in the middle the even one.
func TestAppendFloats(t *testing.T) {
	for _, c := range []struct {
		dtype safetensors.DType
		from  func(uint16) float32
		top   uint16
	}{{safetensors.F16, safetensors.FromF16, 0x7c00}, {safetensors.BF16, safetensors.FromBF16, 0x7f80}} {
		check := func(x float64, want uint16) {
			got, err := safetensors.AppendFloats(nil, c.dtype, []float64{x, -x})
			if err != nil || binary.LittleEndian.Uint16(got) != want || binary.LittleEndian.Uint16(got[2:]) != want|1<<15 {
				t.Fatalf("%v: %g is %x, want %x; %v", c.dtype, x, got, want, err)
			}
		}
		for h := range c.top {
			x := float64(c.from(h))
			check(x, h)
			if h+1 == c.top {
				continue
			}
			up := float64(c.from(h + 1))
			middle := (x + up) / 2
			check(middle, h+h&1)
			check(math.Nextafter(middle, 0), h)
			check(math.Nextafter(middle, up), h+1)
		}
		check(math.Inf(1), c.top)
		largest := float64(c.from(c.top - 1))
		_, err := safetensors.AppendFloats(nil, c.dtype, []float64{largest * 1.01})
		require.ErrorContains(t, err, "is larger than any number of the type "+c.dtype.String())
		got, err := safetensors.AppendFloats(nil, c.dtype, []float64{math.NaN()})
		require.NoError(t, err)
		require.True(t, math.IsNaN(float64(c.from(binary.LittleEndian.Uint16(got)))))
	}
	got, err := safetensors.AppendFloats([]byte{7}, safetensors.F32, []float64{1 + 1e-12})
	require.NoError(t, err)
	require.Equal(t, []byte{7, 0, 0, 0x80, 0x3f}, got)
	got, err = safetensors.AppendFloats(nil, safetensors.F64, []float64{1e300})
	require.NoError(t, err)
	require.Equal(t, math.Float64bits(1e300), binary.LittleEndian.Uint64(got))
	_, err = safetensors.AppendFloats(nil, safetensors.F32, []float64{1e300})
	require.ErrorContains(t, err, "1e+300 is larger")
	_, err = safetensors.AppendFloats(nil, safetensors.I64, []float64{1})
	require.ErrorContains(t, err, "I64 is not a type of floats")
}
