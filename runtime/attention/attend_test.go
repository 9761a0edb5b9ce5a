package attention

import (
	"fmt"
	"testing"
)

// TestSpans divides batches into runs of adjacent rows that are computed.
func TestSpans(t *testing.T) {
	starts := []int32{0, 3, 4, 9}
	for _, c := range []struct {
		rows   Rows
		picked []int32
		want   string
	}{
		{Each, nil, "[{0 3 0} {0 1 3} {0 5 4}]"},
		{First, nil, "[{0 1 0} {0 1 1} {0 1 2}]"},
		{Picked, []int32{1, 2, 3, 4, 5, 8}, "[{1 3 0} {0 1 2} {0 2 3} {4 5 5}]"},
		{Picked, []int32{8}, "[{4 5 0}]"},
		{Picked, nil, "[]"},
	} {
		a, call, got := Attend{Rows: c.rows}, AttendCall{Starts: starts, Picked: c.picked}, []span{}
		for s := range len(starts) - 1 {
			a.eachSpan(&call, s, func(s span) { got = append(got, s) })
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("rows %d, picked %v: %v, want %s", c.rows, c.picked, got, c.want)
		}
	}
}

// TestGradStrip checks that the numbers of a strip against all keys stay below a bound until strips cannot be smaller, and that strips are whole vectors.
func TestGradStrip(t *testing.T) {
	for n := range 20000 {
		m := gradStrip(n)
		if m%width != 0 || m < width || m > 128 || m > width && m*n > 1<<16 {
			t.Fatalf("a strip of %d queries for %d rows", m, n)
		}
		if (n+width-1)/width != (n+width)/width && m < gradStrip(n+1) {
			t.Fatalf("strips of %d queries for %d rows, of %d for one more", m, n, gradStrip(n+1))
		}
	}
}

// TestOrder moves the sums of runs to the places of their rows, as the kernels do: for every set of lanes in which a run ends.
func TestOrder(t *testing.T) {
	for _, rises := range []bool{false, true} {
		o := OrderOf(8, rises)
		start, span := int(o[256*8]), int(o[256*8+1])
		for ends := 128; ends < 256; ends++ { // the last lane ends a run
			row, step := 100, map[bool]int{false: -1, true: 1}[rises]
			first := row
			window := map[int]int{} // row → lane
			for lane := range 8 {
				if ends>>lane&1 == 1 {
					window[row] = lane
					row += step
				}
			}
			for place, lane := range o[ends*8:][:8] {
				want, ok := window[first+start+place]
				if ok != (lane >= 0) || ok && int(lane) != want {
					t.Fatalf("rises %v, ends %b: place %d holds lane %d, want %d, %v", rises, ends, place, lane, want, ok)
				}
			}
		}
		wide := OrderOf(16, rises)
		if got := int(wide[16]) * 7; got != start*15 || int(wide[17])*7 != span*15 {
			t.Errorf("rises %v: 16 lanes begin at %d with a span of %d", rises, wide[16], wide[17])
		}
	}
}
