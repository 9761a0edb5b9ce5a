package kernels

import (
	"math"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/bf16"
)

type layerNormFunc = func(y, x, g, b *float32, m int)

// normalize returns the reference of a normalised row in float64.
func normalize(x, g, b []float32, eps float64) []float64 {
	var mean, variance float64
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean)
	}
	variance /= float64(len(x))
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (float64(v)-mean)/math.Sqrt(variance+eps)*float64(g[i]) + float64(b[i])
	}
	return y
}

// layerNormCase draws gain, shift (padded to 16 with zeros) and m rows whose padding is NaN.
func layerNormCase(p kernel.LayerNormParams, m, shift int, draw func(i, n int) float32) (x, g, b *buffer) {
	rng := random(6)
	x, g, b = newBuffer(m*p.LDX, shift), newBuffer((p.H+15)/16*16, shift), newBuffer((p.H+15)/16*16, shift)
	for _, v := range []*buffer{g, b} {
		fill(v.data, func(i int) float32 {
			if i >= p.H {
				return 0
			}
			return float32(rng.NormFloat64())
		})
	}
	for i := range m {
		fill(x.data[i*p.LDX:i*p.LDX+p.H], func(n int) float32 { return draw(i, n) })
	}
	return x, g, b
}

// TestLayerNorm compares normalisation with float64 for rows of several scales and offsets, for every number of rows, and in place.
func TestLayerNorm(t *testing.T) {
	eachISA(t, "layernorm", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.LayerNormSamples() {
			name := kernel.LayerNormName(p, isa.Name)
			f := function[layerNormFunc](t, name)
			const m = 33
			rng := random(7)
			// Row i has the scale 10^(i mod 7 - 3) and an offset up to 30 times that.
			x, g, b := layerNormCase(p, m, 1, func(i, n int) float32 {
				scale := math.Pow(10, float64(i%7-3))
				return float32(scale * (rng.NormFloat64() + float64(i%4)*10))
			})
			width := (p.H + 15) / 16 * 16
			y := newBuffer(m*p.LDY, 2)
			f(y.p(0), x.p(0), g.p(0), b.p(0), m)
			y.checkGuards(t, m, width, p.LDY)
			for i := range m {
				row := x.data[i*p.LDX : i*p.LDX+p.H]
				var largest float64
				for _, v := range row {
					largest = max(largest, math.Abs(float64(v)))
				}
				want := normalize(row, g.data, b.data, p.Eps)
				var mean, square float64
				for _, v := range row {
					mean += float64(v) / float64(p.H)
				}
				for _, v := range row {
					square += (float64(v) - mean) * (float64(v) - mean) / float64(p.H)
				}
				rstd := 1 / math.Sqrt(square+p.Eps)
				for n := range width {
					got := float64(y.data[i*p.LDY+n])
					if n >= p.H {
						if got != 0 {
							t.Fatalf("%s: pad (%d, %d) is %g, want 0", name, i, n, got)
						}
						continue
					}
					// The mean is off by a few roundings of the largest element. The later steps add a few roundings of the result.
					gain := math.Abs(float64(g.data[n]))
					tol := (4*largest*rstd*gain + 8*math.Abs(want[n]-float64(b.data[n])) + 2*math.Abs(want[n])) * 0x1p-24
					if !(math.Abs(got-want[n]) <= tol) {
						t.Fatalf("%s: element (%d, %d) is %g, want %g ± %g", name, i, n, got, want[n], tol)
					}
				}
			}
			for rows := 1; rows <= 30; rows++ {
				part := newBuffer(rows*p.LDY, 5)
				f(part.p(0), x.p(0), g.p(0), b.p(0), rows)
				part.checkGuards(t, rows, width, p.LDY)
				sameRows(t, name, part, y, rows, p.H, p.LDY)
			}
			if p.LDX == p.LDY {
				f(x.p(0), x.p(0), g.p(0), b.p(0), m)
				sameRows(t, name+" in place", x, y, m, p.H, p.LDY)
			}
		}
	})
}

// sameRows fails unless the first n floats of m rows have the same bits.
func sameRows(t *testing.T, name string, got, want *buffer, m, n, ld int) {
	t.Helper()
	for i := range m {
		for j := range n {
			a, b := got.data[i*ld+j], want.data[i*ld+j]
			if math.Float32bits(a) != math.Float32bits(b) {
				t.Fatalf("%s: m = %d: element (%d, %d) is %g, want the bits of %g", name, m, i, j, a, b)
			}
		}
	}
}

