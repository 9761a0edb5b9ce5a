package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/runtime/attention"
)

// attendCase is an attention of a training program with the operands of a batch, in memory and for the oracle. tensors and grads are indexed as the operands
// of the op attend; the gradient of the result lies in do, and the result in o.
type attendCase struct {
	kernel.AttendSample
	index, starts, prefix, picked, pos []int32

	tensors, grads [ops.AttendKey + 1]*attendTensor
	do, o          *attendTensor
}

// attendTensor is a matrix between guards, with rows ld apart.
type attendTensor struct {
	*buffer
	rows, cols, ld int
}

// newAttendTensor returns a matrix of numbers of size times a normal distribution, or one that is blank if size is 0.
func newAttendTensor(rng *rand.Rand, rows, cols, ld int, size float64) *attendTensor {
	t := &attendTensor{newBuffer(max(1, (rows-1)*ld+cols), 0), rows, cols, ld}
	for r := range rows {
		for d := range cols {
			if size > 0 {
				t.data[r*ld+d] = float32(rng.NormFloat64() * size)
			}
		}
	}
	return t
}

// array returns the matrix for the oracle.
func (t *attendTensor) array() *ir.Array {
	if t == nil {
		return nil
	}
	out := ir.NewArray(t.rows, t.cols)
	for i := range out.F {
		out.F[i] = float64(t.data[i/t.cols*t.ld+i%t.cols])
	}
	return out
}

// start returns a pointer to the first element, or nil.
func (t *attendTensor) start() *float32 {
	if t == nil {
		return nil
	}
	return t.p(0)
}

// middle returns a pointer to the element of offset 0 in the first row, or nil.
func (t *attendTensor) middle() *float32 {
	if t == nil {
		return nil
	}
	return t.p(t.cols / 2)
}

// newAttendCase draws the operands of a batch of sequences of the given lengths.
func newAttendCase(s kernel.AttendSample, lens []int, holes bool, seed uint64) *attendCase {
	rng := random(seed)
	c := &attendCase{AttendSample: s, starts: []int32{0}}
	for _, n := range lens {
		c.starts = append(c.starts, c.starts[len(c.starts)-1]+int32(n))
		if s.Prefix {
			c.prefix = append(c.prefix, int32(rng.IntN(n+1)))
		}
		at := int32(rng.IntN(3))
		for range n {
			if at++; holes {
				at += int32(rng.IntN(2))
			}
			c.pos = append(c.pos, at)
		}
	}
	tokens := int(c.starts[len(lens)])
	computed := tokens
	switch s.Rows {
	case attention.First:
		computed = len(lens)
	case attention.Picked:
		for t := range tokens {
			if rng.IntN(3) > 0 || t == 0 {
				c.picked = append(c.picked, int32(t))
			}
		}
		computed = len(c.picked)
	}
	for off := -s.Reach; off <= s.Reach; off++ {
		c.index = append(c.index, int32(s.Row(off)))
	}
	wide, size := s.Heads*s.D, math.Pow(float64(s.D), -0.25)/math.Sqrt(float64(s.Scale))
	t, l := s.Terms, s.Operands
	add := func(use bool, i, rows, cols, ld, ldGrad int, size float64) {
		if use {
			c.tensors[i] = newAttendTensor(rng, rows, cols, ld, size)
			c.grads[i] = newAttendTensor(rng, rows, cols, ldGrad, 0)
		}
	}
	kr, qr := t.KeyPosition != attention.Absent, t.QueryPosition != attention.Absent
	add(t.Content || kr, ops.AttendQ, computed, wide, l.Q, s.Gradient.Q, size)
	add(t.Content || qr, ops.AttendK, tokens, wide, l.K, s.Gradient.K, size)
	add(true, ops.AttendV, tokens, s.Heads*s.E, l.V, s.Gradient.V, 1)
	add(kr, ops.AttendKR, s.R, wide, l.KR, s.Gradient.KR, size)
	add(qr, ops.AttendQR, s.R, wide, l.QR, s.Gradient.QR, size)
	add(t.Bias, ops.AttendBias, s.Heads, 2*s.Reach+1, l.Bias, s.Gradient.Bias, 1)
	add(s.MixScore, ops.AttendMixScore, s.Heads, s.Heads, l.MixScore, s.Gradient.MixScore, 1)
	add(s.MixWeight, ops.AttendMixWeight, s.Heads, s.Heads, l.MixWeight, s.Gradient.MixWeight, 1)
	c.do = newAttendTensor(rng, computed, s.Heads*s.E, l.O, 1)
	c.o = newAttendTensor(rng, computed, s.Heads*s.E, l.O, 0)
	return c
}

