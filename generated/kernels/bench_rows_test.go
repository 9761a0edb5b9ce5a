package kernels

import (
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

// BenchmarkRows measures the row-wise kernels on 128 rows of 768 floats in the nearest caches, on one thread. The metric is floats per nanosecond.
func BenchmarkRows(b *testing.B) {
	const m, n = 128, 768
	ld := kernel.LD(n)
	x, y := newBuffer(m*ld, 0), newBuffer(m*ld, 0)
	table, gain := newBuffer(1000*n, 0), newBuffer(n, 0)
	rng := random(9)
	for _, v := range []*buffer{x, y, table, gain} {
		fill(v.data, func(int) float32 { return float32(rng.NormFloat64()) })
	}
	ids := make([]int32, m)
	for i := range ids {
		ids[i] = int32(rng.IntN(1000))
	}
	for _, isa := range isasOf("embed") {
		run := func(name string, f func(testing.TB) func()) {
			b.Run(isa.Name+"/"+name, func(b *testing.B) {
				needs(b, isa)
				best := fastest(b, f(b))
				b.ReportMetric(m*n/float64(best.Nanoseconds()), "floats/ns")
				b.ReportMetric(0, "ns/op")
			})
		}
		for _, act := range kernel.Activations() {
			run("act/"+act.Name, func(b testing.TB) func() {
				f := function[func(y, x *float32, m int)](b, kernel.ActName(kernel.ActParams{Act: act.Name, N: n, LDX: ld, LDY: ld}, isa.Name))
				return func() { f(y.p(0), x.p(0), m) }
			})
		}
		for _, s := range kernel.Slopes() {
			run("act_grad/"+s.Act, func(b testing.TB) func() {
				f := function[actGradFunc](b, kernel.ActGradName(kernel.ActGradParams{Act: s.Act, N: n, LDY: ld, LDD: ld, LDX: ld}, isa.Name))
				return func() { f(y.p(0), x.p(0), x.p(0), m) }
			})
		}
		run("layernorm", func(b testing.TB) func() {
			f := function[layerNormFunc](b, kernel.LayerNormName(kernel.LayerNormParams{H: n, LDX: ld, LDY: ld, Eps: 1e-7}, isa.Name))
			return func() { f(y.p(0), x.p(0), gain.p(0), gain.p(0), m) }
		})
		moments := newBuffer(m*16, 0)
		fill(moments.data, func(int) float32 { return 0.5 })
		run("moments", func(b testing.TB) func() {
			f := function[momentsFunc](b, kernel.MomentsName(kernel.MomentsParams{H: n, LDX: ld, LDY: 16, Eps: 1e-7}, isa.Name))
			return func() { f(moments.p(0), x.p(0), m) }
		})
		run("layernorm_grad", func(b testing.TB) func() {
			f := function[layerNormGradFunc](b, kernel.LayerNormGradName(kernel.LayerNormGradParams{H: n, LDY: ld, LDD: ld, LDX: ld, LDM: 16}, isa.Name))
			return func() { f(y.p(0), x.p(0), x.p(0), gain.p(0), moments.p(0), m) }
		})
		run("col_sum", func(b testing.TB) func() {
			f := function[colSumFunc](b, kernel.ColSumName(false, isa.Name))
			return func() { f(y.p(0), x.p(0), m, n, ld, 0) }
		})
		run("col_sum/hat", func(b testing.TB) func() {
			f := function[colSumHatFunc](b, kernel.ColSumName(true, isa.Name))
			return func() { f(y.p(0), x.p(0), x.p(0), moments.p(0), m, n, ld, ld, 16, 0) }
		})
		run("embed", func(b testing.TB) func() {
			f := function[func(y *float32, ids *int32, table *float32, m int)](b, kernel.EmbedName(kernel.EmbedParams{H: n, LDY: ld, LDT: n}, isa.Name))
			return func() { f(y.p(0), &ids[0], table.p(0), m) }
		})
	}
}
