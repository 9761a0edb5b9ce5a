package spec

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestScale checks the rates of layers: that of the head is the rate itself, and each layer below has a share of the one above.
func TestScale(t *testing.T) {
	r := Rate{Layers: 0.5}
	for l, want := range []float64{1. / 16, 1. / 8, 1. / 4, 1. / 2, 1} { // the tables, three layers, the head
		require.Equal(t, want, r.Scale(l, 3))
		require.Equal(t, 1.0, Rate{Layers: 1}.Scale(l, 3))
	}
}

// TestPercent checks that shares are written as short as users write them, and that the text reads back as the same share.
func TestPercent(t *testing.T) {
	for i := range 1000 {
		p := float64(i) / 10
		require.Equal(t, float(p)+" %", percent(p/100))
	}
	for _, share := range []float64{1. / 3, 0.07, 1e-12, 0.1 + 0.2, math.Nextafter(0.15, 1)} {
		text := percent(share)
		v, err := number(text[:len(text)-2])
		require.NoError(t, err)
		require.InDelta(t, share, v/100, 1e-16, text)
	}
}