// oracle computes the result and the gradients in float64.
func (c *attendCase) oracle(t testing.TB) (o []float64, grads map[int][]float64) {
	n := &ir.Node{Op: "attend"}
	for key, v := range map[string]any{"heads": c.Heads, "scale": float64(c.Scale), "cc": c.Terms.Content,
		"cp": c.Terms.KeyPosition != attention.Absent, "pc": c.Terms.QueryPosition != attention.Absent,
		"flip_cp": c.Terms.KeyPosition == attention.Reverse, "flip_pc": c.Terms.QueryPosition == attention.Reverse,
		"rows": map[attention.Rows]string{attention.First: "first", attention.Picked: "picked"}[c.Rows]} {
		n.Set(key, v)
	}
	if c.Masked {
		n.Set("mask", map[bool]string{true: "prefix", false: "causal"}[c.Prefix])
	}
	in := make([]*ir.Array, ops.AttendKey+1)
	var values []*ir.Value
	for i, x := range c.tensors {
		in[i] = x.array()
		values = append(values, nil)
		if x != nil {
			values[i] = &ir.Value{Type: ir.Type{DType: ir.F32}}
		}
	}
	if c.Rate > 0 {
		n.Set("rate", c.Rate)
		in[ops.AttendKey] = &ir.Array{Shape: []int{2}, I: dropKey}
	}
	for i, x := range map[int][]int32{ops.AttendIndex: c.index, ops.AttendStarts: c.starts, ops.AttendPos: c.pos,
		ops.AttendPrefix: c.prefix, ops.AttendPicked: c.picked} {
		if x != nil {
			in[i] = &ir.Array{Shape: []int{len(x)}, I: x}
		}
	}
	out, err := ir.Lookup("attend").Ref(n, in)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ir.Lookup("attend_grad").Ref(n, append([]*ir.Array{c.do.array()}, in...))
	if err != nil {
		t.Fatal(err)
	}
	grads = map[int][]float64{}
	for k, i := range ops.AttendDifferentiable(values) {
		grads[i] = list[k].F
	}
	return out[0].F, grads
}

// dropKey is the key of the dropout of all samples.
var dropKey = []int32{17, -5}

// call returns the arguments, with the result or its gradient at o.
func (c *attendCase) call(o *attendTensor, scratch *buffer, holes bool) attention.AttendCall {
	tensors := func(x [ops.AttendKey + 1]*attendTensor, o *float32) attention.Tensors {
		return attention.Tensors{O: o, Q: x[ops.AttendQ].start(), K: x[ops.AttendK].start(), V: x[ops.AttendV].start(), KR: x[ops.AttendKR].start(),
			QR: x[ops.AttendQR].start(), Bias: x[ops.AttendBias].middle(), MixScore: x[ops.AttendMixScore].start(), MixWeight: x[ops.AttendMixWeight].start()}
	}
	call := attention.AttendCall{Tensors: tensors(c.tensors, o.start()), Grad: tensors(c.grads, nil), Index: &c.index[c.Reach],
		Starts: c.starts, Prefix: c.prefix, Picked: c.picked, Key: &dropKey[0], Scratch: scratch.p(0)}
	if holes {
		call.Positions = &c.pos[0]
	}
	return call
}

