package attention

import "testing"

// shapes holds the shapes of v3 base, of a score without relative terms, of one with every term, and of mixed heads.
var shapes = []Shape{
	{DP: 64, LDQ: 2320, LDK: 2320, LDO: 784, R: 512, Terms: Terms{Content: true, KeyPosition: Forward, QueryPosition: Forward}},
	{DP: 32, LDQ: 192, LDK: 192, LDO: 64, Terms: Terms{Content: true}},
	{DP: 16, LDQ: 96, LDK: 96, LDO: 32, R: 21, Terms: Terms{Content: true, KeyPosition: Reverse, QueryPosition: Forward, Bias: true}, Masked: true},
	{DP: 16, LDQ: 96, LDK: 96, LDO: 32, R: 16, Terms: Terms{KeyPosition: Forward}, Mixed: 12},
}

// TestScratch checks that every array has whole cache lines, so that the next one is aligned, that the length of the scratch memory is at most linear in n, and
// that a longer sequence never needs less.
func TestScratch(t *testing.T) {
	for _, s := range shapes {
		last := 0
		for _, n := range []int{1, 15, 16, 17, 100, 560, 561, 600, 16384} {
			for i, l := range s.lengths(n) {
				if l%16 != 0 {
					t.Errorf("%+v, n = %d: array %d has %d floats", s, n, i, l)
				}
			}
			got := s.Scratch(n)
			rows := (n + 15) / 16 * 16
			if most := rows*(s.LDR()*2+s.DP*4+LDS+8+s.Mixed*17) + 8192; got > most || got < last {
				t.Errorf("%+v, n = %d: %d floats of scratch, more than %d, or less than %d", s, n, got, most, last)
			}
			last = got
		}
	}
}

// TestMaps computes strips whose probabilities identify their places, and finds each at its place.
func TestMaps(t *testing.T) {
	const n = 21
	f := Form{Shape: Shape{DP: 16, LDO: 16, Mixed: 3}}
	f.Portable = func(c Call) {
		rows := c.To - c.From
		p := floats(c.Scratch, f.Mixed*rows*n)
		for e := range p {
			p[e] = float32((e/(rows*n)*n+c.From+e/n%rows)*n + e%n)
		}
		if rows < 1 || rows > PortableStrip {
			t.Errorf("a strip of %d queries", rows)
		}
	}
	o, scratch, maps := make([]float32, n*16), make([]float32, f.Scratch(n)), make([]float32, 3*n*n)
	f.Maps(Call{O: &o[0], Scratch: &scratch[0], N: n, To: n}, &maps[0], n*n)
	for e, p := range maps {
		if p != float32(e) {
			t.Fatalf("probability %d is %g", e, p)
		}
	}
}

// TestHoles checks that missing rows are found by the first and the last position.
func TestHoles(t *testing.T) {
	for want, positions := range map[bool][]int32{false: {7, 8, 9}, true: {0, 1, 3}} {
		c := Call{Positions: &positions[0], N: 3}
		if c.holes() != want {
			t.Errorf("holes of %v: %v", positions, !want)
		}
	}
	if (&Call{N: 3}).holes() {
		t.Error("holes without positions")
	}
}
