// Package programtest holds the tests and benchmarks that every generated package runs on itself with random weights. All instruction sets
// must agree with the portable form. The result of a sequence must have the same bits alone, in any batch, and with any number of threads.
package programtest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
)

// Options holds what the tests need to know besides the program.
type Options struct {
	Integers []Steps // contents of the I32 tensors
	Agree    float64 // largest difference between instruction sets, relative to the largest output, or to 1 if all outputs are smaller
}

// lengths returns the lengths of the sequences that the tests run: one token, less than a vector, around the edge of a block, and more.
func lengths(l engine.Limits) []int {
	var out []int
	total := 0
	for _, n := range []int{1, 7, 16, 17, 33, 65, 130} {
		n = min(n, l.SequenceTokens)
		if len(out) < l.BatchSequences && total+n <= l.BatchTokens {
			out = append(out, n)
			total += n
		}
	}
	return out
}

// batch draws sequences of the given lengths, and everything that models with these limits read in a batch.
func batch(l engine.Limits, lens []int, seed uint64) *runtime.Batch {
	return raggedtest.Batch(lens, l, false, rand.New(rand.NewPCG(seed, 3)).IntN)
}

// random is a package with random weights. If the package takes adapters, the weights have one, which is used unless its name is "".
type random struct {
	*engine.Program
	data    []byte
	adapter string
}

// run opens the package on an instruction set and computes the batches.
func (p *random) run(isa cpu.ISA, threads int, batches ...*runtime.Batch) ([][]float32, error) {
	model, err := engine.OpenBytes(p.Program, "random", p.data, runtime.UseISA(isa.String()), runtime.Threads(threads))
	if err != nil {
		return nil, err
	}
	defer model.Close()
	core, err := model.Adapter(p.adapter)
	if err != nil {
		return nil, err
	}
	var out [][]float32
	for _, b := range batches {
		o := make([]float32, p.Heads[0].OutLen(b))
		if err := core.Run(context.Background(), engine.Call{Batch: b, Out: o}); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// Run runs the tests of a generated package.
func Run(t *testing.T, p *engine.Program, o Options) {
	data, err := RandomWeights(p, 1, o.Integers)
	if err != nil {
		t.Fatal(err)
	}
	bare := &random{Program: p, data: data}
	bare.test(t, o)
	if p.Want.Rank > 0 {
		with := &random{Program: p, data: data, adapter: adapterName}
		t.Run("adapter", func(t *testing.T) {
			with.test(t, o)
			with.differs(t, bare)
		})
	}
}

// differs checks that the adapter changes the results.
func (p *random) differs(t *testing.T, bare *random) {
	all := batch(p.Limits, lengths(p.Limits)[:1], 1)
	with, err := p.run(cpu.ISAGo, 1, all)
	if err != nil {
		t.Fatal(err)
	}
	without, err := bare.run(cpu.ISAGo, 1, all)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range with[0] {
		if v != without[0][i] {
			return
		}
	}
	t.Error("the adapter changes nothing")
}

// test compares the instruction sets, and sequences alone with those in batches.
func (p *random) test(t *testing.T, o Options) {
	lens := lengths(p.Limits)
	if testing.Short() { // the portable form takes long: one token, less than a vector, and the edge of a block
		lens = lens[:min(len(lens), 4)]
	}
	all := batch(p.Limits, lens, 1)
	want, err := p.run(cpu.ISAGo, 1, all)
	if err != nil {
		t.Fatal(err)
	}
	p.allocations(t, all)
	top := 1.0
	for _, v := range want[0] {
		top = math.Max(top, math.Abs(float64(v)))
	}
	for _, isa := range p.ISAs {
		t.Run(isa.String(), func(t *testing.T) {
			if !isa.Supported() {
				t.Skipf("this CPU has no %s", isa)
			}
			if testing.Short() && isa == cpu.ISAGo {
				t.Skip("a short test only compares the others with the portable form")
			}
			got := want
			if isa != cpu.ISAGo { // want is the result of ISAGo
				var err error
				if got, err = p.run(isa, 1, all); err != nil {
					t.Fatal(err)
				}
			}
			for i, v := range got[0] {
				if diff := math.Abs(float64(v - want[0][i])); !(diff <= o.Agree*top) {
					t.Fatalf("output %d is %v, the portable form computes %v: the difference %.3g is more than %.3g", i, v, want[0][i], diff, o.Agree*top)
				}
			}
			p.alone(t, isa, all, got[0])
		})
	}
}

// alone compares each sequence by itself, with one and with two threads, with its rows of the batch's result, bit for bit.
func (p *random) alone(t *testing.T, isa cpu.ISA, all *runtime.Batch, together []float32) {
	var singles []*runtime.Batch
	h := &p.Heads[0]
	for s := range all.Sequences() {
		if one := all.Alone(s); h.OutLen(one) > 0 { // it may have no row, word or label
			singles = append(singles, one)
		}
	}
	for threads := 1; threads <= mostThreads(p.Program); threads++ {
		got, err := p.run(isa, threads, append(singles, all)...)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, fmt.Sprintf("the batch with %d threads", threads), got[len(singles)], together)
		from := make([]int, max(1, len(h.Parts))) // of the next sequence, in each output
		for s, one := range got[:len(singles)] {
			what := fmt.Sprintf("sequence %d alone with %d threads", s, threads)
			if h.Parts == nil {
				compare(t, what, one, together[from[0]:from[0]+len(one)])
				from[0] += len(one)
			}
			whole := h.Split(all.Sizes(), together)
			for p, part := range h.Split(singles[s].Sizes(), one) {
				compare(t, what+", output "+h.Parts[p].Name, part, whole[p][from[p]:from[p]+len(part)])
				from[p] += len(part)
			}
		}
	}
}

// allocations checks that calls in steady state allocate nothing: arenas have grown, and everything else was made when the model was
// opened.
func (p *random) allocations(t *testing.T, b *runtime.Batch) {
	model, err := engine.OpenBytes(p.Program, "random", p.data, runtime.Threads(mostThreads(p.Program)))
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	core, err := model.Adapter(p.adapter)
	if err != nil {
		t.Fatal(err)
	}
	call := engine.Call{Batch: b, Out: make([]float32, p.Heads[0].OutLen(b))}
	ctx := context.Background()
	n := testing.AllocsPerRun(5, func() {
		if err := core.Run(ctx, call); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per call", n)
	}
}

// mostThreads returns how many threads the tests use: two, if the spec allows them.
func mostThreads(p *engine.Program) int {
	if p.Threads == 1 {
		return 1
	}
	return 2
}

// compare checks that all bits are the same.
func compare(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: output %d is %v, not %v", what, i, got[i], want[i])
		}
	}
}

// Bench measures calls of the package with random weights on the best instruction set: one sequence of 128 tokens (or the spec's limit).
func Bench(b *testing.B, p *engine.Program, o Options) {
	data, err := RandomWeights(p, 1, o.Integers)
	if err != nil {
		b.Fatal(err)
	}
	core, err := engine.OpenBytes(p, "random", data)
	if err != nil {
		b.Fatal(err)
	}
	defer core.Close()
	n := min(128, p.Limits.SequenceTokens)
	in := batch(p.Limits, []int{n}, 1)
	out := make([]float32, p.Heads[0].OutLen(in))
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := core.Run(ctx, engine.Call{Batch: in, Out: out}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
