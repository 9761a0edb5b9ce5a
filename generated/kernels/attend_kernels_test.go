package kernels

import (
	"math"
	"strings"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/attention"
	"github.com/debertac/debertac/runtime/dropout"
)

// eachAttendJob runs f for every instruction set and each kernel of the backward pass that fills one of the fields, once by name.
func eachAttendJob(t *testing.T, fields []string, f func(t *testing.T, isa kernel.ISA, p kernel.AttentionParams, j kernel.AttentionJob)) {
	eachISA(t, "attn", func(t *testing.T, isa kernel.ISA) {
		seen := map[string]bool{}
		for _, s := range kernel.AttendSamples() {
			if kernel.CheckAttend(&s.Attend) != nil {
				continue
			}
			for _, j := range kernel.AttendGradJobs(&s.Attend, isa) {
				for _, field := range fields {
					if j.Field == field && !seen[j.Name] {
						seen[j.Name] = true
						t.Run(j.Name, func(t *testing.T) { f(t, isa, kernel.AttendBackward(&s.Attend), j) })
					}
				}
			}
		}
		if len(seen) == 0 {
			t.Fatalf("no kernel fills %v", fields)
		}
	})
}

// draws returns a buffer of rows whose columns hold random numbers.
func draws(rows, cols, ld int, seed uint64) *buffer {
	rng := random(seed)
	b := newBuffer((rows-1)*ld+cols, 0)
	for r := range rows {
		fill(b.data[r*ld:][:cols], func(int) float32 { return float32(rng.NormFloat64()) })
	}
	return b
}

// near fails if a number is not near what is wanted.
func near(t *testing.T, what string, got float32, want float64) {
	t.Helper()
	if e := math.Abs(float64(got) - want); !(e <= 1e-4*(1+math.Abs(want))) {
		t.Fatalf("%s is %g, want %g", what, got, want)
	}
}

// TestAttendRows moves rows between memory of different distances.
func TestAttendRows(t *testing.T) {
	eachAttendJob(t, []string{"Rows"}, func(t *testing.T, _ kernel.ISA, p kernel.AttentionParams, j kernel.AttentionJob) {
		run := function[func(b, a, factor *float32, n, ldb, lda int)](t, j.Name)
		for _, n := range []int{1, 2, 9, 33} {
			a, b, factor := draws(n, p.DP, p.DP+48, 1), newBuffer(n*(p.DP+16), 0), float32(0.75)
			run(b.p(0), a.p(0), &factor, n, p.DP+16, p.DP+48)
			b.checkGuards(t, n, p.DP, p.DP+16)
			for i := range n * p.DP {
				r, d := i/p.DP, i%p.DP
				if got, want := b.data[r*(p.DP+16)+d], a.data[r*(p.DP+48)+d]*factor; got != want {
					t.Fatalf("n = %d: element (%d, %d) is %g, want %g", n, r, d, got, want)
				}
			}
		}
	})
}

// TestAttendTimes adds products of every number of rows.
func TestAttendTimes(t *testing.T) {
	eachAttendJob(t, []string{"Times", "TableTimes"}, func(t *testing.T, _ kernel.ISA, p kernel.AttentionParams, j kernel.AttentionJob) {
		run := function[func(c, a, b *float32, m, n int)](t, j.Name)
		lda := attention.LDS
		if j.Field == "TableTimes" {
			lda = p.LDG()
		}
		for m := 1; m <= 31; m++ {
			n := 1 + m*7%40
			a, b, c := draws(m, n, lda, 2), draws(n, p.DP, p.DP, 3), draws(m, p.DP, p.DP, 4)
			before := append([]float32(nil), c.data...)
			run(c.p(0), a.p(0), b.p(0), m, n)
			c.checkGuards(t, m, p.DP, p.DP)
			for i := range m * p.DP {
				want := float64(before[i])
				for k := range n {
					want += float64(a.data[i/p.DP*lda+k]) * float64(b.data[k*p.DP+i%p.DP])
				}
				near(t, "a sum", c.data[i], want)
			}
		}
	})
}

