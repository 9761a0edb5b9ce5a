package trainer_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/rate"
	"github.com/debertac/debertac/runtime/trainer"
)

// seen is what a part of a step has found in its execution.
type seen struct {
	phase   int
	stage   string
	keys    []int32
	delta   []float32
	keep    float32
	rate    float32
	moments []float32
	carried int32
	err     error // of Layer
}

// watched is a program with two optimizers, a and b, that tells what its stages see. The loss of a is the sum of the targets, that of b ten times it; the norms
// are 3 and 4. at is called first in each stage.
type watched struct {
	seen []seen
	at   func(w *watched, s *seen)
}

// width is the number of columns of the noise.
const width = 3

func (w *watched) program() *trainer.Program {
	s := rate.Schedule{Peak: 0.5, Steps: 10, Warmup: 4, Course: rate.Linear}
	p := &trainer.Program{
		Name: "watched", ISAs: []cpu.ISA{cpu.ISAGo}, Keys: 2, Noise: 0.25,
		Limits:  engine.Limits{Vocab: 9, SequenceTokens: 99, BatchSequences: 9, BatchTokens: 99, Delta: width},
		Params:  []trainer.Param{{Name: "w", Shape: []int{1}, Trained: true}, {Name: "v", Shape: []int{1}, Trained: true}},
		Targets: []trainer.Target{{Name: "target", Rows: ragged.T}},
		Counts:  []trainer.Count{{Name: "count.T", Rows: ragged.T}},
		Losses:  []trainer.Loss{{Name: "a.loss", Weight: 1}, {Name: "b.loss", Weight: 2}},
		Arena:   func(engine.Sizes) int64 { return 64 },
		Optimizers: []trainer.Optimizer{{Name: "a", Kind: "adamw", Beta1: 0.5, Beta2: 0.25, Eps: 1e-3, Correct: true, Rate: s},
			{Name: "b", Kind: "radam", Beta1: 0.75, Beta2: 0.9, Eps: 1e-4, Rate: s}},
	}
	p.Bind = func(x *trainer.Exec, _ cpu.ISA) (steps []trainer.Step, _ error) {
		for phase, name := range []string{"a", "b"} {
			stage := func(stage string, f func(s *seen)) func() error {
				return func() error {
					s := seen{phase: phase, stage: stage, keys: slices.Clone(x.Keys), delta: slices.Clone(x.Delta), keep: x.Numbers(name + ".keep")[0]}
					if stage != "pass" { // which does not read them
						s.rate, s.moments = x.Numbers(name + ".rate")[0], slices.Clone(x.Numbers(name + ".moments")[:3])
					}
					if w.at != nil {
						w.at(w, &s)
					}
					s.err = x.Layer(stage)
					if f != nil && s.err == nil {
						f(&s)
					}
					w.seen = append(w.seen, s)
					return s.err
				}
			}
			steps = append(steps, trainer.Step{
				Pass: stage("pass", func(s *seen) {
					sum := int32(0)
					for _, n := range x.Integers("target") {
						sum += n
					}
					if phase == 0 {
						x.Carry("sum", &sum, 1)
					} else {
						x.Recall("sum", &s.carried, 1)
					}
					x.Set(name+".loss", float32(sum)*[]float32{1, 10}[phase])
				}),
				Norm: stage("norm", func(*seen) { x.Set(name+".norm", float32(3+phase)) }),
				Apply: stage("apply", func(*seen) {
					*x.Kept()[phase]++
				}),
			})
		}
		return steps, nil
	}
	return p
}

// begin opens the program.
func (w *watched) begin(t *testing.T) *trainer.Trainer {
	t.Helper()
	tr, err := trainer.Draw(w.program(), 1, trainer.Threads(2), trainer.Seed(5))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	return tr
}

// of returns what the calls of a stage have seen.
func (w *watched) of(phase int, stage string) (list []seen) {
	for _, s := range w.seen {
		if s.phase == phase && s.stage == stage {
			list = append(list, s)
		}
	}
	return list
}

