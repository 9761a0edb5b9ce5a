// Package trainertest holds the tests and the benchmark that every generated training package runs on itself with drawn weights. All instruction sets must
// agree with the portable form, and a step must have the same bits with any number of threads.
package trainertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
	"github.com/debertac/debertac/runtime/rate"
	"github.com/debertac/debertac/runtime/trainer"
)

// Options holds what the tests need to know besides the program.
type Options struct {
	Agree float64 // largest difference of a gradient between instruction sets, relative to the largest element of the gradient
}

// lengths returns the lengths of the sequences that the tests run.
func lengths(l engine.Limits, wanted ...int) (out []int) {
	total := 0
	for _, n := range wanted {
		n = min(n, l.SequenceTokens)
		if len(out) < l.BatchSequences && total+n <= l.BatchTokens {
			out = append(out, n)
			total += n
		}
	}
	return out
}

// Batch draws sequences of the given lengths and their targets.
func Batch(p *trainer.Program, lens []int, seed uint64) *trainer.Batch {
	r := rand.New(rand.NewPCG(seed, 3))
	b := &trainer.Batch{Batch: *raggedtest.Batch(lens, p.Needs(), false, r.IntN)}
	p.DrawTargets(b, r.IntN)
	return b
}

// unmask turns a batch into one that the trainer masks. Words have two tokens.
func unmask(p *trainer.Program, b *trainer.Batch) {
	b.Rows = nil
	for _, name := range p.Masking.Targets {
		delete(b.Integers, name)
	}
	for s := range b.Sequences() {
		n := b.Length(s)
		for i := range n {
			word := int32(i / 2)
			if i == 0 || i == n-1 {
				word = -1
			}
			b.WordOf = append(b.WordOf, word)
		}
	}
}

// steps returns a number of steps that leaves some after the warmup.
func steps(p *trainer.Program) int {
	if len(p.Optimizers) == 0 {
		return 1
	}
	return 1<<20 + int(2*p.Optimizers[0].Rate.Warmup)
}

// brisk returns a program with other learning rates: those that change numbers of the size of drawn weights in a few steps, whatever the spec says.
func brisk(p *trainer.Program) *trainer.Program {
	fast := *p
	fast.Optimizers = slices.Clone(p.Optimizers)
	for i := range fast.Optimizers {
		o := &fast.Optimizers[i]
		o.Warmup, o.Rate = 0, rate.Schedule{Peak: 0.01, Steps: 100, Warmup: 1, Course: rate.Linear}
		if o.Kind == "sgd" || o.Kind == "radam" { // the first steps of radam do not divide by the size of gradients either
			o.Rate.Peak = 0.1
		}
		if o.Every > 0 {
			o.Every = 2 // the steps of the tests reach it
		}
	}
	return &fast
}

