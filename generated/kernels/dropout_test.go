package kernels

import (
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/dropout"
)

type dropoutFunc = func(y, x *float32, key *int32, at, m int)

// TestDropout compares dropout with package dropout, bit by bit, for every number of rows, rows from a later number on, and in place.
func TestDropout(t *testing.T) {
	eachISA(t, "dropout", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.DropoutSamples() {
			name := kernel.DropoutName(p, isa.Name)
			f := function[dropoutFunc](t, name)
			rng := random(12)
			key := []int32{int32(rng.Uint32()), int32(rng.Uint32())}
			width := (p.N + 15) / 16 * 16
			for _, first := range []int{0, 3, 1 << 20} {
				for m := 1; m <= 33; m += 8 {
					x, y, want := newBuffer(m*p.LDX, 1), newBuffer(m*p.LDY, 2), newBuffer(m*p.LDY, 0)
					for i := range m {
						fill(x.data[i*p.LDX:i*p.LDX+p.N], func(int) float32 { return float32(rng.NormFloat64()) })
					}
					dropout.Rows(want.p(0), x.p(0), &key[0], p.N, p.LDX, p.LDY, p.Rate, first, m)
					f(y.p(0), x.p(0), &key[0], first, m)
					y.checkGuards(t, m, width, p.LDY)
					sameRows(t, name, y, want, m, p.N, p.LDY)
					for i := range m {
						for n := p.N; n < width; n++ {
							if got := y.data[i*p.LDY+n]; got != 0 {
								t.Fatalf("%s: pad (%d, %d) is %g, want 0", name, i, n, got)
							}
						}
					}
					if p.LDX == p.LDY {
						f(x.p(0), x.p(0), &key[0], first, m)
						sameRows(t, name+" in place", x, want, m, p.N, p.LDY)
					}
				}
			}
		}
	})
}