// run computes the result and the gradients with a form. It checks the guards of everything that is written.
func (c *attendCase) run(t testing.TB, a *attention.Attend, holes bool) {
	longest := 0
	for b := range len(c.starts) - 1 {
		longest = max(longest, int(c.starts[b+1]-c.starts[b]))
	}
	scratch := newBuffer(max(1, a.Scratch(longest)), 0)
	for unit := range a.Units(len(c.starts) - 1) {
		a.Run(c.call(c.o, scratch, holes), unit)
	}
	gradScratch := newBuffer(max(1, a.GradScratch(longest)), 0)
	for unit := range a.GradUnits() {
		a.RunGrad(c.call(c.do, gradScratch, holes), unit)
	}
	if t, ok := t.(*testing.T); ok {
		scratch.checkGuards(t, 1, len(scratch.data), len(scratch.data))
		gradScratch.checkGuards(t, 1, len(gradScratch.data), len(gradScratch.data))
		for _, x := range append(c.grads[:], c.o) {
			if x != nil {
				x.checkGuards(t, x.rows, x.cols, x.ld)
			}
		}
	}
}

// attendError returns the largest distance of a matrix from the oracle's, in units of the largest number of the latter. The unit is not less than 0.1, because
// gradients of scores are differences of numbers near 1.
func attendError(x *attendTensor, want []float64) float64 {
	top, worst := 0.1, 0.0
	for _, w := range want {
		top = max(top, math.Abs(w))
	}
	for i, w := range want {
		e := math.Abs(float64(x.data[i/x.cols*x.ld+i%x.cols]) - w)
		if math.IsNaN(e) {
			return e
		}
		worst = max(worst, e)
	}
	return worst / top
}

// attendForm returns a sample with its kernels, or nil if it has none.
func attendForm(s kernel.AttendSample, isa kernel.ISA) *attention.Attend {
	a := s.Attend
	if len(assembly) == 0 || kernel.CheckAttend(&a) != nil {
		return nil
	}
	fill := func(to any, f *attention.Form, p kernel.AttentionParams, jobs []kernel.AttentionJob) {
		f.Shape, f.Lanes, f.TableRows, f.TablePanels = p.Shape, isa.Lanes(), kernel.AttentionTableRows(isa), kernel.AttentionTablePanels(p, isa)
		fields := reflect.ValueOf(to).Elem()
		for _, j := range jobs {
			fields.FieldByName(j.Field).Set(reflect.ValueOf(assembly[j.Name]))
		}
	}
	forward, backward := &attention.ForwardForm{}, &attention.BackwardForm{}
	fill(forward, &forward.Form, kernel.AttendForward(&a), kernel.AttendJobs(&a, isa))
	fill(backward, &backward.Form, kernel.AttendBackward(&a), kernel.AttendGradJobs(&a, isa))
	a.Forward, a.Backward = forward, backward
	return &a
}

// attendForms returns the forms of a sample that this machine can run, by instruction set.
func attendForms(s kernel.AttendSample) map[string]*attention.Attend {
	forms := map[string]*attention.Attend{kernel.Generic: &s.Attend}
	for _, isa := range isasOf("attn") {
		if a := attendForm(s, isa); a != nil && runs(isa) {
			forms[isa.Name] = a
		}
	}
	return forms
}

// attendBatches are the lengths of the sequences of each batch.
var attendBatches = [][]int{{1}, {2}, {15, 1, 16}, {17, 3}, {63, 64}, {65}, {127, 5, 128}, {300, 20}, {513}}

// attendLens returns the batches to test for a sample: all, or with -short a few short ones and one with several blocks of keys.
func attendLens(s kernel.AttendSample) [][]int {
	switch {
	case testing.Short():
		return [][]int{{1}, {17, 3}, {65}, {15, 270}}
	case s.Heads*s.D > 700: // the oracle takes long
		return attendBatches[:6]
	}
	return attendBatches
}