// TestStepSees checks the numbers that each part of a step reads: keys of dropout, noise, learning rates, corrections of moments, and what is carried from one
// optimizer's pass to the other's.
func TestStepSees(t *testing.T) {
	w := &watched{}
	tr := w.begin(t)
	parts := []*trainer.Batch{tokens(make([]int32, 40)), tokens([]int32{1, 2}, []int32{4})}
	for step := range 6 {
		w.seen = nil
		first := int32(20 + step)
		parts[0].Integers["target"][7] = first
		r, err := tr.StepParts(t.Context(), parts...)
		require.NoError(t, err)
		require.Equal(t, step, r.Step)
		schedule := w.program().Optimizers[0].Rate
		require.Equal(t, schedule.At(step), r.Rate)
		require.Equal(t, []float32{float32(first + 7), float32(10 * (first + 7))}, r.Losses)
		require.Equal(t, float32(21*(first+7)), r.Loss)
		require.Equal(t, []float32{3, 4}, r.Norms)
		require.Equal(t, float32(5), r.Norm)
		for phase := range 2 {
			passes := w.of(phase, "pass")
			require.Len(t, passes, len(parts))
			for part, s := range passes {
				var keys []int32
				for site := range 2 {
					k := dropout.KeyOf(5, step, part, site, 0)
					keys = append(keys, int32(k[0]), int32(k[1]))
				}
				require.Equal(t, keys, s.keys)
				noise := make([]float32, width*len(parts[part].IDs))
				dropout.Normals(noise, dropout.KeyOf(5, step, part, 0, 1), width, 0.25, 0)
				require.Equal(t, noise, s.delta)
				require.Equal(t, float32(part), s.keep)
				if phase == 1 {
					require.Equal(t, []int32{first, 7}[part], s.carried)
				}
			}
			apply := w.of(phase, "apply")
			require.Len(t, apply, 1)
			require.Equal(t, float32(schedule.At(step)), apply[0].rate)
			want := rate.AdamW(0.5, 0.25, 1e-3, true, step).Floats()
			if phase == 1 {
				want = rate.RAdam(0.75, 0.9, 1e-4, step).Floats()
			}
			require.Equal(t, want[:], apply[0].moments)
		}
	}
}

// TestInterrupted cancels a step at each of its stages: before the first tensor is changed, the step has changed nothing; after that, it is completed.
func TestInterrupted(t *testing.T) {
	for phase := range 2 {
		for _, stage := range []string{"pass", "norm", "apply"} {
			ctx, cancel := context.WithCancel(t.Context())
			w := &watched{at: func(_ *watched, s *seen) {
				if s.phase == phase && s.stage == stage {
					cancel()
				}
			}}
			tr := w.begin(t)
			before := tensorsOf(t, tr)
			r, err := tr.Step(ctx, tokens([]int32{1}))
			want := before
			if phase == 0 && stage != "apply" {
				require.ErrorIs(t, err, context.Canceled)
			} else {
				require.NoError(t, err, "%s of %d", stage, phase)
				require.Equal(t, []float32{3, 4}, r.Norms)
				want = [2]float32{before[0] + 1, before[1] + 1}
			}
			require.Equal(t, want, tensorsOf(t, tr))
			r, err = tr.Step(t.Context(), tokens([]int32{1}))
			require.NoError(t, err)
			require.Equal(t, want != before, r.Step == 1, "a step that was interrupted has no number")
			cancel()
		}
	}
}

// tensorsOf returns both tensors of a watched program.
func tensorsOf(t *testing.T, tr *trainer.Trainer) (list [2]float32) {
	t.Helper()
	for i, name := range []string{"w", "v"} {
		v, err := tr.Tensor(name)
		require.NoError(t, err)
		list[i] = v[0]
	}
	return list
}

// TestSecondNotFinite checks that a step whose second optimizer finds a number that is not finite counts, because the first one has changed its tensors.
func TestSecondNotFinite(t *testing.T) {
	bad := true
	w := &watched{}
	p := w.program()
	bind := p.Bind
	p.Bind = func(x *trainer.Exec, isa cpu.ISA) ([]trainer.Step, error) {
		steps, err := bind(x, isa)
		norm := steps[1].Norm
		steps[1].Norm = func() error {
			err := norm()
			if bad {
				x.Set("b.norm", float32(math.Inf(1)))
			}
			return err
		}
		return steps, err
	}
	tr, err := trainer.Draw(p, 1, trainer.Threads(1))
	require.NoError(t, err)
	defer tr.Close()
	before := tensorsOf(t, tr)
	_, err = tr.Step(t.Context(), tokens([]int32{1}))
	require.ErrorIs(t, err, trainer.ErrNotFinite)
	require.ErrorContains(t, err, "the tensors of the optimizer a were changed before, so the step counts")
	require.NotContains(t, err.Error(), "has changed nothing")
	require.Equal(t, [2]float32{before[0] + 1, before[1]}, tensorsOf(t, tr))
	bad = false
	r, err := tr.Step(t.Context(), tokens([]int32{1}))
	require.NoError(t, err)
	require.Equal(t, 1, r.Step)
	require.Equal(t, [2]float32{before[0] + 1 + 1, before[1] + 1}, tensorsOf(t, tr))
}

