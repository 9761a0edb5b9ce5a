package kernels

import (
	"math"
	"slices"
	"testing"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/attention"
)

// attnLengths returns the lengths to test for a sample.
func attnLengths(s kernel.AttentionSample) []int {
	var ns []int
	step := 1
	if testing.Short() {
		step = 7
	}
	for n := 1; n <= 40; n += step {
		ns = append(ns, n)
	}
	ns = append(ns, 63, 64, 65, 127, 128, 129, 130)
	if testing.Short() {
		return ns
	}
	if s.Params.D != 8 {
		ns = append(ns, 257, 512, 700)
	} else {
		ns = append(ns, 257, 300)
	}
	return ns
}

// TestAttention compares every form with float64. The error of the portable form has a fixed bound. The error of the others may be at most 20 times that of the
// portable form.
func TestAttention(t *testing.T) {
	for _, s := range kernel.AttentionSamples() {
		t.Run(s.Name, func(t *testing.T) {
			for _, n := range attnLengths(s) {
				c := newAttnCase(s, n, uint64(n))
				want, _ := c.want(nil)
				o := newBuffer(n*s.Params.LDO, 0)
				c.run(t, form(s.Params, kernel.Generic), o, nil, 0, n)
				slow := c.worst(o, want, 0, n)
				if !(slow <= 4e-6) {
					t.Fatalf("portable, n = %d: error %g", n, slow)
				}
				for _, isa := range attnISAs(s) {
					f := form(s.Params, isa.Name)
					if f == nil || !runs(isa) {
						continue
					}
					o := newBuffer(n*s.Params.LDO, 0)
					c.run(t, f, o, nil, 0, n)
					if e := c.worst(o, want, 0, n); !(e <= 20*slow && e <= 1e-5) {
						t.Fatalf("%s, n = %d: error %g, the portable form has %g", isa.Name, n, e, slow)
					}
				}
			}
		})
	}
}

// eachAttention runs f for every instruction set and for all samples except most of the small ones with D = 8.
func eachAttention(t *testing.T, f func(t *testing.T, s kernel.AttentionSample, a *attention.Form)) {
	samples := kernel.AttentionSamples()
	forms := []string{kernel.Generic}
	for _, isa := range kernel.ISAs() {
		forms = append(forms, isa.Name)
	}
	for _, isa := range forms {
		t.Run(isa, func(t *testing.T) {
			found, ok := kernel.FindISA(isa)
			if ok {
				needs(t, found)
			}
			for i, s := range samples {
				if s.Params.D == 8 && i < len(samples)-2 || ok && !slices.ContainsFunc(attnISAs(s), func(x kernel.ISA) bool { return x.Name == isa }) {
					continue
				}
				a := form(s.Params, isa)
				t.Run(s.Name, func(t *testing.T) { f(t, s, a) })
			}
		})
	}
}

// attnISAs returns the instruction sets that have kernels for a sample.
func attnISAs(s kernel.AttentionSample) []kernel.ISA {
	if s.Params.Pairs {
		return isasOf("pair_attn")
	}
	return isasOf("attn")
}

// runs reports whether this build and CPU can run the set.
func runs(isa kernel.ISA) bool {
	for _, f := range isa.Features {
		if !features[f] {
			return false
		}
	}
	return true
}

// TestAttentionRanges computes the rows in parts. All bits must be the same.
func TestAttentionRanges(t *testing.T) {
	eachAttention(t, func(t *testing.T, s kernel.AttentionSample, a *attention.Form) {
		ns := []int{1, 17, 64, 129, 300, 600}
		if testing.Short() {
			ns = ns[:4]
		}
		for _, n := range ns {
			c := newAttnCase(s, n, 3)
			whole := newBuffer(n*s.Params.LDO, 0)
			c.run(t, a, whole, nil, 0, n)
			for _, cuts := range [][]int{{0, 1}, {0, 13, n}, {0, n / 3, n/3 + 1, n}, {0, 113, 240, n}, {n / 2, n}, {n - 1, n}} {
				o := newBuffer(n*s.Params.LDO, 0)
				for k := 1; k < len(cuts); k++ {
					i0, i1 := min(cuts[k-1], n), min(cuts[k], n)
					if i0 == i1 {
						continue
					}
					c.run(t, a, o, nil, i0, i1)
				}
				for i := range n {
					for d := range s.Params.DP {
						got, want := o.data[i*s.Params.LDO+d], whole.data[i*s.Params.LDO+d]
						if i < cuts[0] || i >= cuts[len(cuts)-1] {
							if !isBlank(got) {
								t.Fatalf("n = %d, cuts %v: row %d was written", n, cuts, i)
							}
						} else if math.Float32bits(got) != math.Float32bits(want) {
							t.Fatalf("n = %d, cuts %v: element (%d, %d) is %g, in one part %g", n, cuts, i, d, got, want)
						}
					}
				}
			}
		}
	})
}