// TestAttend compares the result and the gradients of every form with float64.
func TestAttend(t *testing.T) {
	for _, s := range kernel.AttendSamples() {
		t.Run(s.Name, func(t *testing.T) {
			for k, lens := range attendLens(s) {
				for _, holes := range []bool{false, true} {
					if holes && k != 1 {
						continue
					}
					o, grads := newAttendCase(s, lens, holes, uint64(k)).oracle(t)
					for isa, form := range attendForms(s) {
						c := newAttendCase(s, lens, holes, uint64(k))
						c.run(t, form, holes)
						c.compare(t, fmt.Sprintf("%s, lengths %v, holes %v", isa, lens, holes), o, grads)
					}
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// compare compares the result and the gradients with those of the oracle.
func (c *attendCase) compare(t *testing.T, what string, o []float64, grads map[int][]float64) {
	t.Helper()
	if e := attendError(c.o, o); !(e <= 1e-5) {
		t.Errorf("%s: the result has the error %g", what, e)
	}
	for i, want := range grads {
		if e := attendError(c.grads[i], want); !(e <= 2e-5) { // the last rows of tables collect many pairs
			t.Errorf("%s: the gradient of operand %s has the error %g", what, ir.Lookup("attend").In[i].Name, e)
		}
	}
}

// TestAttendWorkers computes a batch with 1, 2 and 64 simulated workers: each has its own scratch memory, and units run in different orders. All bits must be
// the same.
func TestAttendWorkers(t *testing.T) {
	for _, s := range kernel.AttendSamples() {
		if testing.Short() && s.D != 7 || s.Heads > 4 {
			continue
		}
		for isa, a := range attendForms(s) {
			var first *attendCase
			for _, workers := range []int{1, 2, 64} {
				c := newAttendCase(s, []int{9, 40, 3, 33, 1, 70}, false, 2)
				scratch := make([]*buffer, workers)
				for w := range scratch {
					scratch[w] = newBuffer(max(1, a.Scratch(70), a.GradScratch(70)), 0)
				}
				each := func(units int, f func(worker, unit int)) {
					for u := range units {
						if workers == 2 { // from the last to the first
							u = units - 1 - u
						}
						f((u*7+3)%workers, u)
					}
				}
				each(a.Units(6), func(w, u int) { a.Run(c.call(c.o, scratch[w], false), u) })
				each(a.GradUnits(), func(w, u int) { a.RunGrad(c.call(c.do, scratch[w], false), u) })
				if first == nil {
					first = c
					continue
				}
				for i, x := range append(c.grads[:], c.o) {
					if x != nil {
						want := append(first.grads[:], first.o)[i]
						sameBits(t, fmt.Sprintf("%s, %s, %d workers, tensor %d", s.Name, isa, workers, i), x.data, want.data)
					}
				}
			}
		}
	}
}

// TestAttendJump reads an index that leaves out rows of the table, in a batch with a sequence that is too short for it to matter.
func TestAttendJump(t *testing.T) {
	for _, s := range kernel.AttendSamples() {
		if !s.Terms.Indexed() || s.D != 16 {
			continue
		}
		for isa, a := range attendForms(s) {
			c := newAttendCase(s, []int{1, 23, 4}, false, 3)
			for i := range c.index {
				c.index[i] = int32(min(max(s.R/2+3*(i-s.Reach), 0), s.R-1))
			}
			o, grads := c.oracle(t)
			c.run(t, a, false)
			c.compare(t, s.Name+", "+isa, o, grads)
		}
	}
}

// TestAttendScratch checks that scratch memory grows with the length, and not with its square.
func TestAttendScratch(t *testing.T) {
	for _, s := range kernel.AttendSamples() {
		for _, need := range []func(int) int{s.Scratch, s.GradScratch} {
			last, base := 0, need(64)
			for n := 1; n < 9000; n += 1 + n/7 {
				if got := need(n); got < last || n > 64 && got > base+n*need(1024)/256 {
					t.Fatalf("%s: scratch of %d floats for %d rows, %d for fewer", s.Name, got, n, last)
				} else {
					last = got
				}
			}
		}
	}
}

// sameBits fails if two lists of numbers differ in a bit.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for e, x := range got {
		if math.Float32bits(x) != math.Float32bits(want[e]) {
			t.Fatalf("%s: element %d is %g, want %g", what, e, x, want[e])
		}
	}
}