// TestResumedStepSees checks that a step after a checkpoint reads what it would have read without it, whatever the seed of the trainer that resumes.
func TestResumedStepSees(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	w := &watched{}
	tr := w.begin(t)
	for range 3 {
		_, err := tr.Step(t.Context(), tokens([]int32{1, 2}))
		require.NoError(t, err)
	}
	require.NoError(t, tr.Save(path))
	next := func(w *watched, tr *trainer.Trainer) []seen {
		w.seen = nil
		r, err := tr.Step(t.Context(), tokens([]int32{1, 2}))
		require.NoError(t, err)
		require.Equal(t, 3, r.Step)
		return w.seen
	}
	want := next(w, tr)
	other := &watched{}
	again, err := trainer.Draw(other.program(), 2, trainer.Threads(1), trainer.Seed(77))
	require.NoError(t, err)
	defer again.Close()
	require.NoError(t, again.Resume(path))
	require.Equal(t, uint64(5), again.Options().Seed)
	require.Equal(t, want, next(other, again))
}

// TestSteps checks that the course of the learning rate is that of the steps in the options, and that a warmup which is a share of the steps follows them.
func TestSteps(t *testing.T) {
	for _, c := range []struct {
		steps  int     // of the spec
		share  float64 // of the warmup
		option int
		want   rate.Schedule
	}{
		{10, 0, 0, rate.Schedule{Steps: 10, Warmup: 4}},
		{10, 0, 30, rate.Schedule{Steps: 30, Warmup: 4}},
		{10, 0.2, 0, rate.Schedule{Steps: 10, Warmup: 2}},
		{10, 0.2, 30, rate.Schedule{Steps: 30, Warmup: 6}},
		{0, 0.5, 8, rate.Schedule{Steps: 8, Warmup: 4}},
	} {
		w := &watched{}
		p := w.program()
		p.Optimizers[0].Rate.Steps, p.Optimizers[0].Warmup = c.steps, c.share
		opts := []trainer.Option{trainer.Threads(1)}
		if c.option > 0 {
			opts = append(opts, trainer.Steps(c.option))
		}
		tr, err := trainer.Draw(p, 1, opts...)
		require.NoError(t, err)
		require.Equal(t, c.want.Steps, tr.Options().Steps)
		c.want.Peak, c.want.Course = 0.5, rate.Linear
		for step := range c.want.Steps {
			require.Equal(t, step, tr.Next())
			r, err := tr.Step(t.Context(), tokens([]int32{1}))
			require.NoError(t, err)
			require.Equal(t, c.want.At(step), r.Rate, "step %d of %+v", step, c)
		}
		_, err = tr.Step(t.Context(), tokens([]int32{1}))
		require.ErrorIs(t, err, trainer.ErrDone)
		require.ErrorContains(t, err, fmt.Sprintf("the package watched has %d", c.want.Steps))
		_, err = tr.Gradients(t.Context(), tokens([]int32{1}))
		require.NoError(t, err, "gradients belong to no step")
		require.NoError(t, tr.Close())
	}
	for option, want := range map[int]string{0: "set them with Steps", 3: "the warmup has 4 steps, of 3 in all"} {
		w := &watched{}
		p := w.program()
		p.Optimizers[0].Rate.Steps = 0
		var opts []trainer.Option
		if option > 0 {
			opts = append(opts, trainer.Steps(option))
		}
		_, err := trainer.Draw(p, 1, opts...)
		require.ErrorContains(t, err, want)
	}
}

// TestNoLastStep checks that a constant rate needs no number of steps, unless the warmup is a share of them.
func TestNoLastStep(t *testing.T) {
	w := &watched{}
	p := w.program()
	p.Optimizers[0].Rate = rate.Schedule{Peak: 0.5, Warmup: 1, Course: rate.Constant}
	tr, err := trainer.Draw(p, 1, trainer.Threads(1))
	require.NoError(t, err)
	defer tr.Close()
	for _, want := range []float64{0, 0.5, 0.5} {
		r, err := tr.Step(t.Context(), tokens([]int32{1}))
		require.NoError(t, err)
		require.Equal(t, want, r.Rate)
	}
	p.Optimizers[0].Warmup = 0.1
	_, err = trainer.Draw(p, 1)
	require.ErrorContains(t, err, "set them with Steps")
	_, err = trainer.Draw(p, 1, trainer.Steps(1))
	require.ErrorContains(t, err, "a training of one step changes nothing")
}