// TestAttentionNaN puts a NaN into one row of the queries, keys or values.
func TestAttentionNaN(t *testing.T) {
	nan := float32(math.NaN())
	eachAttention(t, func(t *testing.T, s kernel.AttentionSample, a *attention.Form) {
		for _, n := range []int{5, 40, 290} {
			clean := newBuffer(n*s.Params.LDO, 0)
			newAttnCase(s, n, 5).run(t, a, clean, nil, 0, n)
			for part, name := range []string{"query", "key", "value"} {
				c, p, bad := newAttnCase(s, n, 5), s.Params, n/2
				o := newBuffer(n*p.LDO, 0)
				b, at, ld := c.part(part)
				b.data[bad*ld+at] = nan
				c.run(t, a, o, nil, 0, n)
				scored := p.Terms.Content || part == 0 && p.Terms.KeyPosition != attention.Absent || part == 1 && p.Terms.QueryPosition != attention.Absent
				for i := range n {
					if p.Masked && i < bad && (part == 1 || part == 2) {
						continue // keys after a query have no effect on it, unless they are NaN
					}
					for d := range p.D {
						// A NaN in a query changes its own row, a NaN in a key changes every row, and a NaN in a value changes its column.
						spoiled := part == 0 && i == bad && scored || part == 1 && scored || part == 2 && d == 0
						got, want := o.data[i*p.LDO+d], clean.data[i*p.LDO+d]
						if spoiled != (got != got) || !spoiled && got != want {
							t.Fatalf("n = %d, NaN in a %s: element (%d, %d) is %g, without NaN %g", n, name, i, d, got, want)
						}
					}
				}
			}
		}
	})
}

// TestAttentionHoles computes sequences with missing rows, and one sequence that is complete but whose positions do not start at 0.
func TestAttentionHoles(t *testing.T) {
	eachAttention(t, func(t *testing.T, s kernel.AttentionSample, a *attention.Form) {
		for _, n := range []int{1, 2, 40, 150} {
			c := newAttnCase(s, n, 7)
			c.reach(3 * n)
			rng := random(9)
			holes, shifted := make([]int32, n), make([]int32, n)
			at := int32(0)
			for i := range n {
				at += 1 + int32(rng.IntN(2))
				holes[i], shifted[i] = at, int32(11+i)
			}
			for name, pos := range map[string][]int32{"holes": holes, "shifted": shifted} {
				want, _ := c.want(pos)
				o := newBuffer(n*s.Params.LDO, 0)
				c.run(t, a, o, pos, 0, n)
				if e := c.worst(o, want, 0, n); !(e <= 1e-5) {
					t.Fatalf("%s, n = %d: error %g", name, n, e)
				}
			}
		}
	})
}

// TestAttentionJump reads an index that leaves out rows of the table, as logarithmic buckets with a short reach do. Windows are too narrow for it.
func TestAttentionJump(t *testing.T) {
	eachAttention(t, func(t *testing.T, s kernel.AttentionSample, a *attention.Form) {
		for _, n := range []int{3, 21, 90} {
			c := newAttnCase(s, n, 11)
			if !s.Params.Terms.Indexed() {
				continue
			}
			for i := range c.index {
				c.index[i] = int32(min(max(s.Params.R/2+3*(i-(n-1)), 0), s.Params.R-1))
			}
			want, _ := c.want(nil)
			o := newBuffer(n*s.Params.LDO, 0)
			c.run(t, a, o, nil, 0, n)
			if e := c.worst(o, want, 0, n); !(e <= 1e-5) {
				t.Fatalf("n = %d: error %g", n, e)
			}
		}
	})
}

// TestAttentionMaps checks the probabilities that a form writes.
func TestAttentionMaps(t *testing.T) {
	for _, s := range kernel.AttentionSamples() {
		f := form(s.Params, kernel.Generic)
		for _, n := range []int{1, 30, 70} {
			c := newAttnCase(s, n, 1)
			want, probs := c.want(nil)
			o, p := newBuffer(n*s.Params.LDO, 0), newBuffer(n*n, 0)
			c.runBy(t, f, func(call attention.Call) { f.Maps(call, p.p(0), 0) }, o, nil, 0, n)
			p.checkGuards(t, 1, n*n, n*n)
			if e := c.worst(o, want, 0, n); !(e <= 4e-6) {
				t.Fatalf("%s, n = %d: error %g", s.Name, n, e)
			}
			for i, x := range p.data {
				if e := math.Abs(float64(x) - probs[i]); !(e <= 1e-6) || probs[i] == 0 && x != 0 {
					t.Fatalf("%s, n = %d: probability %d is %g, want %g", s.Name, n, i, x, probs[i])
				}
			}
		}
	}
}

// TestAttentionScratch compares the length of the scratch memory with what the op's loop nest needs, which runs where kernels cannot.
func TestAttentionScratch(t *testing.T) {
	for _, n := range []int{1, 15, 16, 17, 112, 255, 257, 560, 561, 5000} {
		for _, s := range kernel.AttentionSamples() {
			if got, want := s.Params.Scratch(n), codegen.PortableScratch(s.Params, n); got < want {
				t.Fatalf("%s: scratch of %d for %d rows, plain Go needs %d", s.Name, got, n, want)
			}
			plain := s.Params
			plain.DP = attention.MaxHead + 16 // no kernels: exactly what plain Go needs
			if got, want := plain.Scratch(n), codegen.PortableScratch(plain, n); got != want {
				t.Fatalf("%s: scratch of %d for %d rows in plain Go, want %d", s.Name, got, n, want)
			}
		}
	}
}
