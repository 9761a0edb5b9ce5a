package kernels

import (
	"math"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

type (
	momentsFunc       = func(y, x *float32, m int)
	layerNormGradFunc = func(y, dy, x, gain, moments *float32, m int)
	colSumFunc        = func(y, x *float32, rows, cols, ldx, add int)
	colSumHatFunc     = func(y, dy, x, moments *float32, rows, cols, ldd, ldx, ldm, add int)
)

// meanOf returns the mean and 1/√(variance + eps) of a row in float64, and its largest magnitude.
func meanOf(x []float32, eps float64) (mean, rstd, largest float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
		largest = max(largest, math.Abs(float64(v)))
	}
	square := 0.0
	for _, v := range x {
		square += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	return mean, 1 / math.Sqrt(square+eps), largest
}

// scaledRows draws rows of several scales and offsets.
func scaledRows(seed uint64) func(i, n int) float32 {
	rng := random(seed)
	return func(i, n int) float32 {
		return float32(math.Pow(10, float64(i%7-3)) * (rng.NormFloat64() + float64(i%4)*10))
	}
}

// TestMoments compares the mean and 1/σ of rows of several scales and offsets with float64.
func TestMoments(t *testing.T) {
	eachISA(t, "moments", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.MomentsSamples() {
			name := kernel.MomentsName(p, isa.Name)
			f := function[momentsFunc](t, name)
			const m = 33
			x, _, _ := layerNormCase(kernel.LayerNormParams{H: p.H, LDX: p.LDX}, m, 1, scaledRows(21))
			y := newBuffer(m*p.LDY, 2)
			f(y.p(0), x.p(0), m)
			y.checkGuards(t, m, 2, p.LDY)
			for i := range m {
				mean, rstd, largest := meanOf(x.data[i*p.LDX:i*p.LDX+p.H], p.Eps)
				if got := float64(y.data[i*p.LDY]); !(math.Abs(got-mean) <= 4*largest*0x1p-24) {
					t.Fatalf("%s: mean of row %d is %g, want %g", name, i, got, mean)
				}
				// The mean is off by a few roundings of the largest element, and the differences to it by as many.
				if got := float64(y.data[i*p.LDY+1]); !(math.Abs(got-rstd) <= rstd*(8+8*largest*rstd)*0x1p-24) {
					t.Fatalf("%s: 1/σ of row %d is %g, want %g", name, i, got, rstd)
				}
			}
		}
	})
}

// TestLayerNormGrad compares the gradient of a normalisation with float64, for every number of rows, and in the memory of dy and x.
func TestLayerNormGrad(t *testing.T) {
	eachISA(t, "layernorm_grad", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.LayerNormGradSamples() {
			name := kernel.LayerNormGradName(p, isa.Name)
			f := function[layerNormGradFunc](t, name)
			const m = 33
			rng := random(22)
			x, gain, _ := layerNormCase(kernel.LayerNormParams{H: p.H, LDX: p.LDX}, m, 1, scaledRows(23))
			dy, _, _ := layerNormCase(kernel.LayerNormParams{H: p.H, LDX: p.LDD}, m, 2, func(int, int) float32 { return float32(rng.NormFloat64()) })
			moments := newBuffer(m*p.LDM, 3)
			for i := range m {
				mean, rstd, _ := meanOf(x.data[i*p.LDX:i*p.LDX+p.H], 1e-7)
				moments.data[i*p.LDM], moments.data[i*p.LDM+1] = float32(mean), float32(rstd)
			}
			width := (p.H + 15) / 16 * 16
			y := newBuffer(m*p.LDY, 4)
			f(y.p(0), dy.p(0), x.p(0), gain.p(0), moments.p(0), m)
			y.checkGuards(t, m, width, p.LDY)
			for i := range m {
				mean, rstd := float64(moments.data[i*p.LDM]), float64(moments.data[i*p.LDM+1])
				d, hat := make([]float64, p.H), make([]float64, p.H)
				var sum, inner, size, sizes float64
				for n := range p.H {
					d[n] = float64(dy.data[i*p.LDD+n]) * float64(gain.data[n])
					hat[n] = (float64(x.data[i*p.LDX+n]) - mean) * rstd
					sum += d[n] / float64(p.H)
					inner += d[n] * hat[n] / float64(p.H)
					size += math.Abs(d[n]) / float64(p.H)
					sizes += math.Abs(d[n]*hat[n]) / float64(p.H)
				}
				for n := range width {
					got := float64(y.data[i*p.LDY+n])
					if n >= p.H {
						if got != 0 {
							t.Fatalf("%s: pad (%d, %d) is %g, want 0", name, i, n, got)
						}
						continue
					}
					want := rstd * (d[n] - sum - hat[n]*inner)
					tol := 8 * rstd * (math.Abs(d[n]) + size + math.Abs(hat[n])*sizes) * 0x1p-24
					if !(math.Abs(got-want) <= tol) {
						t.Fatalf("%s: element (%d, %d) is %g, want %g ± %g", name, i, n, got, want, tol)
					}
				}
			}
			for rows := 1; rows <= 20; rows++ {
				part := newBuffer(rows*p.LDY, 5)
				f(part.p(0), dy.p(0), x.p(0), gain.p(0), moments.p(0), rows)
				sameRows(t, name, part, y, rows, p.H, p.LDY)
			}
			if p.LDD != p.LDY || p.LDX != p.LDY {
				continue
			}
			kept := append([]float32(nil), x.data...)
			f(x.p(0), dy.p(0), x.p(0), gain.p(0), moments.p(0), m)
			sameRows(t, name+" in place of x", x, y, m, p.H, p.LDY)
			copy(x.data, kept)
			f(dy.p(0), dy.p(0), x.p(0), gain.p(0), moments.p(0), m)
			sameRows(t, name+" in place of dy", dy, y, m, p.H, p.LDY)
		}
	})
}

