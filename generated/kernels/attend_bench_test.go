package kernels

import (
	"fmt"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

// BenchmarkAttend computes the attention of DeBERTa-v3 base in a training program, on one thread: 12 heads of 64, 512 rows in the relative tables. Metrics:
// GFLOP/s by the products of contents and those with the relative rows that occur, percent of the peak, and the time per layer in microseconds.
func BenchmarkAttend(b *testing.B) {
	s := kernel.AttendSamples()[0]
	for _, isa := range isasOf("attn") {
		for _, lens := range [][]int{{128}, {512}, {128, 128, 128, 128, 128, 128, 128, 128}} {
			for _, pass := range []string{"forward", "backward"} {
				b.Run(fmt.Sprintf("%s/B=%d/n=%d/%s", isa.Name, len(lens), lens[0], pass), func(b *testing.B) {
					needs(b, isa)
					benchAttend(b, s, isa, lens, pass == "backward")
				})
			}
		}
	}
}

func benchAttend(b *testing.B, s kernel.AttendSample, isa kernel.ISA, lens []int, backward bool) {
	a, c, n := attendForm(s, isa), newAttendCase(s, lens, false, 1), lens[0]
	scratch := newBuffer(max(a.Scratch(n), a.GradScratch(n)), 0)
	offsets := 0 // products of a query with the relative rows that occur
	for i := range n {
		offsets += s.Row(i) - s.Row(i-n+1) + 1
	}
	// Forward: q·k, p·v and two relative terms. Backward: the scores again, dp, and two products for each product of the forward pass.
	products := 2*n*n + 2*offsets
	run := func() {
		for unit := range a.Units(len(lens)) {
			a.Run(c.call(c.o, scratch, false), unit)
		}
	}
	if backward {
		products = 5*n*n + 6*offsets
		run = func() {
			for unit := range a.GradUnits() {
				a.RunGrad(c.call(c.do, scratch, false), unit)
			}
		}
	}
	peak := peakRate(b, isa)
	best := fastest(b, run)
	rate := 2 * float64(products) * float64(s.D*s.Heads*len(lens)) / float64(best.Nanoseconds())
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
	b.ReportMetric(float64(best.Nanoseconds())/1e3, "µs/layer")
	b.ReportMetric(0, "ns/op")
}
