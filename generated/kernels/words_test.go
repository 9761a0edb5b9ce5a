package kernels

import (
	"math"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

// TestSpans compares scores with float64 for every number of rows and labels around the tile's edges. Rows have NaN after their data. A score has the same bits
// whatever is computed beside it.
func TestSpans(t *testing.T) {
	eachISA(t, "spans", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.SpansSamples() {
			name := kernel.SpansName(p, isa.Name)
			f := function[func(y, a, b, u *float32, m, labels int)](t, name)
			const most, mostLabels = 9, 7
			rng := random(21)
			normal := func(int) float32 { return float32(rng.NormFloat64()) }
			a, b, u := newBuffer(p.I, 1), newBuffer(most*p.LDB, 2), newBuffer(mostLabels*p.LDU, 3)
			fill(a.data, normal)
			for i := range most {
				fill(b.data[i*p.LDB:i*p.LDB+p.I], normal)
			}
			for i := range mostLabels {
				fill(u.data[i*p.LDU:i*p.LDU+p.I+1], normal)
			}
			var whole *buffer
			at := func(k, c int) int { return k*p.YK + c*p.YC }
			for m := most; m >= 1; m-- {
				for labels := mostLabels; labels >= 1; labels-- {
					y := newBuffer(at(most, mostLabels), 0)
					f(y.p(0), a.p(0), b.p(0), u.p(0), m, labels)
					if whole == nil {
						whole = y
					}
					written := map[int]bool{}
					for k := range m {
						for c := range labels {
							written[at(k, c)] = true
							want, size := float64(u.data[c*p.LDU+p.I]), 0.0
							for i := range p.I {
								v := max(float64(a.data[i]+b.data[k*p.LDB+i]), 0) * float64(u.data[c*p.LDU+i])
								want, size = want+v, size+math.Abs(v)
							}
							got := y.data[at(k, c)]
							if tol := (size*8 + math.Abs(want)) * 0x1p-23; !(math.Abs(float64(got)-want) <= tol) {
								t.Fatalf("%s: m = %d, labels = %d: score (%d, %d) is %g, want %g ± %g", name, m, labels, k, c, got, want, tol)
							}
							if math.Float32bits(got) != math.Float32bits(whole.data[at(k, c)]) {
								t.Fatalf("%s: m = %d, labels = %d: score (%d, %d) has other bits than among all", name, m, labels, k, c)
							}
						}
					}
					for i, v := range y.data {
						if !written[i] && !isBlank(v) {
							t.Fatalf("%s: m = %d, labels = %d: float %d was written", name, m, labels, i)
						}
					}
				}
			}
		}
	})
}

// TestLSTM compares cells with float64 over several steps with changing gates of both signs, some of them large. The padding stays 0, and nothing is written
// after the outputs.
func TestLSTM(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	eachISA(t, "lstm", func(t *testing.T, isa kernel.ISA) {
		for _, size := range kernel.LSTMSamples() {
			name := kernel.LSTMName(size, isa.Name)
			f := function[func(y, state *float32)](t, name)
			padded := (size + 15) / 16 * 16
			rng := random(22)
			state, y := newBuffer(6*padded, 4), newBuffer(size, 5)
			fill(state.data, func(int) float32 { return 0 })
			cells := make([]float64, size)
			for step := range 5 {
				for g := range 4 {
					fill(state.data[(2+g)*padded:(2+g)*padded+size], func(int) float32 { return float32(math.Pow(10, float64(step%3-1)) * rng.NormFloat64()) })
				}
				gate := func(g, j int) float64 { return float64(state.data[(2+g)*padded+j]) }
				f(y.p(0), state.p(0))
				y.checkGuards(t, 1, size, size)
				state.checkGuards(t, 1, 6*padded, 6*padded)
				for j := range padded {
					h, c := state.data[j], state.data[padded+j]
					if j >= size {
						if h != 0 || c != 0 {
							t.Fatalf("%s: pad %d is %g, its cell %g", name, j, h, c)
						}
						continue
					}
					cells[j] = sigmoid(gate(1, j))*cells[j] + sigmoid(gate(0, j))*math.Tanh(gate(2, j))
					want := sigmoid(gate(3, j)) * math.Tanh(cells[j])
					if !(math.Abs(float64(c)-cells[j]) <= 2e-6*(1+math.Abs(cells[j]))) || !(math.Abs(float64(h)-want) <= 2e-6) || y.data[j] != h {
						t.Fatalf("%s: step %d, cell %d is %g, want %g; output %g in y, %g in the state, want %g",
							name, step, j, c, cells[j], y.data[j], h, want)
					}
					cells[j] = float64(c) // errors do not add up
				}
			}
		}
	})
}

// TestGRU compares units with float64 for gates of both signs, some of them large. Nothing is read after the state, whose guards are NaN, nor written after the
// results, and the results may replace the state.
func TestGRU(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	eachISA(t, "gru", func(t *testing.T, isa kernel.ISA) {
		for _, size := range kernel.GRUSamples() {
			name := kernel.GRUName(size, isa.Name)
			f := function[func(y, h, x, g *float32)](t, name)
			padded := (size + 15) / 16 * 16
			rng := random(23)
			for scale := -1; scale <= 1; scale++ {
				gates := func(int) float32 { return float32(math.Pow(10, float64(scale)) * rng.NormFloat64()) }
				y, h, x, g := newBuffer(size, 6), newBuffer(size, 7), newBuffer(3*padded, 8), newBuffer(3*padded, 9)
				fill(h.data, func(int) float32 { return float32(rng.NormFloat64()) })
				for k := range 3 {
					fill(x.data[k*padded:k*padded+size], gates)
					fill(g.data[k*padded:k*padded+size], gates)
				}
				f(y.p(0), h.p(0), x.p(0), g.p(0))
				y.checkGuards(t, 1, size, size)
				for j := range size {
					at := func(b *buffer, k int) float64 { return float64(b.data[k*padded+j]) }
					r, z := sigmoid(at(x, 0)+at(g, 0)), sigmoid(at(x, 1)+at(g, 1))
					want := (1-z)*math.Tanh(at(x, 2)+r*at(g, 2)) + z*float64(h.data[j])
					if got := float64(y.data[j]); !(math.Abs(got-want) <= 4e-6*(1+math.Abs(want))) {
						t.Fatalf("%s: scale %d, unit %d is %g, want %g", name, scale, j, got, want)
					}
				}
				f(h.p(0), h.p(0), x.p(0), g.p(0))
				for j, v := range h.data[:size] {
					if math.Float32bits(v) != math.Float32bits(y.data[j]) {
						t.Fatalf("%s: unit %d in place is %g, otherwise %g", name, j, v, y.data[j])
					}
				}
			}
		}
	})
}
