package kernels

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/debertac/debertac/codegen/kernel"
)

// peakRate returns the rate of multiply-adds of an instruction set on registers, in floating-point operations per nanosecond: the best of several runs.
func peakRate(b *testing.B, isa kernel.ISA) float64 {
	f := function[func(y *float32, m int)](b, kernel.Peak(isa).Name)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const turns = 200_000
	var y [16]float32
	best := time.Duration(1 << 62)
	for range 20 {
		start := threadTime()
		f(&y[0], turns)
		best = min(best, threadTime()-start)
	}
	return float64(turns*kernel.PeakFlopsPerTurn(isa)) / float64(best.Nanoseconds())
}

// fastest runs f as often as the benchmark asks, and returns the least CPU time of one run.
func fastest(b *testing.B, f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f()
	best := time.Duration(1 << 62)
	for b.Loop() {
		start := threadTime()
		f()
		best = min(best, threadTime()-start)
	}
	return best
}

// product multiplies m rows with all panels of w as a generated program does:
// the panels of a call outside, the parts of the rows inside.
//
//go:noinline
func product(f gemmResidual, p kernel.GemmParams, isa kernel.ISA, n, m int, c, a, w, bias, r []float32) {
	nc := kernel.PanelWidth * p.Panels
	parts, ldc := kernel.Parts(m, p, isa), kernel.LD(n)
	for j := 0; j < n; j += nc {
		for i := range len(parts) - 1 {
			row, rows := parts[i], parts[i+1]-parts[i]
			f(&c[row*ldc+j], &a[row*p.LDA], &w[j*p.K], &bias[j], &r[row*ldc+j], rows, ldc)
		}
	}
}

// BenchmarkGemm multiplies with the matrices of DeBERTa-v3 base on one thread. "warm" repeats one product. "stream" walks through the matrices of 12 layers, so
// that weights come from memory. Metrics: GFLOP/s and percent of the peak.
func BenchmarkGemm(b *testing.B) {
	columns := []int{2304, 768, 3072, 768}
	for _, isa := range isasOf("gemm") {
		for s, p := range kernel.GemmSamples()[:4] {
			n := columns[s]
			for _, m := range []int{1, 2, 16, 128, 512} {
				for _, layers := range []int{1, 12} {
					if layers > 1 && m == 512 {
						continue
					}
					mode := map[int]string{1: "warm", 12: "stream"}[layers]
					b.Run(fmt.Sprintf("%s/%dx%d/M=%d/%s", isa.Name, p.K, n, m, mode), func(b *testing.B) {
						needs(b, isa)
						benchGemm(b, p, isa, n, m, layers)
					})
				}
			}
		}
	}
}

func benchGemm(b *testing.B, p kernel.GemmParams, isa kernel.ISA, n, m, layers int) {
	f := gemmOf(b, p, isa)
	rng := random(4)
	draw := func(int) float32 { return float32(rng.NormFloat64()) }
	c, a, r := newBuffer(m*kernel.LD(n), 0), newBuffer(m*p.LDA, 0), newBuffer(m*kernel.LD(n), 0)
	bias := newBuffer(n, 0)
	for _, x := range []*buffer{c, a, r, bias} {
		fill(x.data, draw)
	}
	w := make([]*buffer, layers)
	for l := range w {
		w[l] = newBuffer(n*p.K, 0)
		// Results have about unit size, as in a model.
		fill(w[l].data, func(i int) float32 { return (float32(i%13) - 6) / 100 })
	}
	peak := peakRate(b, isa)
	best := fastest(b, func() {
		for _, w := range w {
			product(f, p, isa, n, m, c.data, a.data, w.data, bias.data, r.data)
		}
	})
	rate := 2 * float64(m) * float64(n) * float64(p.K) * float64(layers) / float64(best.Nanoseconds())
	if p.Pairs {
		rate *= 2
	}
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPairGemm multiplies rows of pairs of bfloat16 with the matrices of DeBERTa-v3 base on one thread. Metrics: GFLOP/s and percent of the peak of the
// instruction set.
func BenchmarkPairGemm(b *testing.B) {
	columns := []int{768, 3072, 768}
	for _, isa := range isasOf("pair_gemm") {
		for s, p := range kernel.PairGemmSamples()[:3] {
			for _, m := range []int{128, 1024} {
				b.Run(fmt.Sprintf("%s/%dx%d/M=%d", isa.Name, 2*p.K, columns[s], m), func(b *testing.B) {
					needs(b, isa)
					benchGemm(b, p, isa, columns[s], m, 1)
				})
			}
		}
	}
}