// TestAttendSoftmax compares probabilities and the gradients of scores with their formulas.
func TestAttendSoftmax(t *testing.T) {
	const lds = attention.LDS
	eachAttendJob(t, []string{"Probs"}, func(t *testing.T, isa kernel.ISA, _ kernel.AttentionParams, j kernel.AttentionJob) {
		probs := function[func(p, dp, factor, mean *float32, m, n int)](t, j.Name)
		var slopes func(p, dp, mean *float32, m, n int)
		for _, other := range kernel.AttendGradJobs(&kernel.AttendSamples()[0].Attend, isa) {
			if other.Field == "Slopes" {
				slopes = function[func(p, dp, mean *float32, m, n int)](t, other.Name)
			}
		}
		for _, m := range []int{1, 5, 17} {
			for _, n := range []int{1, 7, 16, 23, 256} {
				wide := (n + isa.Lanes() - 1) / isa.Lanes() * isa.Lanes()
				p, dp, factor, mean := draws(m, wide, lds, 5), draws(m, wide, lds, 6), draws(1, m, m, 7), draws(1, m, m, 8)
				for i := range m { // as the softmax leaves them
					clear(p.data[i*lds+n : i*lds+wide])
				}
				p0, dp0, mean0 := append([]float32(nil), p.data...), append([]float32(nil), dp.data...), append([]float32(nil), mean.data...)
				probs(p.p(0), dp.p(0), factor.p(0), mean.p(0), m, n)
				slopes(p.p(0), dp.p(0), mean.p(0), m, n)
				for _, b := range []*buffer{p, dp} {
					b.checkGuards(t, m, wide, lds)
				}
				mean.checkGuards(t, 1, m, m)
				for i := range m {
					sum := float64(mean0[i])
					for c := range n {
						sum += float64(p0[i*lds+c]) * float64(factor.data[i]) * float64(dp0[i*lds+c])
					}
					near(t, "a mean", mean.data[i], sum)
					for c := range n {
						prob := float64(p0[i*lds+c]) * float64(factor.data[i])
						near(t, "a probability", p.data[i*lds+c], prob)
						near(t, "a slope", dp.data[i*lds+c], prob*(float64(dp0[i*lds+c])-sum))
					}
				}
			}
		}
	})
}

// TestAttendDrop compares the numbers that are dropped with those of package dropout: whole vectors of each row, and nothing beside them.
func TestAttendDrop(t *testing.T) {
	const lds, first = attention.LDS, 9
	key := dropout.Key{3, 1 << 31}
	eachAttendJob(t, []string{"Drop"}, func(t *testing.T, isa kernel.ISA, _ kernel.AttentionParams, j kernel.AttentionJob) {
		rate := 0.25
		if strings.Contains(j.Name, "rate0p1_") {
			rate = 0.1
		}
		run := function[func(x *float32, state *int32, m, n int)](t, j.Name)
		for _, m := range []int{1, 5, 64} {
			for _, n := range []int{1, 7, 16, 23, 256} {
				wide := (n + isa.Lanes() - 1) / isa.Lanes() * isa.Lanes()
				x, want, states := draws(m, wide, lds, 9), draws(m, wide, lds, 9), make([]int32, m)
				k := []int32{int32(key[0]), int32(key[1])}
				for i := range m {
					states[i] = int32(dropout.Row(key, first+i))
				}
				dropout.Rows(want.p(0), want.p(0), &k[0], wide, lds, lds, rate, first, m)
				run(x.p(0), &states[0], m, n)
				x.checkGuards(t, m, wide, lds)
				for i, v := range want.data {
					if i%lds < wide && math.Float32bits(x.data[i]) != math.Float32bits(v) {
						t.Fatalf("m = %d, n = %d: element (%d, %d) is %g, want %g", m, n, i/lds, i%lds, x.data[i], v)
					}
				}
			}
		}
	})
}

// TestAttendFolds folds a block of numbers along rows and along columns, for tables that rise or fall with every offset, with some, or with none.
func TestAttendFolds(t *testing.T) {
	const lds, pad, m, n = attention.LDS, 16, 32, 48
	eachAttendJob(t, []string{"Fold", "FoldKeys"}, func(t *testing.T, isa kernel.ISA, p kernel.AttentionParams, j kernel.AttentionJob) {
		run := function[func(s, to *float32, index, order *int32, m, n int)](t, j.Name)
		for slope := range 5 { // rows rise in slope of 4 steps
			for _, rises := range []bool{false, true} {
				offsets := m + n + 4*pad
				table := make([]int32, offsets) // row of an offset; the offset 0 lies at zero
				zero := n + 2*pad
				if j.Field == "Fold" {
					zero = m + 2*pad
				}
				for i := range table {
					row := min(i*slope/4, p.R-1)
					if !rises {
						row = min((offsets-1-i)*slope/4, p.R-1)
					}
					table[i] = int32(row)
				}
				s := draws(m, n, lds, 9)
				rows := map[string]int{"Fold": m, "FoldKeys": n}[j.Field]
				to := newBuffer(rows*p.LDG(), 0)
				clear(to.data)
				order := attention.OrderOf(isa.Lanes(), rises)
				run(s.p(0), to.p(pad), &table[zero], &order[0], m, n)
				to.checkGuards(t, rows, p.LDG(), p.LDG())
				want := make([]float64, len(to.data))
				for i := range m {
					for k := range n {
						row, offset := i, k-i
						if j.Field == "FoldKeys" {
							row, offset = k, i-k
						}
						want[row*p.LDG()+pad+int(table[zero+offset])] += float64(s.data[i*lds+k])
					}
				}
				for i, w := range want {
					near(t, "a sum", to.data[i], w)
				}
			}
		}
	})
}
