package trainer_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/rate"
	"github.com/debertac/debertac/runtime/trainer"
)

// slope is a program of one tensor w of one number. Its loss is w times the mean target over the tokens whose target is not below 0, so the gradient is that
// mean, and a step subtracts it times the learning rate. Its plain Go has the form of a generated package.
func slope(parts bool) *trainer.Program {
	one := []int{1}
	p := &trainer.Program{
		Name: "slope", ISAs: []cpu.ISA{cpu.ISAGo}, Limits: engine.Limits{Vocab: 9, SequenceTokens: 9, BatchSequences: 9, BatchTokens: 99},
		Params:  []trainer.Param{{Name: "w", Shape: one, Trained: true}},
		States:  []trainer.Param{{Name: "slow.w", Shape: one}},
		Targets: []trainer.Target{{Name: "target", Rows: ragged.T}},
		Arena:   func(engine.Sizes) int64 { return 64 },
		Optimizers: []trainer.Optimizer{{Name: "update", Kind: "sgd", Every: 2,
			Rate: rate.Schedule{Peak: 0.5, Steps: 10, Course: rate.Constant}}},
	}
	if parts {
		p.States = append([]trainer.Param{{Name: "sum.w", Shape: one}}, p.States...)
		p.Counts = []trainer.Count{{Name: "count.target", Target: "target", Rows: ragged.T}, {Name: "count.T", Rows: ragged.T}}
	}
	p.Bind = func(x *trainer.Exec, _ cpu.ISA) ([]trainer.Step, error) {
		kept := x.Kept()
		w, grad, slow := kept[0], kept[1], kept[len(kept)-1]
		sum := kept[len(kept)-2] // grad itself if there are no parts
		return []trainer.Step{{
			Pass: func() error {
				total, n := float32(0), int32(0)
				for _, t := range x.Integers("target") {
					if t >= 0 {
						total, n = total+float32(t), n+1
					}
				}
				if parts {
					n = x.Integers("count.target")[0]
					x.Set("rows", float32(x.Integers("count.T")[0]))
				}
				*grad = total / float32(n)
				if parts {
					*sum = *sum*x.Numbers("update.keep")[0] + *grad
				}
				x.Set("loss", *w**grad)
				return nil
			},
			Norm: func() error {
				x.Set("update.norm", float32(math.Abs(float64(*sum))))
				return nil
			},
			Apply: func() error {
				*w -= x.Numbers("update.rate")[0] * *sum
				return nil
			},
			Lookahead: func() error {
				*slow += 0.25 * (*w - *slow)
				*w = *slow
				return nil
			},
		}}, nil
	}
	return p
}

// tokens returns a batch of sequences with a target for each token.
func tokens(sequences ...[]int32) *trainer.Batch {
	b := &trainer.Batch{Batch: runtime.Batch{Starts: []int32{0}}, Integers: map[string][]int32{}}
	for _, s := range sequences {
		for _, t := range s {
			b.IDs = append(b.IDs, 1)
			b.Integers["target"] = append(b.Integers["target"], t)
		}
		b.Starts = append(b.Starts, int32(len(b.IDs)))
	}
	return b
}

// begin opens a program whose tensor is 1.
func begin(t *testing.T, p *trainer.Program) *trainer.Trainer {
	t.Helper()
	tr, err := trainer.Draw(p, 1, trainer.Threads(1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	return tr
}

// value returns the tensor.
func value(t *testing.T, tr *trainer.Trainer) float64 {
	t.Helper()
	w, err := tr.Tensor("w")
	require.NoError(t, err)
	return float64(w[0])
}

// TestStepParts checks that a step on ragged parts is that of the whole batch. The mean of the parts' means would be another number.
func TestStepParts(t *testing.T) {
	first, second, third := []int32{4, -1, 2}, []int32{-100}, []int32{8, 8, 8, 8, -1}
	whole, parts := begin(t, slope(false)), begin(t, slope(true))
	at := value(t, whole)
	require.Equal(t, at, value(t, parts))
	for step := range 5 {
		want, err := whole.Step(t.Context(), tokens(first, second, third))
		require.NoError(t, err)
		got, err := parts.StepParts(t.Context(), tokens(first), tokens(second), tokens(third))
		require.NoError(t, err)
		require.Equal(t, step, got.Step)
		require.InDelta(t, 38.0/6, want.Norm, 1e-6)
		require.InDelta(t, want.Norm, got.Norm, 1e-5)
		require.InDelta(t, want.Loss, got.Loss, 1e-5*math.Abs(float64(want.Loss))+1e-6)
		require.InDelta(t, value(t, whole), value(t, parts), 1e-5)
	}
	got, err := parts.Step(t.Context(), tokens(first, second, third))
	require.NoError(t, err)
	require.InDelta(t, 38.0/6, got.Norm, 1e-5, "one part, after sums of others")
}

// TestStepPartsRefused checks the faults of parts, and that they change nothing.
func TestStepPartsRefused(t *testing.T) {
	whole, parts := begin(t, slope(false)), begin(t, slope(true))
	at := value(t, parts)
	_, err := parts.StepParts(t.Context())
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "the batch has no parts")
	_, err = whole.StepParts(t.Context(), tokens([]int32{1}), tokens([]int32{2}))
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "the batch has 2 parts, and the package slope computes a batch in one pass")
	_, err = whole.StepParts(t.Context(), tokens([]int32{1}))
	require.NoError(t, err, "one part is a batch")
	broken := tokens([]int32{1, 2})
	broken.Integers["target"] = broken.Integers["target"][:1]
	_, err = parts.StepParts(t.Context(), tokens([]int32{1}), broken)
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "part 2 of 2: target has 1 numbers")
	many := tokens([]int32{1}, []int32{1}, []int32{1}, []int32{1}, []int32{1}, []int32{1}, []int32{1}, []int32{1}, []int32{1}, []int32{1})
	_, err = parts.Step(t.Context(), many)
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "10 sequences, the limit of a batch is 9; StepParts takes a batch in parts of at most 9")
	_, err = whole.Step(t.Context(), many)
	require.ErrorContains(t, err, "10 sequences, the limit of a batch is 9")
	require.NotContains(t, err.Error(), "StepParts")
	require.Equal(t, at, value(t, parts))
}

