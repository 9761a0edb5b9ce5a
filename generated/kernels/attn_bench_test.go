package kernels

import (
	"fmt"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/attention"
)

// attnFlops returns the number of operations that the mathematics needs for one head and the query rows [i0, i1). It counts products of contents, weighted
// values, and products with the relative rows that occur. For the latter it counts the whole range, with each query and key once.
func attnFlops(c *attnCase, i0, i1 int) float64 {
	p, products := c.Params, 0
	occur := func(first, last int) int { return c.Row(last) - c.Row(first) + 1 }
	seen := func(i int) int {
		if p.Masked {
			return i + 1
		}
		return c.n
	}
	for i := i0; i < i1; i++ {
		products += seen(i) // p·v
		if p.Terms.Content {
			products += seen(i)
		}
		if p.Terms.KeyPosition != attention.Absent {
			products += occur(i-(seen(i)-1), i)
		}
	}
	if p.Terms.QueryPosition != attention.Absent {
		for j := range seen(i1 - 1) {
			first := i0
			if p.Masked {
				first = max(i0, j)
			}
			products += occur(first-j, i1-1-j)
		}
	}
	return 2 * float64(p.DP) * float64(products)
}

// BenchmarkAttention computes all heads of DeBERTa-v3 base and of a small classifier on one thread; "first" is the range of one query. Metrics: GFLOP/s by
// [attnFlops], percent of the peak, and the time per layer in microseconds.
func BenchmarkAttention(b *testing.B) {
	for _, isa := range isasOf("pair_attn") {
		samples := kernel.AttentionSamples()
		masked, paired := samples[0], samples[0]
		masked.Name, masked.Params.Masked = masked.Name+", masked", true
		paired.Name, paired.Params.Pairs = paired.Name+", pairs", true
		for _, s := range []kernel.AttentionSample{samples[0], samples[1], masked, paired} {
			if isa.Extends != "" && !s.Params.Pairs {
				continue
			}
			for _, n := range []int{16, 32, 64, 128, 256, 512, 2048} {
				for _, rows := range []int{n, 1} {
					name := fmt.Sprintf("%s/%s/n=%d", isa.Name, s.Name, n)
					if rows == 1 {
						name += "/first"
					}
					b.Run(name, func(b *testing.B) {
						needs(b, isa)
						benchAttention(b, s, isa, n, rows)
					})
				}
			}
		}
	}
}

func benchAttention(b *testing.B, s kernel.AttentionSample, isa kernel.ISA, n, rows int) {
	f := form(s.Params, isa.Name)
	c := newAttnCase(s, n, 1)
	p := s.Params
	o := newBuffer(n*p.LDO, 0)
	scratch := newBuffer(f.Scratch(n), 0)
	tables := make([]*attnCase, s.Heads)
	for h := range tables {
		tables[h] = newAttnCase(s, 1, uint64(h))
	}
	c.prefix = 0
	peak := peakRate(b, isa)
	best := fastest(b, func() {
		for h, t := range tables {
			call := attention.Call{
				O: o.p(h * p.DP), Q: c.q.p(h * p.DP), K: c.q.p((s.Heads + h) * p.DP), V: c.q.p((2*s.Heads + h) * p.DP),
				KR: t.kr.p(0), QR: t.qr.p(0), Index: &c.index[len(c.index)/2], Scratch: scratch.p(0), N: n, To: rows,
			}
			if p.Pairs {
				call.KRPairs, call.QRPairs = &t.krPairs[0], &t.qrPairs[0]
			}
			f.Run(call)
		}
	})
	rate := attnFlops(c, 0, rows) * float64(s.Heads) / float64(best.Nanoseconds())
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
	b.ReportMetric(float64(best.Nanoseconds())/1e3, "µs/layer")
	b.ReportMetric(0, "ns/op")
}