// step computes one step of a new trainer.
func step(t *testing.T, p *trainer.Program, isa cpu.ISA, threads int, b *trainer.Batch) (loss float32, gradients map[string][]float32) {
	t.Helper()
	tr, err := trainer.Draw(p, 1, trainer.UseISA(isa.String()), trainer.Threads(threads), trainer.Steps(steps(p)))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if loss, err = tr.Gradients(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	gradients = map[string][]float32{}
	var names []string
	for _, q := range p.Params {
		if q.Trained {
			names = append(names, q.Name)
		}
	}
	for _, w := range p.Twins { // the second of two optimizers has another gradient of the tensor
		names = append(names, w.Name)
	}
	for _, name := range names {
		if gradients[name], err = tr.Gradient(name); err != nil {
			t.Fatal(err)
		}
	}
	return loss, gradients
}

// Run runs the tests of a generated package.
func Run(t *testing.T, p *trainer.Program, o Options) {
	lens := lengths(p.Limits, 1, 7, 16, 17, 33)
	b := Batch(p, lens, 1)
	loss, want := step(t, p, cpu.ISAGo, 1, b)
	rounding := roundingOf(p, loss, want)
	for _, isa := range p.ISAs {
		t.Run(isa.String(), func(t *testing.T) {
			if !isa.Supported() {
				t.Skipf("this CPU has no %s", isa)
			}
			l, got := step(t, p, isa, 1, b)
			if math.Abs(float64(l-loss)) > o.Agree*math.Abs(float64(loss)) {
				t.Fatalf("the loss is %v, the portable form computes %v", l, loss)
			}
			for name := range want {
				if err := agree(got[name], want[name], o.Agree, rounding[name]); err != nil {
					t.Fatalf("the gradient of %s: %v", name, err)
				}
			}
			l2, twice := step(t, p, isa, 2, b)
			if l2 != l {
				t.Fatalf("with two threads the loss is %v, with one %v", l2, l)
			}
			for name := range want {
				for i, v := range twice[name] {
					if math.Float32bits(v) != math.Float32bits(got[name][i]) {
						t.Fatalf("element %d of the gradient of %s is %v with two threads, %v with one", i, name, v, got[name][i])
					}
				}
			}
			if len(p.Optimizers) > 0 {
				updates(t, brisk(p), isa, lens)
				interrupted(t, brisk(p), isa, lens)
			}
		})
	}
}

// fewest returns the number of sequences of the smallest batch: one, or a pair.
func fewest(p *trainer.Program) int {
	if slices.ContainsFunc(p.Targets, func(t trainer.Target) bool { return t.Check == trainer.Pairs }) {
		return 2
	}
	return 1
}

// trained returns all tensors before and after a few steps of a new trainer. If the program takes a batch in parts, each step has two. With pause, another
// trainer goes on from a checkpoint after the second step. pulled has the tensors that the last step must change.
func trained(t *testing.T, p *trainer.Program, isa cpu.ISA, threads int, lens []int, pause bool) (before, after map[string][]float32, pulled map[string]bool) {
	t.Helper()
	open := func(seed uint64) *trainer.Trainer {
		opts := []trainer.Option{trainer.UseISA(isa.String()), trainer.Threads(threads), trainer.Seed(seed)}
		if p.Masking != nil {
			opts = append(opts, trainer.MaskToken(int32(p.Limits.Vocab-1)))
		}
		tr, err := trainer.Draw(p, seed, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	tr := open(1)
	defer func() { tr.Close() }()
	before = tensors(t, tr, p)
	for seed := range uint64(3) { // the first step of a warmup has the rate 0
		parts := []*trainer.Batch{Batch(p, lens, 2*seed)}
		if len(p.Counts) > 0 {
			parts = append(parts, Batch(p, lens[:fewest(p)], 2*seed+1))
		}
		if p.Masking != nil && seed == 2 {
			for _, b := range parts {
				unmask(p, b)
			}
		}
		r, err := tr.StepParts(t.Context(), parts...)
		if err != nil {
			t.Fatal(err)
		}
		if !(r.Norm > 0) {
			t.Fatalf("step %d: the norm of the gradients is %v", r.Step, r.Norm)
		}
		if pause && seed == 1 {
			path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
			if err := tr.Save(path); err != nil {
				t.Fatal(err)
			}
			tr.Close()
			tr = open(2)
			if err := tr.Resume(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	pulled = map[string]bool{}
	for _, q := range p.Params {
		if q.Trained {
			g, err := tr.Gradient(q.Name)
			if err != nil {
				t.Fatal(err)
			}
			pulled[q.Name] = pulls(g, before[q.Name])
		}
	}
	return before, tensors(t, tr, p), pulled
}

// updates checks that steps change the tensors that are trained and no others, with the same bits for any number of threads, and after a pause.
func updates(t *testing.T, p *trainer.Program, isa cpu.ISA, lens []int) {
	t.Helper()
	before, one, pulled := trained(t, p, isa, 1, lens, false)
	for _, other := range []struct {
		how     string
		threads int
		pause   bool
	}{{"with two threads", 2, false}, {"with 64 threads", 64, false}, {"with a pause", 1, true}} {
		if p.Threads > 0 && other.threads > p.Threads {
			continue
		}
		_, after, _ := trained(t, p, isa, other.threads, lens, other.pause)
		same(t, after, one, "after a few steps "+other.how)
	}
	for _, q := range p.Params {
		changed := false
		for i, v := range one[q.Name] {
			changed = changed || v != before[q.Name][i]
		}
		if changed && !q.Trained {
			t.Fatalf("%s is not trained, and steps change it", q.Name)
		}
		if !changed && pulled[q.Name] {
			t.Fatalf("%s is trained, and steps do not change it", q.Name)
		}
	}
}

// limited is a context that is cancelled after a number of questions about it.
type limited struct {
	context.Context
	left int
}

func (l *limited) Err() error {
	if l.left--; l.left < 0 {
		return context.Canceled
	}
	return nil
}

// interrupted checks that a step which is cancelled at any place changes nothing, and that the same step then has the bits of one that was not interrupted.
func interrupted(t *testing.T, p *trainer.Program, isa cpu.ISA, lens []int) {
	t.Helper()
	open := func() *trainer.Trainer {
		tr, err := trainer.Draw(p, 1, trainer.UseISA(isa.String()), trainer.Threads(1))
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	calm, tr, b := open(), open(), Batch(p, lens[:min(2, len(lens))], 5) // a contrastive loss needs two texts
	defer calm.Close()
	defer tr.Close()
	if _, err := calm.Step(t.Context(), b); err != nil { // the first step of a warmup has the rate 0
		t.Fatal(err)
	}
	if _, err := tr.Step(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	before := tensors(t, tr, p)
	failed := 0
	for left := 0; ; left += 1 + left/2 { // at the end of the steps, only if the places are few
		_, err := tr.Step(&limited{t.Context(), left}, b)
		if err == nil {
			break
		}
		if failed++; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		same(t, tensors(t, tr, p), before, "a cancelled step changes it")
	}
	if failed < 3 {
		t.Fatalf("a step could be cancelled at %d places, want 3 at least", failed)
	}
	if _, err := calm.Step(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	same(t, tensors(t, tr, p), tensors(t, calm, p), "it is another one after an interruption")
}

// tensors returns copies of all tensors.
func tensors(t *testing.T, tr *trainer.Trainer, p *trainer.Program) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, q := range p.Params {
		list, err := tr.Tensor(q.Name)
		if err != nil {
			t.Fatal(err)
		}
		all[q.Name] = list
	}
	return all
}

// same checks that tensors have equal bits.
func same(t *testing.T, got, want map[string][]float32, what string) {
	t.Helper()
	for name, list := range want {
		for i, v := range list {
			if math.Float32bits(v) != math.Float32bits(got[name][i]) {
				t.Fatalf("element %d of %s is %v, want %v: %s", i, name, got[name][i], v, what)
			}
		}
	}
}

// largest returns the largest absolute value of an element.
func largest(list []float32) (top float64) {
	for _, v := range list {
		top = math.Max(top, math.Abs(float64(v)))
	}
	return top
}

// roundingOf returns the rounding of gradients that are sums over all rows of a batch and can be 0 but for rounding, such as that of a bias before a softmax.
// The terms of a bias are about as large as the loss, or as the gradients of other tensors; those of a matrix as the latter.
func roundingOf(p *trainer.Program, loss float32, gradients map[string][]float32) map[string]float64 {
	top := 0.0
	for _, g := range gradients {
		top = math.Max(top, largest(g))
	}
	rounding := map[string]float64{}
	for _, q := range p.Params {
		rounding[q.Name] = top / (1 << 20)
		if len(q.Shape) == 1 {
			rounding[q.Name] = math.Max(top, math.Abs(float64(loss))) / (1 << 20)
		}
	}
	for _, w := range p.Twins {
		rounding[w.Name] = rounding[w.Of]
	}
	return rounding
}

// agree returns an error if two gradients differ by more than a part of the largest element and rounding.
func agree(got, want []float32, by, rounding float64) error {
	limit := by*max(largest(want), 1e-6) + rounding
	for i, v := range got {
		if diff := math.Abs(float64(v - want[i])); !(diff <= limit) {
			return fmt.Errorf("element %d is %v, the portable form computes %v: the difference %.3g is more than %.3g", i, v, want[i], diff, limit)
		}
	}
	return nil
}

// pulls reports whether a gradient is large enough to change some number of a tensor in one of the steps of the tests, even if a limit of the norm or a factor
// per layer makes the step a thousand times smaller.
func pulls(g, tensor []float32) bool {
	for i, v := range g {
		if math.Abs(float64(v)) > 0.03*math.Abs(float64(tensor[i])) {
			return true
		}
	}
	return false
}

// Bench measures steps of 8 sequences of 128 tokens, or of the largest batch.
func Bench(b *testing.B, p *trainer.Program) {
	tr, err := trainer.Draw(p, 1, trainer.Steps(1<<20))
	if err != nil {
		b.Fatal(err)
	}
	defer tr.Close()
	batch := Batch(p, lengths(p.Limits, 128, 128, 128, 128, 128, 128, 128, 128), 1)
	for b.Loop() {
		if _, err := tr.Gradients(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(batch.Tokens())*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