// TestLayerNormSpecial checks that a constant row becomes the shift, that NaN and infinities stay in their row, and that denormal rows are not flushed.
func TestLayerNormSpecial(t *testing.T) {
	eachISA(t, "layernorm", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.LayerNormSamples() {
			name := kernel.LayerNormName(p, isa.Name)
			f := function[layerNormFunc](t, name)
			x, g, b := layerNormCase(p, 4, 0, func(i, n int) float32 {
				return [4]float32{2, 2, 2, 0x1p-130}[i]
			})
			x.data[1*p.LDX+p.H/2] = float32(math.NaN())
			x.data[2*p.LDX+p.H-1] = float32(math.Inf(1))
			y := newBuffer(4*p.LDY, 0)
			f(y.p(0), x.p(0), g.p(0), b.p(0), 4)
			for n := range p.H {
				for _, i := range []int{0, 3} {
					if got := y.data[i*p.LDY+n]; got != b.data[n] {
						t.Fatalf("%s: constant row %d: element %d is %g, want the shift %g", name, i, n, got, b.data[n])
					}
				}
				for _, i := range []int{1, 2} {
					if got := y.data[i*p.LDY+n]; got == got {
						t.Fatalf("%s: element (%d, %d) is %g, want NaN", name, i, n, got)
					}
				}
			}
		}
	})
}

// TestEmbed compares look-ups with the table, float by float.
func TestEmbed(t *testing.T) {
	eachISA(t, "embed", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.EmbedSamples() {
			name := kernel.EmbedName(p, isa.Name)
			f := function[func(y *float32, ids *int32, table *float32, m int)](t, name)
			const rows = 37
			rng := random(8)
			table := newBuffer(rows*p.LDT, 1)
			for r := range rows {
				fill(table.data[r*p.LDT:r*p.LDT+p.H], func(n int) float32 {
					if n == r%p.H {
						return 0x1p-140
					}
					return float32(rng.NormFloat64())
				})
			}
			width := (p.H + 15) / 16 * 16
			for m := 1; m <= 30; m++ {
				ids := make([]int32, m)
				for i := range ids {
					ids[i] = int32(rng.IntN(rows))
				}
				ids[m-1] = rows - 1
				y := newBuffer(m*p.LDY, 3)
				old := make([]float32, m*p.LDY)
				if p.Add {
					fill(old, func(int) float32 { return float32(rng.NormFloat64()) })
					for i := range m {
						copy(y.data[i*p.LDY:i*p.LDY+width], old[i*p.LDY:])
					}
				}
				f(y.p(0), &ids[0], table.p(0), m)
				y.checkGuards(t, m, width, p.LDY)
				for i, id := range ids {
					for n := range width {
						want := old[i*p.LDY+n]
						if n < p.H {
							want += table.data[int(id)*p.LDT+n]
						}
						if got := y.data[i*p.LDY+n]; got != want {
							t.Fatalf("%s: element (%d, %d) is %g, want %g", name, i, n, got, want)
						}
					}
				}
			}
		}
	})
}

// TestPairEmbed compares look-ups in a table of bfloat16 with the table, number by number.
func TestPairEmbed(t *testing.T) {
	eachISA(t, "pair_embed", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.PairEmbedSamples() {
			name := kernel.EmbedName(p, isa.Name)
			f := function[func(y *float32, ids, table *int32, m int)](t, name)
			const rows = 37
			rng := random(8)
			table := make([]int32, rows*p.LDT)
			at := func(r, n int) float32 { return float32(rows*n-r) / 64 }
			width := (p.H + 15) / 16 * 16
			for i := range table {
				r, n := i/p.LDT, i%p.LDT*2
				x, y := at(r, n), at(r, n+1)
				if n >= p.H {
					x = 0
				}
				if n+1 >= p.H {
					y = 0
				}
				table[i] = bf16.Pair(x, y)
			}
			for m := 1; m <= 30; m++ {
				ids := make([]int32, m)
				for i := range ids {
					ids[i] = int32(rng.IntN(rows))
				}
				ids[m-1] = rows - 1
				y := newBuffer(m*p.LDY, 3)
				old := make([]float32, m*p.LDY)
				if p.Add {
					fill(old, func(int) float32 { return float32(rng.NormFloat64()) })
					for i := range m {
						copy(y.data[i*p.LDY:i*p.LDY+width], old[i*p.LDY:])
					}
				}
				f(y.p(0), &ids[0], &table[0], m)
				y.checkGuards(t, m, width, p.LDY)
				for i, id := range ids {
					for n := range width {
						want := old[i*p.LDY+n]
						if n < p.H {
							want += bf16.Round(at(int(id), n))
						}
						if got := y.data[i*p.LDY+n]; got != want {
							t.Fatalf("%s: element (%d, %d) is %g, want %g", name, i, n, got, want)
						}
					}
				}
			}
		}
	})
}