// TestDrawnTensors checks the distributions of tensors that are drawn.
func TestDrawnTensors(t *testing.T) {
	const n = 4000
	w := &watched{}
	p := w.program()
	p.Params = []trainer.Param{{Name: "matrix.weight", Shape: []int{n / 40, 40}}, {Name: "norm.weight", Shape: []int{n}},
		{Name: "norm.bias", Shape: []int{n}}, {Name: "w", Shape: []int{1}}, {Name: "v", Shape: []int{1}}}
	tr, err := trainer.Draw(p, 1, trainer.Threads(1))
	require.NoError(t, err)
	defer tr.Close()
	for name, mean := range map[string]float64{"matrix.weight": 0, "norm.weight": 1, "norm.bias": 0} {
		requireDrawn(t, tr, name, mean, 0.02)
	}
	p.Params[0].Init = trainer.Init{Uniform: 0.5}
	p.Params[1].Init = trainer.Init{Mean: 2, Normal: 0.25}
	for i := range p.Params {
		p.Params[i].New = true
	}
	opened, err := trainer.Open(p, weights(t, 1), trainer.Threads(1))
	require.NoError(t, err)
	defer opened.Close()
	require.Equal(t, []string{"matrix.weight", "norm.weight", "norm.bias", "v"}, opened.Drawn())
	requireDrawn(t, opened, "matrix.weight", 0, 0.5/math.Sqrt(3))
	requireDrawn(t, opened, "norm.weight", 2, 0.25)
	requireDrawn(t, opened, "norm.bias", 0, 0)

	for i := range p.Params {
		p.Params[i].New = false
	}
	numbers := map[uint64][]float32{}
	for _, seed := range []uint64{3, 4, 3} {
		started, err := trainer.Start(p, trainer.Threads(1), trainer.Seed(seed))
		require.NoError(t, err)
		require.Equal(t, []string{"matrix.weight", "norm.weight", "norm.bias", "w", "v"}, started.Drawn())
		requireDrawn(t, started, "matrix.weight", 0, 0.5/math.Sqrt(3))
		requireDrawn(t, started, "norm.weight", 2, 0.25)
		requireDrawn(t, started, "norm.bias", 0, 0)
		now, err := started.Tensor("matrix.weight")
		require.NoError(t, err)
		if before, ok := numbers[seed]; ok {
			require.Equal(t, before, now)
		}
		numbers[seed] = now
		require.NoError(t, started.Close())
	}
	require.NotEqual(t, numbers[3], numbers[4])
	_, err = trainer.Start(p, trainer.Generator("g.safetensors"))
	require.ErrorContains(t, err, "leave out one of them")
}

// requireDrawn checks the mean and the deviation of a tensor.
func requireDrawn(t *testing.T, tr *trainer.Trainer, name string, mean, deviation float64) {
	t.Helper()
	list, err := tr.Tensor(name)
	require.NoError(t, err)
	sum, squares, n := 0.0, 0.0, float64(len(list))
	for _, v := range list {
		sum += float64(v)
		squares += (float64(v) - mean) * (float64(v) - mean)
	}
	require.InDelta(t, mean, sum/n, 5*deviation/math.Sqrt(n), name)
	require.InDelta(t, deviation, math.Sqrt(squares/n), 0.06*deviation, name)
}

// TestGradientsOfTwo checks that gradients of a program with two optimizers change nothing, and that such a pass is no step.
func TestGradientsOfTwo(t *testing.T) {
	w := &watched{}
	tr := w.begin(t)
	before := tensorsOf(t, tr)
	r, err := tr.Losses(t.Context(), tokens([]int32{1, 2}))
	require.NoError(t, err)
	require.Equal(t, []float32{3, 30}, r.Losses)
	require.Equal(t, before, tensorsOf(t, tr))
	require.Empty(t, w.of(0, "apply"))
	r, err = tr.Step(t.Context(), tokens([]int32{1}))
	require.NoError(t, err)
	require.Zero(t, r.Step)
}
