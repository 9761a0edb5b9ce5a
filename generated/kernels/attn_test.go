package kernels

import (
	"math"
	"reflect"
	"testing"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/attention"
)

// attnCase is one attention: q [n, LDQ] and k|v [n, LDK] of all heads, which share one buffer if their rows are equally far apart, and the tables of one head.
type attnCase struct {
	kernel.AttentionSample
	n, head      int
	q, kv        *buffer
	kr, qr, bias *buffer // bias by offset, as index
	index        []int32 // offset 0 in the middle
	prefix       int
}

// part returns the buffer and the place where the head's queries, keys or values (0, 1, 2) begin, and the distance between their rows.
func (c *attnCase) part(i int) (*buffer, int, int) {
	p := c.Params
	switch {
	case c.q == c.kv:
		return c.q, (i*c.Heads + c.head) * p.DP, p.LDQ
	case i == 0:
		return c.q, c.head * p.DP, p.LDQ
	}
	return c.kv, ((i-1)*c.Heads + c.head) * p.DP, p.LDK
}

// newAttnCase draws the inputs. Columns that belong to no head are NaN, which must not reach a result.
func newAttnCase(s kernel.AttentionSample, n int, seed uint64) *attnCase {
	p, rng := s.Params, random(seed)
	c := &attnCase{AttentionSample: s, n: n, head: s.Heads - 1}
	size := 1 / math.Sqrt(math.Sqrt(float64(p.D))) // products are about 1
	rows := func(parts, ld int) *buffer {
		b := newBuffer(n*ld, 0)
		for i := range n {
			row := b.data[i*ld:]
			for j := range parts * s.Heads * p.DP {
				row[j] = 0
				if j%p.DP < p.D {
					row[j] = float32(rng.NormFloat64() * size)
				}
			}
		}
		return b
	}
	if p.LDQ == p.LDK {
		c.q = rows(3, p.LDQ)
		c.kv = c.q
	} else {
		c.q, c.kv = rows(1, p.LDQ), rows(2, p.LDK)
	}
	if p.Masked && seed%2 == 0 {
		c.prefix = rng.IntN(n + 1)
	}
	panels := (p.R + 15) / 16
	table := func() *buffer {
		b := newBuffer(max(1, panels*16*p.DP), 0)
		for i := range b.data {
			b.data[i] = 0
			if r, d := i/(16*p.DP)*16+i%16, i/16%p.DP; r < p.R && d < p.D {
				b.data[i] = float32(rng.NormFloat64() * size)
			}
		}
		return b
	}
	c.kr, c.qr = table(), table()
	c.reach(n)
	return c
}

// reach sets the index and the biases for sequences of up to n rows.
func (c *attnCase) reach(n int) {
	rng, s := random(uint64(n)), c.AttentionSample
	c.bias = newBuffer(2*n-1, 0)
	fill(c.bias.data, func(int) float32 { return float32(rng.NormFloat64()) })
	c.index = make([]int32, 2*n-1)
	for i := range c.index {
		c.index[i] = int32(s.Row(i - (n - 1)))
	}
}

// double returns rows in float64: element (r, d) is at(r, d).
func double(rows, cols int, at func(r, d int) float32) [][]float64 {
	out := make([][]float64, rows)
	for r := range out {
		out[r] = make([]float64, cols)
		for d := range out[r] {
			out[r][d] = float64(at(r, d))
		}
	}
	return out
}

