package kernels

import (
	"math"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

type (
	gemmFunc     = func(c, a, w, bias *float32, m, ldc int)
	gemmResidual = func(c, a, w, bias, r *float32, m, ldc int)
	pairFunc     = func(c *float32, a, w *int32, bias *float32, m, ldc int)
	pairResidual = func(c *float32, a, w *int32, bias, r *float32, m, ldc int)
)

// gemmOf returns the kernel with the same signature for all forms.
func gemmOf(t testing.TB, p kernel.GemmParams, isa kernel.ISA) gemmResidual {
	t.Helper()
	name := kernel.GemmName(p, isa.Name)
	switch {
	case p.Pairs && p.Residual:
		f := function[pairResidual](t, name)
		return func(c, a, w, bias, r *float32, m, ldc int) { f(c, pairsAt(a), pairsAt(w), bias, r, m, ldc) }
	case p.Pairs:
		f := function[pairFunc](t, name)
		return func(c, a, w, bias, _ *float32, m, ldc int) { f(c, pairsAt(a), pairsAt(w), bias, m, ldc) }
	case p.Residual:
		return function[gemmResidual](t, name)
	}
	f := function[gemmFunc](t, name)
	return func(c, a, w, bias, _ *float32, m, ldc int) { f(c, a, w, bias, m, ldc) }
}

// gemmFamilies holds the samples of the families of products.
var gemmFamilies = map[string][]kernel.GemmParams{"gemm": kernel.GemmSamples(), "pair_gemm": kernel.PairGemmSamples()}

// eachGemm runs f for every instruction set of both families, and for all their samples.
func eachGemm(t *testing.T, f func(t *testing.T, isa kernel.ISA, p kernel.GemmParams)) {
	for family, samples := range gemmFamilies {
		t.Run(family, func(t *testing.T) {
			eachISA(t, family, func(t *testing.T, isa kernel.ISA) {
				for _, p := range samples {
					f(t, isa, p)
				}
			})
		})
	}
}

// gemmCase is one product: a [m, LDA], w panels, bias, r and c [m, ldc].
type gemmCase struct {
	p             kernel.GemmParams
	m, ldc        int
	a, w, bias, r *buffer
}

// newGemmCase draws the inputs by draw(kind). The padding of a and r is NaN, which must not reach a result.
func newGemmCase(p kernel.GemmParams, m, shift int, draw func(kind string) float32) *gemmCase {
	nc := kernel.PanelWidth * p.Panels
	ldc := []int{kernel.LD(3 * nc), nc, 784}[shift%3] // includes rows that are as close as possible
	g := &gemmCase{p, m, ldc,
		newBuffer(m*p.LDA, shift), newBuffer(p.K*nc, shift), newBuffer(nc, shift), newBuffer(m*ldc, shift)}
	factor := draw
	if p.Pairs {
		factor = func(kind string) float32 { return pairOf(draw(kind), draw(kind)) }
	}
	for i := 0; i < m; i++ {
		fill(g.a.data[i*p.LDA:i*p.LDA+p.K], func(int) float32 { return factor("a") })
		fill(g.r.data[i*ldc:i*ldc+nc], func(int) float32 { return draw("r") })
	}
	fill(g.w.data, func(int) float32 { return factor("w") })
	fill(g.bias.data, func(int) float32 { return draw("bias") })
	return g
}

// want returns element (i, n) in float64, and the sum of the squares of its terms, which decides the size of the rounding error.
func (g *gemmCase) want(i, n int) (y, square float64) {
	panel, col := n/kernel.PanelWidth, n%kernel.PanelWidth
	for k := 0; k < g.p.K; k++ {
		for _, t := range terms(g.p.Pairs, g.a.data[i*g.p.LDA+k], g.w.data[(panel*g.p.K+k)*kernel.PanelWidth+col]) {
			y += t
			square += t * t
		}
	}
	b := float64(g.bias.data[n])
	return y + b, square + b*b
}

// run calls the kernel for rows [0, m), checks the guards and returns c.
func (g *gemmCase) run(t *testing.T, f gemmResidual, m, shift int) *buffer {
	t.Helper()
	c := newBuffer(m*g.ldc, shift)
	f(c.p(0), g.a.p(0), g.w.p(0), g.bias.p(0), g.r.p(0), m, g.ldc)
	c.checkGuards(t, m, kernel.PanelWidth*g.p.Panels, g.ldc)
	return c
}

// gemmHeights returns the numbers of rows to test: all up to two strips, and those around the edges of the third to fifth strip.
func gemmHeights(isa kernel.ISA) []int {
	var ms []int
	for m := 1; m <= 30; m++ {
		ms = append(ms, m)
	}
	for _, strips := range []int{3, 4, 5} {
		for d := -1; d <= 1; d++ {
			ms = append(ms, strips*isa.TileRows+d)
		}
	}
	return append(ms, 71)
}

// TestGemmExact multiplies small integers, whose sums float32 holds exactly. Every term must be added exactly once, for every height and every start of the
// buffers.
func TestGemmExact(t *testing.T) {
	eachGemm(t, func(t *testing.T, isa kernel.ISA, p kernel.GemmParams) {
		if p.Act != "" && p.Act != "relu" {
			return
		}
		f := gemmOf(t, p, isa)
		for _, shift := range []int{0, 1, 5} {
			rng := random(1)
			g := newGemmCase(p, 71, shift, func(string) float32 { return float32(rng.IntN(9) - 4) })
			c := g.run(t, f, g.m, shift)
			for i := 0; i < g.m; i++ {
				for n := 0; n < kernel.PanelWidth*p.Panels; n++ {
					want, _ := g.want(i, n)
					if p.Residual {
						want += float64(g.r.data[i*g.ldc+n])
					}
					if p.Act == "relu" {
						want = max(want, 0)
					}
					if got := c.data[i*g.ldc+n]; float64(got) != want {
						t.Fatalf("%s: element (%d, %d) is %g, want %g", kernel.GemmName(p, isa.Name), i, n, got, want)
					}
				}
			}
		}
	})
}

// TestGemmRandom compares products of random numbers with float64, and checks that a row has the same bits for every m.
func TestGemmRandom(t *testing.T) {
	eachGemm(t, func(t *testing.T, isa kernel.ISA, p kernel.GemmParams) {
		name := kernel.GemmName(p, isa.Name)
		f := gemmOf(t, p, isa)
		rng := random(2)
		g := newGemmCase(p, 71, 0, func(kind string) float32 { return float32(rng.NormFloat64()) })
		all := g.run(t, f, g.m, 0)
		nc := kernel.PanelWidth * p.Panels
		for i := 0; i < g.m; i++ {
			for n := 0; n < nc; n++ {
				y, square := g.want(i, n)
				// A partial sum has the size of a random walk and is rounded K times: √K roundings of √square, times 4.
				bound := 4 * math.Sqrt(float64(len(terms(p.Pairs, 0, 0))*p.K+1)*square) * 0x1p-24
				if p.Residual {
					y += float64(g.r.data[i*g.ldc+n])
					bound += ulp(y)
				}
				near := activate(t, p.Act, y, y-bound, y+bound)
				want := near[0]
				// No activation but exp, whose steepest place is at an end, is steeper than 1.13.
				tol := max(1.13*bound, math.Abs(near[1]-want), math.Abs(near[2]-want)) + activationTolerance(t, p.Act, y, want)
				if got := float64(all.data[i*g.ldc+n]); !(math.Abs(got-want) <= tol) {
					t.Fatalf("%s: element (%d, %d) is %g, want %g ± %g", name, i, n, got, want, tol)
				}
			}
		}
		for _, m := range gemmHeights(isa) {
			c := g.run(t, f, m, 3)
			for i := 0; i < m; i++ {
				for n := 0; n < nc; n++ {
					if got, want := c.data[i*g.ldc+n], all.data[i*g.ldc+n]; math.Float32bits(got) != math.Float32bits(want) {
						t.Fatalf("%s: m = %d: element (%d, %d) is %g, but %g with m = %d", name, m, i, n, got, want, g.m)
					}
				}
			}
		}
	})
}

// TestGemmInPlace adds a residual that is the result's own buffer.
func TestGemmInPlace(t *testing.T) {
	eachGemm(t, func(t *testing.T, isa kernel.ISA, p kernel.GemmParams) {
		if !p.Residual {
			return
		}
		f := gemmOf(t, p, isa)
		rng := random(3)
		g := newGemmCase(p, 29, 0, func(string) float32 { return float32(rng.NormFloat64()) })
		want := g.run(t, f, g.m, 0)
		f(g.r.p(0), g.a.p(0), g.w.p(0), g.bias.p(0), g.r.p(0), g.m, g.ldc)
		for i, x := range g.r.data {
			if math.Float32bits(x) != math.Float32bits(want.data[i]) {
				t.Fatalf("%s: float %d is %g in place, else %g", kernel.GemmName(p, isa.Name), i, x, want.data[i])
			}
		}
	})
}

// TestGemmSpecial checks that NaN and infinities reach only their row or column, and that denormals are not flushed. Products of pairs may take denormals as 0.
func TestGemmSpecial(t *testing.T) {
	eachGemm(t, func(t *testing.T, isa kernel.ISA, p kernel.GemmParams) {
		if p.Act != "" {
			return
		}
		name := kernel.GemmName(p, isa.Name)
		f := gemmOf(t, p, isa)
		const m, nanRow, infCol = 17, 11, 7
		small, each := float32(0x1p-140), float64(p.K)
		if p.Pairs {
			small, each = 0x1p-120, 2*each
		}
		g := newGemmCase(p, m, 0, func(kind string) float32 {
			return map[string]float32{"a": 1, "w": small, "bias": 0, "r": 0}[kind]
		})
		nan, inf := float32(math.NaN()), float32(math.Inf(-1))
		if p.Pairs {
			nan, inf = pairOf(1, nan), pairOf(inf, small)
		}
		g.a.data[nanRow*p.LDA+p.K-1] = nan
		g.w.data[infCol] = inf
		c := g.run(t, f, m, 0)
		for i := 0; i < m; i++ {
			for n := 0; n < kernel.PanelWidth*p.Panels; n++ {
				got := float64(c.data[i*g.ldc+n])
				switch {
				case i == nanRow:
					if !math.IsNaN(got) {
						t.Fatalf("%s: element (%d, %d) is %g, want NaN", name, i, n, got)
					}
				case n == infCol:
					if !math.IsInf(got, -1) {
						t.Fatalf("%s: element (%d, %d) is %g, want -Inf", name, i, n, got)
					}
				case got != each*float64(small):
					t.Fatalf("%s: element (%d, %d) is %g, want the denormal %g", name, i, n, got, each*float64(small))
				}
			}
		}
	})
}

// TestParts checks how rows are split into calls. Parts are in order and none is empty. None has more than MaxRows rows, which take about 100 µs at the table's
// rate, unless they are one tile. All parts together have no more strips than one call would have.
func TestParts(t *testing.T) {
	for _, isa := range kernel.ISAs() {
		for _, p := range append(kernel.GemmSamples(), kernel.PairGemmSamples()...) {
			name := kernel.GemmName(p, isa.Name)
			most := kernel.MaxRows(p, isa)
			work := float64(most*p.K*kernel.PanelWidth*p.Panels) / isa.Rate
			if p.Pairs && !isa.BF16() { // a pair is two multiply-adds
				work *= 2
			}
			if most%isa.TileRows != 0 || most < isa.TileRows || (most > isa.TileRows && work > 150e3) {
				t.Errorf("%s: MaxRows = %d, %.0f ns", name, most, work)
			}
			for m := 1; m <= 700; m++ {
				parts := kernel.Parts(m, p, isa)
				strips := 0
				for i, row := range parts[1:] {
					rows := row - parts[i]
					if rows < 1 || rows > most {
						t.Fatalf("%s: %d rows: part %d has %d rows of at most %d", name, m, i, rows, most)
					}
					strips += (rows + isa.TileRows - 1) / isa.TileRows
				}
				if parts[0] != 0 || parts[len(parts)-1] != m || strips != (m+isa.TileRows-1)/isa.TileRows {
					t.Fatalf("%s: %d rows: parts %v, %d strips", name, m, parts, strips)
				}
			}
		}
	}
}
