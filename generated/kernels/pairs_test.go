package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/bf16"
)

type (
	pairsFunc  = func(p *int32, x *float32, rows, cols, ldp, ldx int)
	panelOfRow = func(p *int32, x *float32, rows, cols, ldx int)
)

// drawBits draws floats of every kind: of all sizes, ties between two numbers of bfloat16, infinities, NaN and denormals.
func drawBits(rng *rand.Rand) float32 {
	b := rng.Uint32()
	switch rng.IntN(8) {
	case 0:
		b = b&^0xffff | 0x8000
	case 1:
		b |= 0x7f800000
	case 2:
		b &^= 0x7f800000
	case 3:
		b = b&0x80000000 | 0x7f7fffff
	case 4:
		return float32(rng.NormFloat64())
	}
	return math.Float32frombits(b)
}

// TestPairs compares each layout with package bf16, bit by bit, for every number of rows and columns around whole vectors. Nothing lies after the matrix.
func TestPairs(t *testing.T) {
	eachISA(t, "pairs", func(t *testing.T, isa kernel.ISA) {
		rng := random(21)
		for _, of := range []kernel.PairOf{kernel.PairColumns, kernel.PairRows, kernel.PairPanel} {
			for rows := 1; rows <= 17; rows++ {
				for _, cols := range []int{1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 100} {
					if of == kernel.PairPanel && rows > kernel.PanelWidth {
						continue
					}
					checkPairs(t, of, isa, rows, cols, func() float32 { return drawBits(rng) })
				}
			}
		}
	})
}

// checkPairs compares the pairs of one matrix.
func checkPairs(t *testing.T, of kernel.PairOf, isa kernel.ISA, rows, cols int, draw func() float32) {
	t.Helper()
	ldx := cols + rows%3
	x := newBuffer((rows-1)*ldx+cols, cols%5)
	for r := range rows {
		fill(x.data[r*ldx:r*ldx+cols], func(int) float32 { return draw() })
	}
	at := func(r, c int) float32 {
		if r >= rows || c >= cols {
			return 0
		}
		return x.data[r*ldx+c]
	}
	half := func(n int) int { return (n + 1) / 2 }
	whole := func(n int) int { return (n + 15) / 16 * 16 }
	name := kernel.PairsName(of, isa.Name)
	m, width := rows, whole(half(cols)) // of p, and how two numbers of a pair lie
	pair := func(r, c int) int32 { return bf16.Pair(at(r, 2*c), at(r, 2*c+1)) }
	switch of {
	case kernel.PairRows:
		m, width = half(rows), whole(cols)
		pair = func(r, c int) int32 { return bf16.Pair(at(2*r, c), at(2*r+1, c)) }
	case kernel.PairPanel:
		m, width = half(cols), kernel.PanelWidth
		pair = func(c, r int) int32 { return bf16.Pair(at(r, 2*c), at(r, 2*c+1)) }
	}
	ldp := width + 16*(rows%2)
	if of == kernel.PairPanel {
		ldp = width
	}
	p := newBuffer(m*ldp, rows%3)
	if of == kernel.PairPanel {
		function[panelOfRow](t, name)(pairsAt(p.p(0)), x.p(0), rows, cols, ldx)
	} else {
		function[pairsFunc](t, name)(pairsAt(p.p(0)), x.p(0), rows, cols, ldp, ldx)
	}
	p.checkGuards(t, m, width, ldp)
	for r := range m {
		for c := range width {
			if got, want := math.Float32bits(p.data[r*ldp+c]), uint32(pair(r, c)); got != want {
				t.Fatalf("%s: %d rows, %d columns: pair (%d, %d) is %#x, want %#x", name, rows, cols, r, c, got, want)
			}
		}
	}
}

// BenchmarkPairs brings a matrix of DeBERTa-v3 base into each layout. The metric is floats per nanosecond.
func BenchmarkPairs(b *testing.B) {
	const rows, cols = 768, 3072
	x, p := newBuffer(rows*cols, 0), newBuffer(rows*cols, 0)
	fill(x.data, func(i int) float32 { return float32(i) })
	for _, isa := range isasOf("pairs") {
		for _, of := range []kernel.PairOf{kernel.PairColumns, kernel.PairRows, kernel.PairPanel} {
			name := kernel.PairsName(of, isa.Name)
			b.Run(name, func(b *testing.B) {
				needs(b, isa)
				best := fastest(b, func() {
					switch of {
					case kernel.PairColumns:
						function[pairsFunc](b, name)(pairsAt(p.p(0)), x.p(0), rows, cols, cols/2, cols)
					case kernel.PairRows: // panels of 16 columns
						for c := 0; c < cols; c += kernel.PanelWidth {
							function[pairsFunc](b, name)(pairsAt(p.p(0)), x.p(c), rows, kernel.PanelWidth, kernel.PanelWidth, cols)
						}
					default:
						for r := 0; r < rows; r += kernel.PanelWidth {
							function[panelOfRow](b, name)(pairsAt(p.p(0)), x.p(r*cols), kernel.PanelWidth, cols, cols)
						}
					}
				})
				b.ReportMetric(rows*cols/float64(best.Nanoseconds()), "floats/ns")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