// TestColSum compares sums of columns with float64, for numbers of columns around whole vectors, and in parts of the rows.
func TestColSum(t *testing.T) {
	eachISA(t, "col_sum", func(t *testing.T, isa kernel.ISA) {
		plain := function[colSumFunc](t, kernel.ColSumName(false, isa.Name))
		hat := function[colSumHatFunc](t, kernel.ColSumName(true, isa.Name))
		const rows, ldm = 41, 16
		for _, cols := range []int{1, 7, 8, 9, 15, 16, 17, 45, 63, 64, 65, 128, 129, 150, 300} {
			for _, normalised := range []bool{false, true} {
				rng := random(24)
				ldx, ldd := cols+3, cols+5
				x, dy, moments := newBuffer((rows-1)*ldx+cols, 1), newBuffer((rows-1)*ldd+cols, 2), newBuffer(rows*ldm, 3)
				for r := range rows {
					fill(x.data[r*ldx:r*ldx+cols], func(int) float32 { return float32(rng.NormFloat64()) })
					fill(dy.data[r*ldd:r*ldd+cols], func(int) float32 { return float32(rng.NormFloat64()) })
					fill(moments.data[r*ldm:r*ldm+2], func(int) float32 { return float32(rng.NormFloat64()) })
				}
				call := func(y *buffer, from, to, add int) {
					if normalised {
						hat(y.p(0), dy.p(from*ldd), x.p(from*ldx), moments.p(from*ldm), to-from, cols, ldd, ldx, ldm, add)
						return
					}
					plain(y.p(0), x.p(from*ldx), to-from, cols, ldx, add)
				}
				y, parts := newBuffer(cols, 4), newBuffer(cols, 0)
				call(y, 0, rows, 0)
				y.checkGuards(t, 1, cols, cols)
				call(parts, 0, 7, 0)
				call(parts, 7, 8, 1)
				call(parts, 8, rows, 1)
				sameRows(t, "rows in parts", parts, y, 1, cols, cols)
				for c := range cols {
					want, size := 0.0, 0.0
					for r := range rows {
						v := float64(x.data[r*ldx+c])
						if normalised {
							v = (v - float64(moments.data[r*ldm])) * float64(moments.data[r*ldm+1]) * float64(dy.data[r*ldd+c])
							size += math.Abs(float64(moments.data[r*ldm]) * float64(moments.data[r*ldm+1]) * float64(dy.data[r*ldd+c]))
						}
						want += v
						size += math.Abs(v)
					}
					// The partial sums have the size of a random walk; 4 of its roundings are below 4 roundings of the sum of magnitudes.
					if got := float64(y.data[c]); !(math.Abs(got-want) <= 4*size*0x1p-24) {
						t.Fatalf("%d columns, normalised %t: column %d is %g, want %g", cols, normalised, c, got, want)
					}
				}
			}
		}
	})
}
