package runtime

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAbove(t *testing.T) {
	c := &Classification{Scores: []float32{0.2, 0.9, 0.5, 0.9, 0}}
	for _, x := range []struct {
		thresholds []float32
		want       []int
	}{
		{[]float32{0.5}, []int{1, 3, 2}}, {[]float32{0}, []int{1, 3, 2, 0, 4}}, {[]float32{1}, []int{}}, {[]float32{0.1, 0.95, 0.5, 0.9, 0.1}, []int{3, 2, 0}},
	} {
		got, err := c.Above(x.thresholds...)
		require.NoError(t, err)
		require.Equal(t, x.want, got)
	}
	nan := float32(math.NaN())
	for _, thresholds := range [][]float32{{}, {0.5, 0.5}, {-1}, {1.5}, {nan}, {0, 0, nan, 0, 0}} {
		_, err := c.Above(thresholds...)
		require.ErrorIs(t, err, ErrInput)
		require.ErrorContains(t, err, "thresholds")
	}
}