// TestTargetNames checks that numbers which no loss would read are refused.
func TestTargetNames(t *testing.T) {
	tr := begin(t, slope(false))
	for want, change := range map[string]func(*trainer.Batch){
		`Integers["labels"]: slope has no such target (it has target)`: func(b *trainer.Batch) { b.Integers["labels"] = []int32{1} },
		`Floats["labels"]: slope has no such target (it has target)`:   func(b *trainer.Batch) { b.Floats = map[string][]float32{"labels": {1}} },
		`Floats["target"]: slope takes this target in Integers`:        func(b *trainer.Batch) { b.Floats = map[string][]float32{"target": {1}} },
	} {
		b := tokens([]int32{1})
		change(b)
		_, err := tr.Step(t.Context(), b)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.EqualError(t, err, want)
	}
	p := slope(false)
	p.Targets = nil
	_, err := begin(t, p).Step(t.Context(), tokens([]int32{1}))
	require.EqualError(t, err, `Integers["target"]: slope has no such target (it has none)`)
}

// TestLookahead checks that the slow weights begin with those of the training, and that they are mixed after every second step.
func TestLookahead(t *testing.T) {
	tr := begin(t, slope(false))
	start := value(t, tr)
	for range 2 {
		_, err := tr.Step(t.Context(), tokens([]int32{1}))
		require.NoError(t, err)
	}
	require.InDelta(t, start-0.25, value(t, tr), 1e-6, "a quarter of two steps of 0.5")
	_, err := tr.Step(t.Context(), tokens([]int32{1}))
	require.NoError(t, err)
	require.InDelta(t, start-0.75, value(t, tr), 1e-6)
}

// TestCheckpointParts checks that sums over the parts of a batch are not saved, and that a trainer continues from a checkpoint with its slow weights.
func TestCheckpointParts(t *testing.T) {
	tr, again := begin(t, slope(true)), begin(t, slope(true))
	for range 3 {
		_, err := tr.StepParts(t.Context(), tokens([]int32{1}), tokens([]int32{3}))
		require.NoError(t, err)
	}
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	require.NoError(t, tr.Save(path))
	require.NoError(t, again.Resume(path))
	require.Equal(t, value(t, tr), value(t, again))
	for step := 3; step < 6; step++ {
		want, err := tr.StepParts(t.Context(), tokens([]int32{1}), tokens([]int32{3}))
		require.NoError(t, err)
		got, err := again.StepParts(t.Context(), tokens([]int32{1}), tokens([]int32{3}))
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, value(t, tr), value(t, again), fmt.Sprint(step))
	}
}

// TestNotFinite checks that a step whose gradients are not finite changes nothing, and that the next step has its number.
func TestNotFinite(t *testing.T) {
	tr := begin(t, slope(false))
	at := value(t, tr)
	_, err := tr.Gradients(t.Context(), tokens([]int32{-1})) // 0/0
	require.ErrorIs(t, err, trainer.ErrNotFinite)
	_, err = tr.Step(t.Context(), tokens([]int32{-1}))
	require.ErrorIs(t, err, trainer.ErrNotFinite)
	require.ErrorContains(t, err, "step 0: the loss is NaN")
	require.Equal(t, at, value(t, tr))
	r, err := tr.Step(t.Context(), tokens([]int32{1}))
	require.NoError(t, err)
	require.Zero(t, r.Step)
}

// TestStatesOrder checks that a program whose sums are not its first states is refused.
func TestStatesOrder(t *testing.T) {
	p := slope(true)
	p.States[0], p.States[1] = p.States[1], p.States[0]
	_, err := trainer.Draw(p, 1)
	require.ErrorContains(t, err, "the state sum.w does not stand before")
}
