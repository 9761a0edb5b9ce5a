package dropout

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestShare checks the share of dropped elements, by rows, by columns and in all, against the deviation of independent draws.
func TestShare(t *testing.T) {
	const rows, columns = 512, 768
	for _, rate := range []float64{0.05, 0.1, 0.5} {
		limit := Limit(rate)
		byRow, byColumn, all := make([]int, rows), make([]int, columns), 0
		k := KeyOf(7, 3, 0, 2, 5)
		for r := range rows {
			for c := range columns {
				if Number(Row(k, r), c) < limit {
					byRow[r]++
					byColumn[c]++
					all++
				}
			}
		}
		within := func(count, n int) {
			t.Helper()
			require.InDelta(t, rate*float64(n), float64(count), 5*math.Sqrt(rate*(1-rate)*float64(n)))
		}
		within(all, rows*columns)
		for _, n := range byRow {
			within(n, columns)
		}
		for _, n := range byColumn {
			within(n, rows)
		}
	}
}

// TestIndependence checks that neighbouring columns, neighbouring rows, neighbouring steps, sites and layers are dropped together as often as independent
// elements.
func TestIndependence(t *testing.T) {
	const n, rate = 1 << 18, 0.25
	limit := Limit(rate)
	base := KeyOf(1, 0, 0, 0, 0)
	drop := func(k Key, r, c int) bool { return Number(Row(k, r), c) < limit }
	for name, other := range map[string]func(r, c int) bool{
		"column": func(r, c int) bool { return drop(base, r, c+1) },
		"row":    func(r, c int) bool { return drop(base, r+1, c) },
		"both":   func(r, c int) bool { return drop(base, r+1, c+1) },
		"step":   func(r, c int) bool { return drop(KeyOf(1, 1, 0, 0, 0), r, c) },
		"pass":   func(r, c int) bool { return drop(KeyOf(1, 0, 1, 0, 0), r, c) },
		"site":   func(r, c int) bool { return drop(KeyOf(1, 0, 0, 1, 0), r, c) },
		"layer":  func(r, c int) bool { return drop(KeyOf(1, 0, 0, 0, 1), r, c) },
		"seed":   func(r, c int) bool { return drop(KeyOf(2, 0, 0, 0, 0), r, c) },
	} {
		both := 0
		for i := range n {
			if r, c := i/512, i%512; drop(base, r, c) && other(r, c) {
				both++
			}
		}
		p := rate * rate
		require.InDelta(t, p*n, float64(both), 5*math.Sqrt(p*(1-p)*n), name)
	}
}

// TestRows checks rows of other distances, a first row other than 0, and work in place.
func TestRows(t *testing.T) {
	const n, m, ldx, ldy, rate = 5, 7, 8, 6, 0.4
	k := KeyOf(3, 1, 4, 1, 5)
	key := []int32{int32(k[0]), int32(k[1])}
	x, y := make([]float32, m*ldx), make([]float32, m*ldy)
	for i := range x {
		x[i] = float32(i + 1)
	}
	Rows(&y[0], &x[0], &key[0], n, ldx, ldy, rate, 0, m)
	part := make([]float32, m*ldy)
	Rows(&part[2*ldy], &x[2*ldx], &key[0], n, ldx, ldy, rate, 2, m-2)
	dropped := 0
	for r := range m {
		for c := range n {
			want := x[r*ldx+c] * float32(1/(1-rate))
			if Number(Row(k, r), c) < Limit(rate) {
				want = 0
				dropped++
			}
			require.Equal(t, want, y[r*ldy+c])
			if r >= 2 {
				require.Equal(t, want, part[r*ldy+c])
			}
		}
		require.Zero(t, y[r*ldy+n])
	}
	require.NotZero(t, dropped)
	Rows(&x[0], &x[0], &key[0], n, ldx, ldx, rate, 0, m)
	require.Equal(t, y[ldy], x[ldx])
}
