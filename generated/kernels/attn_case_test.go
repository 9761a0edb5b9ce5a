package kernels

import (
	"math"
	"reflect"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/attention"
	"github.com/debertac/debertac/runtime/bf16"
)

// attnCase is one attention: q [n, LDQ] and k|v [n, LDK] of all heads, which share one buffer if their rows are equally far apart, and the tables of one head.
type attnCase struct {
	kernel.AttentionSample
	n, head      int
	q, kv        *buffer
	kr, qr, bias *buffer // bias by offset, as index
	index        []int32 // offset 0 in the middle
	prefix       int

	krPairs, qrPairs []int32 // the tables for a sample with pairs

	slack   []float64 // what rounding exponentials to bfloat16 changes at most, one number per element of the result; set by want
	rounded bool      // the last run rounded them
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
	if p.Pairs {
		c.krPairs, c.qrPairs = tablePairs(c.kr.data, p.DP), tablePairs(c.qr.data, p.DP)
	}
	c.reach(n)
	return c
}

// tablePairs returns the panels of a table [R/16][dp][16] as panels of pairs, [R/16][dp/2][16].
func tablePairs(t []float32, dp int) []int32 {
	out := make([]int32, len(t)/2)
	for i := range len(t) / (16 * dp) * 8 * dp {
		at := i/16*32 + i%16
		out[i] = bf16.Pair(t[at], t[at+16])
	}
	return out
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
	number := func(x float32) float32 {
		if p.Pairs {
			return bf16.Round(x)
		}
		return x
	}
	part := func(part int) [][]float64 {
		b, at, ld := c.part(part)
		return double(n, p.D, func(i, d int) float32 { return number(b.data[i*ld+at+d]) })
	}
	table := func(b *buffer) [][]float64 {
		return double(p.R, p.D, func(r, d int) float32 { return number(b.data[(r/16*p.DP+d)*16+r%16]) })
	}
	q, k, v, kr, qr := part(0), part(1), part(2), table(c.kr), table(c.qr)
	row := func(s attention.Sign, d int) int { return int(c.index[int(s)*d+len(c.index)/2]) }
	o, probs = make([]float64, n*p.D), make([]float64, n*n)
	c.slack = make([]float64, n*p.D)
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
				c.slack[i*p.D+d] += s[j] * math.Abs(x) / 256
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
	fields := reflect.ValueOf(f).Elem()
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
	c.rounded = p.Pairs && f.Softmax != nil
	scratch := newBuffer(f.Scratch(c.n), 0)
	part := func(i int) *float32 {
		b, at, _ := c.part(i)
		return b.p(at)
	}
	call := attention.Call{O: o.p(i0 * p.LDO), Q: part(0), K: part(1), V: part(2), Scratch: scratch.p(0), N: c.n, From: i0, To: i1, Prefix: c.prefix}
	if p.Terms.KeyPosition != attention.Absent && p.Pairs {
		call.KRPairs = &c.krPairs[0]
	} else if p.Terms.KeyPosition != attention.Absent {
		call.KR = c.kr.p(0)
	}
	if p.Terms.QueryPosition != attention.Absent && p.Pairs {
		call.QRPairs = &c.qrPairs[0]
	} else if p.Terms.QueryPosition != attention.Absent {
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

// worst returns the largest distance of rows [i0, i1) of o from want, or NaN if any number is NaN. It takes off what rounding exponentials may change.
func (c *attnCase) worst(o *buffer, want []float64, i0, i1 int) float64 {
	w := 0.0
	for i := i0; i < i1; i++ {
		for d := range c.Params.D {
			x := math.Abs(float64(o.data[i*c.Params.LDO+d]) - want[i*c.Params.D+d])
			if math.IsNaN(x) {
				return x
			}
			if c.rounded {
				x -= c.slack[i*c.Params.D+d]
			}
			w = max(w, x)
		}
		for d := c.Params.D; d < c.Params.DP; d++ {
			w = max(w, math.Abs(float64(o.data[i*c.Params.LDO+d]))) // columns of no head stay 0
		}
	}
	return w
}