func dot(x, y []float64) float64 {
	sum := 0.0
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

// want computes o [n, D] and the probabilities [n, n] in float64, for rows at
// the positions pos.
func (c *attnCase) want(pos []int32) (o, probs []float64) {
	p, n := c.Params, c.n
	part := func(part int) [][]float64 {
		b, at, ld := c.part(part)
		return double(n, p.D, func(i, d int) float32 { return b.data[i*ld+at+d] })
	}
	table := func(b *buffer) [][]float64 {
		return double(p.R, p.D, func(r, d int) float32 { return b.data[(r/16*p.DP+d)*16+r%16] })
	}
	q, k, v, kr, qr := part(0), part(1), part(2), table(c.kr), table(c.qr)
	row := func(s attention.Sign, d int) int { return int(c.index[int(s)*d+len(c.index)/2]) }
	o, probs = make([]float64, n*p.D), make([]float64, n*n)
	for i := range n {
		seen := n
		if p.Masked {
			seen = max(i+1, c.prefix)
		}
		s := probs[i*n : i*n+seen]
		largest := math.Inf(-1)
		for j := range s {
			d := i - j
			if pos != nil {
				d = int(pos[i] - pos[j])
			}
			if p.Terms.Content {
				s[j] += dot(q[i], k[j])
			}
			if p.Terms.KeyPosition != attention.Absent {
				s[j] += dot(q[i], kr[row(p.Terms.KeyPosition, d)])
			}
			if p.Terms.QueryPosition != attention.Absent {
				s[j] += dot(k[j], qr[row(p.Terms.QueryPosition, d)])
			}
			if p.Terms.Bias {
				s[j] += float64(c.bias.data[d+len(c.bias.data)/2])
			}
			largest = max(largest, s[j])
		}
		total := 0.0
		for j := range s {
			s[j] = math.Exp(s[j] - largest)
			total += s[j]
		}
		for j := range s {
			s[j] /= total
			for d, x := range v[j] {
				o[i*p.D+d] += s[j] * x
			}
		}
	}
	return o, probs
}

// form returns an attention for an instruction set or in plain Go, or nil if this build has none.
func form(p kernel.AttentionParams, isa string) *attention.Form {
	f := &attention.Form{Shape: p.Shape, Portable: portable[kernel.AttentionName(p, kernel.Generic)]}
	if isa == kernel.Generic {
		return f
	}
	row, ok := kernel.FindISA(isa)
	if !ok || len(assembly) == 0 {
		return nil
	}
	f.Lanes, f.TableRows, f.TablePanels = row.Lanes(), kernel.AttentionTableRows(row), kernel.AttentionTablePanels(p, row)
	fields := reflect.ValueOf(&f.Kernels).Elem()
	for _, j := range kernel.AttentionJobs(p, row) {
		fields.FieldByName(j.Field).Set(reflect.ValueOf(assembly[j.Name]))
	}
	return f
}

// run computes rows [i0, i1) into o and checks the scratch memory and all guards. Operands that the score does not use are nil.
func (c *attnCase) run(t testing.TB, f *attention.Form, o *buffer, pos []int32, i0, i1 int) {
	c.runBy(t, f, f.Run, o, pos, i0, i1)
}

// runBy does the same as run with a given function in place of f.Run.
func (c *attnCase) runBy(t testing.TB, f *attention.Form, run func(attention.Call), o *buffer, pos []int32, i0, i1 int) {
	p := c.Params
	scratch := newBuffer(f.Scratch(c.n), 0)
	part := func(i int) *float32 {
		b, at, _ := c.part(i)
		return b.p(at)
	}
	call := attention.Call{O: o.p(i0 * p.LDO), Q: part(0), K: part(1), V: part(2), Scratch: scratch.p(0), N: c.n, From: i0, To: i1, Prefix: c.prefix}
	if p.Terms.KeyPosition != attention.Absent {
		call.KR = c.kr.p(0)
	}
	if p.Terms.QueryPosition != attention.Absent {
		call.QR = c.qr.p(0)
	}
	if p.Terms.Bias {
		call.Bias = c.bias.p(len(c.bias.data) / 2)
	}
	if p.Terms.Indexed() {
		call.Index = &c.index[len(c.index)/2]
	}
	if pos != nil {
		call.Positions = &pos[0]
	}
	run(call)
	if t, ok := t.(*testing.T); ok {
		scratch.checkGuards(t, 1, len(scratch.data), len(scratch.data))
		o.checkGuards(t, c.n, p.DP, p.LDO)
	}
}

// worst returns the largest distance of rows [i0, i1) of o from want, or NaN if any number is NaN.
func (c *attnCase) worst(o *buffer, want []float64, i0, i1 int) float64 {
	w := 0.0
	for i := i0; i < i1; i++ {
		for d := range c.Params.D {
			x := math.Abs(float64(o.data[i*c.Params.LDO+d]) - want[i*c.Params.D+d])
			if math.IsNaN(x) {
				return x
			}
			w = max(w, x)
		}
		for d := c.Params.D; d < c.Params.DP; d++ {
			w = max(w, math.Abs(float64(o.data[i*c.Params.LDO+d]))) // columns of no head stay 0
		}
	}
	return w
}

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
				for _, isa := range isasOf("attn") {
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
	forms := append([]string{kernel.Generic}, isaNames()...)
	for _, isa := range forms {
		t.Run(isa, func(t *testing.T) {
			if found, ok := kernel.FindISA(isa); ok {
				needs(t, found)
			}
			for i, s := range samples {
				if s.Params.D == 8 && i < len(samples)-2 {
					continue
				}
				a := form(s.Params, isa)
				t.Run(s.Name, func(t *testing.T) { f(t, s, a) })
			}
		})
	}
}

func isaNames() []string {
	var names []string
	for _, isa := range isasOf("attn") {
		names = append(names, isa.Name)
	}
	return names
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
			plain := s.Params.Shape
			plain.DP = attention.MaxHead + 16 // no kernels: exactly what plain Go needs
			if got, want := plain.Scratch(n), codegen.PortableScratch(s.Params, n); got != want {
				t.Fatalf("%s: scratch of %d for %d rows in plain Go, want %d", s.Name, got, n, want)
			}
		}
	}
}
