package kernels

import (
	"math"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

type panelsFunc = func(p, w *float32, rows, cols, ldw int)

// TestPanels compares panels with their matrix, float by float, for every number of rows and columns around whole panels. Nothing lies after the matrix.
func TestPanels(t *testing.T) {
	eachISA(t, "panels", func(t *testing.T, isa kernel.ISA) {
		for _, transposed := range []bool{false, true} {
			f := function[panelsFunc](t, kernel.PanelsName(transposed, isa.Name))
			for few := 1; few <= kernel.PanelWidth; few++ {
				for _, many := range []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 45, 100} {
					rows, cols := many, few
					if transposed {
						rows, cols = few, many
					}
					ldw := cols + few%3
					w := newBuffer((rows-1)*ldw+cols, many%5)
					for r := range rows {
						fill(w.data[r*ldw:r*ldw+cols], func(c int) float32 { return float32(100*r + c + 1) })
					}
					p := newBuffer(many*kernel.PanelWidth, many%3)
					f(p.p(0), w.p(0), rows, cols, ldw)
					p.checkGuards(t, many, kernel.PanelWidth, kernel.PanelWidth)
					for i, got := range p.data {
						r, c := i/kernel.PanelWidth, i%kernel.PanelWidth
						if transposed {
							r, c = c, r
						}
						want := float32(0)
						if r < rows && c < cols {
							want = w.data[r*ldw+c]
						}
						if math.Float32bits(got) != math.Float32bits(want) {
							t.Fatalf("transposed %t, %d rows, %d columns: element (%d, %d) is %g, want %g", transposed, rows, cols, r, c, got, want)
						}
					}
				}
			}
		}
	})
}

// BenchmarkPanels brings a matrix of DeBERTa-v3 base into panels, all of it, one panel after the other. The metric is floats per nanosecond.
func BenchmarkPanels(b *testing.B) {
	const rows, cols = 768, 3072
	w, p := newBuffer(rows*cols, 0), newBuffer(max(rows, cols)*kernel.PanelWidth, 0)
	fill(w.data, func(i int) float32 { return float32(i) })
	for _, isa := range isasOf("panels") {
		for _, transposed := range []bool{false, true} {
			name := kernel.PanelsName(transposed, isa.Name)
			b.Run(name, func(b *testing.B) {
				needs(b, isa)
				f := function[panelsFunc](b, name)
				best := fastest(b, func() {
					if transposed {
						for r := 0; r < rows; r += kernel.PanelWidth {
							f(p.p(0), w.p(r*cols), kernel.PanelWidth, cols, cols)
						}
						return
					}
					for c := 0; c < cols; c += kernel.PanelWidth {
						f(p.p(0), w.p(c), rows, kernel.PanelWidth, cols)
					}
				})
				b.ReportMetric(rows*cols/float64(best.Nanoseconds()), "floats/ns")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
