package kernels

import (
	"fmt"
	"math"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

type (
	gemmTNFunc = func(c, a, b *float32, rows, cols, terms, lda, ldb, ldc, add int)
	pairTNFunc = func(c *float32, a, b *int32, rows, cols, terms, lda, ldb, ldc, add int)
)

// gemmTNOf returns the kernel of floats or of pairs, with one signature.
func gemmTNOf(t testing.TB, pairs bool, isa kernel.ISA) gemmTNFunc {
	t.Helper()
	name := kernel.GemmTNName(pairs, isa.Name)
	if !pairs {
		return function[gemmTNFunc](t, name)
	}
	f := function[pairTNFunc](t, name)
	return func(c, a, b *float32, rows, cols, terms, lda, ldb, ldc, add int) {
		f(c, pairsAt(a), pairsAt(b), rows, cols, terms, lda, ldb, ldc, add)
	}
}

// eachTN runs f for every instruction set of both families.
func eachTN(t *testing.T, f func(t *testing.T, isa kernel.ISA, pairs bool)) {
	for family, pairs := range map[string]bool{"gemm_tn": false, "pair_gemm_tn": true} {
		t.Run(family, func(t *testing.T) {
			eachISA(t, family, func(t *testing.T, isa kernel.ISA) { f(t, isa, pairs) })
		})
	}
}

// tnCase is a transposed product: a [terms, lda], b [terms, ldb], and c [rows, ldc] before it.
type tnCase struct {
	pairs                            bool
	rows, cols, terms, lda, ldb, ldc int
	a, b, c                          *buffer
}

// newTNCase draws the inputs. The padding of a and b is NaN, which must not reach a result. Nothing lies after the last column of the last row.
func newTNCase(pairs bool, rows, cols, terms, shift int, draw func() float32) *tnCase {
	p := &tnCase{pairs: pairs, rows: rows, cols: cols, terms: terms, lda: rows + shift, ldb: cols + 2*shift, ldc: cols + 3*shift}
	matrix := func(m, n, ld int, draw func() float32) *buffer {
		x := newBuffer((m-1)*ld+n, shift)
		for i := range m {
			fill(x.data[i*ld:i*ld+n], func(int) float32 { return draw() })
		}
		return x
	}
	factor := draw
	if pairs {
		factor = func() float32 { return pairOf(draw(), draw()) }
	}
	p.a, p.b, p.c = matrix(terms, rows, p.lda, factor), matrix(terms, cols, p.ldb, factor), matrix(rows, cols, p.ldc, draw)
	return p
}

// run calls the kernel for the terms in the given parts, checks the guards and returns c.
func (p *tnCase) run(t *testing.T, f gemmTNFunc, add bool, shift int, parts ...int) *buffer {
	t.Helper()
	c := newBuffer((p.rows-1)*p.ldc+p.cols, shift)
	flag := 0
	if add {
		flag = 1
		for i := range p.rows {
			copy(c.data[i*p.ldc:i*p.ldc+p.cols], p.c.data[i*p.ldc:])
		}
	}
	done := 0
	for _, n := range append(parts, p.terms) {
		f(c.p(0), p.a.p(done*p.lda), p.b.p(done*p.ldb), p.rows, p.cols, n-done, p.lda, p.ldb, p.ldc, flag)
		done, flag = n, 1
	}
	c.checkGuards(t, p.rows, p.cols, p.ldc)
	return c
}

// want returns element (n, k) in float64, and the sum of the squares of its terms.
func (p *tnCase) want(n, k int, add bool) (y, square float64) {
	if add {
		y = float64(p.c.data[n*p.ldc+k])
		square = y * y
	}
	for t := range p.terms {
		for _, v := range terms(p.pairs, p.a.data[t*p.lda+n], p.b.data[t*p.ldb+k]) {
			y += v
			square += v * v
		}
	}
	return y, square
}

// TestGemmTNExact multiplies small integers, whose sums float32 holds exactly, for every height and width of the last tile.
func TestGemmTNExact(t *testing.T) {
	eachTN(t, func(t *testing.T, isa kernel.ISA, pairs bool) {
		f := gemmTNOf(t, pairs, isa)
		rng := random(11)
		for rows := 1; rows <= 2*isa.TileRows+1; rows++ {
			for cols := 1; cols <= 3*isa.Lanes()+1; cols++ {
				for _, add := range []bool{false, true} {
					shift := (rows + cols) % 3
					p := newTNCase(pairs, rows, cols, 1+(rows+cols)%7, shift, func() float32 { return float32(rng.IntN(9) - 4) })
					c := p.run(t, f, add, shift)
					for n := range rows {
						for k := range cols {
							if want, _ := p.want(n, k, add); float64(c.data[n*p.ldc+k]) != want {
								t.Fatalf("%d×%d: element (%d, %d) is %g, want %g", rows, cols, n, k, c.data[n*p.ldc+k], want)
							}
						}
					}
				}
			}
		}
	})
}

// TestGemmTNRandom compares products of random numbers with float64, and checks that the bits do not depend on how the terms, rows and columns are divided into
// calls.
func TestGemmTNRandom(t *testing.T) {
	eachTN(t, func(t *testing.T, isa kernel.ISA, pairs bool) {
		f := gemmTNOf(t, pairs, isa)
		rng := random(12)
		for _, size := range [][3]int{{1, 1, 1}, {64, 64, 64}, {29, 45, 300}, {15, 33, 77}, {71, 100, 131}} {
			p := newTNCase(pairs, size[0], size[1], size[2], 5, func() float32 { return float32(rng.NormFloat64()) })
			for _, add := range []bool{false, true} {
				all := p.run(t, f, add, 0)
				for n := range p.rows {
					for k := range p.cols {
						want, square := p.want(n, k, add)
						tol := 4 * math.Sqrt(float64(len(terms(pairs, 0, 0))*p.terms+1)*square) * 0x1p-24
						if got := float64(all.data[n*p.ldc+k]); !(math.Abs(got-want) <= tol) {
							t.Fatalf("%v: element (%d, %d) is %g, want %g ± %g", size, n, k, got, want, tol)
						}
					}
				}
				if p.terms > 7 {
					sameRows(t, "terms in parts", p.run(t, f, add, 2, 1, 5, p.terms/2), all, p.rows, p.cols, p.ldc)
				}
			}
			whole := p.run(t, f, false, 0)
			n, k := p.rows/2, p.cols/3
			part := newBuffer(p.rows*p.ldc, 0)
			f(part.p(0), p.a.p(n), p.b.p(k), p.rows-n, p.cols-k, p.terms, p.lda, p.ldb, p.ldc, 0)
			for i := n; i < p.rows; i++ {
				for j := k; j < p.cols; j++ {
					if got, want := part.data[(i-n)*p.ldc+j-k], whole.data[i*p.ldc+j]; math.Float32bits(got) != math.Float32bits(want) {
						t.Fatalf("%v: element (%d, %d) is %g in a smaller block, else %g", size, i, j, got, want)
					}
				}
			}
		}
	})
}

// TestGemmTNSpecial checks that NaN and infinities reach only their row or column, and that denormals are not flushed. Products of pairs may take denormals as
// 0.
func TestGemmTNSpecial(t *testing.T) {
	eachTN(t, func(t *testing.T, isa kernel.ISA, pairs bool) {
		f := gemmTNOf(t, pairs, isa)
		p := newTNCase(pairs, 33, 45, 8, 1, func() float32 { return 1 })
		small, each, nan, inf := float32(0x1p-140), 8.0, float32(math.NaN()), float32(math.Inf(-1))
		factor := small
		if pairs {
			small, each = 0x1p-120, 16
			factor, nan, inf = pairOf(small, small), pairOf(nan, 1), pairOf(small, inf)
		}
		for i := range p.b.data {
			if !isBlank(p.b.data[i]) {
				p.b.data[i] = factor
			}
		}
		const nanRow, infCol = 17, 40
		p.a.data[3*p.lda+nanRow] = nan
		p.b.data[5*p.ldb+infCol] = inf
		c := p.run(t, f, false, 0)
		for n := range p.rows {
			for k := range p.cols {
				got := float64(c.data[n*p.ldc+k])
				switch {
				case n == nanRow:
					if !math.IsNaN(got) {
						t.Fatalf("element (%d, %d) is %g, want NaN", n, k, got)
					}
				case k == infCol:
					if !math.IsInf(got, -1) {
						t.Fatalf("element (%d, %d) is %g, want -Inf", n, k, got)
					}
				case got != each*float64(small):
					t.Fatalf("element (%d, %d) is %g, want the denormal %g", n, k, got, each*float64(small))
				}
			}
		}
	})
}

// weightGradient computes c = aᵀ·b block by block, as a step of training does: a block of the result takes all terms before the next one, in chunks.
//
//go:noinline
func weightGradient(f gemmTNFunc, isa kernel.ISA, rows, cols, terms int, c, a, b []float32, lda, ldb, ldc int) {
	block := kernel.BlockTN(isa)
	for n := 0; n < rows; n += block.Rows {
		for k := 0; k < cols; k += block.Cols {
			for t := 0; t < terms; t += block.Terms {
				f(&c[n*ldc+k], &a[t*lda+n], &b[t*ldb+k], min(block.Rows, rows-n), min(block.Cols, cols-k), min(block.Terms, terms-t), lda, ldb, ldc, t)
			}
		}
	}
}

// tnForm is a form of the product, with its instruction set.
type tnForm struct {
	name  string
	pairs bool
	isa   kernel.ISA
}

// tnForms returns the forms of the product.
func tnForms() (list []tnForm) {
	for family, pairs := range map[string]bool{"gemm_tn": false, "pair_gemm_tn": true} {
		for _, isa := range isasOf(family) {
			list = append(list, tnForm{family + "_" + isa.Name, pairs, isa})
		}
	}
	return list
}

// BenchmarkGemmTN computes the gradients of the weights of DeBERTa-v3 base from 1024 rows, and the small products of attention's gradient, on one thread.
// Metrics: GFLOP/s and percent of the peak.
func BenchmarkGemmTN(b *testing.B) {
	for _, form := range tnForms() {
		isa := form.isa
		for _, size := range [][3]int{{768, 768, 1024}, {3072, 768, 1024}, {768, 3072, 1024}, {64, 64, 64}, {128, 64, 128}} {
			b.Run(fmt.Sprintf("%s/%dx%d/terms=%d", form.name, size[0], size[1], size[2]), func(b *testing.B) {
				needs(b, isa)
				f := gemmTNOf(b, form.pairs, isa)
				rows, cols, terms := size[0], size[1], size[2]
				if form.pairs {
					terms /= 2
				}
				lda, ldb, ldc := kernel.LD(rows), kernel.LD(cols), (cols+15)/16*16
				rng := random(13)
				x, y, c := newBuffer(terms*lda, 0), newBuffer(terms*ldb, 0), newBuffer(rows*ldc, 0)
				for _, v := range []*buffer{x, y, c} {
					fill(v.data, func(int) float32 { return float32(rng.NormFloat64()) })
				}
				peak := peakRate(b, isa)
				best := fastest(b, func() { weightGradient(f, isa, rows, cols, terms, c.data, x.data, y.data, lda, ldb, ldc) })
				rate := 2 * float64(rows) * float64(cols) * float64(size[2]) / float64(best.Nanoseconds())
				b.ReportMetric(rate, "GFLOP/s")
				b.ReportMetric(100*rate/peak, "%peak")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
