package training_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/rate"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/trainer"
	"github.com/debertac/debertac/runtime/training"
)

// program returns a program whose one tensor depends on every batch and on their order: w becomes rate·w/2 + the mean of the ids and targets.
func program(epochs int) *trainer.Program {
	p := &trainer.Program{
		Name: "folding", SpecHash: "f01d", ISAs: []cpu.ISA{cpu.ISAGo}, Batch: 4, Epochs: epochs,
		Limits:     engine.Limits{Vocab: 99, SequenceTokens: 9, BatchSequences: 2, BatchTokens: 18},
		Params:     []trainer.Param{{Name: "w", Shape: []int{1}, Trained: true}},
		States:     []trainer.Param{{Name: "adamw.m.w", Shape: []int{1}}},
		Targets:    []trainer.Target{{Name: "target", Rows: ragged.B, Check: trainer.Classes, Below: 3}},
		Counts:     []trainer.Count{{Name: "count.B", Rows: ragged.B}},
		Arena:      func(engine.Sizes) int64 { return 64 },
		Optimizers: []trainer.Optimizer{{Name: "adamw", Kind: "adamw", Rate: rate.Schedule{Peak: 0.5, Course: rate.Linear}}},
	}
	p.Bind = func(x *trainer.Exec, _ cpu.ISA) ([]trainer.Step, error) {
		sum := float32(0)
		return []trainer.Step{{
			Pass: func() error {
				if x.Numbers("adamw.keep")[0] == 0 {
					sum = 0
				}
				part := float32(0)
				for i, id := range x.IDs {
					part += float32(int(id) * (i + 1))
				}
				for i, n := range x.Integers("target") {
					part += float32(int(n) * (i + 3))
				}
				sum += part / 64
				x.Set("loss", part)
				return x.Layer("pass")
			},
			Norm: func() error { x.Set("adamw.norm", sum); return nil },
			Apply: func() error {
				w := x.Kept()[0]
				*w = x.Numbers("adamw.rate")[0]**w/2 + sum
				return nil
			},
		}}, nil
	}
	return p
}

// data makes a file of n examples; some have two sequences if pairs is set.
func data(t *testing.T, n int) *prepared.File {
	path := filepath.Join(t.TempDir(), "data")
	w, err := prepared.Create(path)
	require.NoError(t, err)
	for i := range n {
		s := prepared.Sequence{Integers: map[string][]int32{"target": {int32(i % 3)}}}
		for k := range 2 + i%4 {
			s.IDs = append(s.IDs, int32((i*7+k)%99))
		}
		require.NoError(t, w.Add([]prepared.Sequence{s}, int64(i+1)))
	}
	w.Counted().Mask = -1
	require.NoError(t, w.Commit())
	f, err := prepared.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// config returns the configuration of a run in a folder, which is made if it does not exist.
func config(t *testing.T, dir string, f *prepared.File) *training.Config {
	p := program(3)
	folder, err := runfolder.Open(dir)
	if errors.Is(err, runfolder.ErrNone) || errors.Is(err, os.ErrNotExist) {
		folder, err = runfolder.Create(dir, &runfolder.Run{Seed: 4}, nil)
	}
	require.NoError(t, err)
	require.NoError(t, folder.Lock(t.Context()))
	t.Cleanup(func() { require.NoError(t, folder.Close()) })
	return &training.Config{
		Program: p, Data: f, Folder: folder, Resume: true, SaveEvery: 4, EvalEvery: 5, Keep: 2,
		Weights: func(o ...trainer.Option) (*trainer.Trainer, error) { return trainer.Draw(p, 1, o...) },
		Options: []trainer.Option{trainer.Threads(1)},
		Evaluate: func(_ context.Context, model string, step int) (map[string]float64, error) {
			if _, err := os.Stat(model); err != nil {
				return nil, err
			}
			return map[string]float64{"accuracy": float64(step * 7 % 11), "loss": 1 / float64(step)}, nil
		},
	}
}

// outcome is what a run leaves, without times: the metrics, the best evaluation, and the newest checkpoints.
func outcome(t *testing.T, dir string, newest int) string {
	f, err := runfolder.Open(dir)
	require.NoError(t, err)
	lines, err := f.Metrics()
	require.NoError(t, err)
	var b strings.Builder
	for _, l := range lines {
		delete(l.Values, "tokens_per_s")
		fmt.Fprintln(&b, l.Step, l.Values)
	}
	best, err := f.Best()
	require.NoError(t, err)
	fmt.Fprintln(&b, best)
	list, err := f.Checkpoints()
	require.NoError(t, err)
	for _, c := range list[max(0, len(list)-newest):] {
		text, err := os.ReadFile(c.Path)
		require.NoError(t, err)
		fmt.Fprintf(&b, "%d %x\n", c.Step, text)
	}
	return b.String()
}

// TestRun checks what a whole run leaves: metrics of each step, evaluations, the checkpoints that stay.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := config(t, dir, data(t, 30))
	var events []string
	c.Watch = func(e training.Event) error {
		events = append(events, e.Kind)
		return nil
	}
	require.NoError(t, training.Run(t.Context(), c)) // 3 epochs of 8 batches
	lines, err := c.Folder.Metrics()
	require.NoError(t, err)
	require.Len(t, lines, 24+5) // evaluations after 5, 10, 15, 20 and 24 steps
	require.Equal(t, 24, lines[len(lines)-1].Step)
	require.InDelta(t, 3, lines[len(lines)-2].Values["epoch"], 1e-9)
	best, err := c.Folder.Best()
	require.NoError(t, err)
	require.Equal(t, &runfolder.Best{Step: 20, Metric: "accuracy", Value: 8}, best)
	list, err := c.Folder.Checkpoints()
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, 24, list[1].Step)
	require.Equal(t, "begin", events[0])
	require.Equal(t, "end", events[len(events)-1])
	_, err = os.Stat(c.Folder.Path(training.EvaluationFile))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, training.Run(t.Context(), c), "a run that is done has nothing left to do")
}

// TestInterrupted checks that a run that is stopped before any operation on a file, or between two steps, ends with the bits of one that was not stopped.
func TestInterrupted(t *testing.T) {
	f := data(t, 30)
	whole := filepath.Join(t.TempDir(), "whole")
	require.NoError(t, training.Run(t.Context(), config(t, whole, f)))
	const all = 99
	want := outcome(t, whole, all)
	killed := errors.New("killed")
	apart := 13 // operations between two places; a prime, so that all kinds of operations are among them
	if testing.Short() {
		apart = 53
	}
	for at, ended := 0, false; !ended; at += apart {
		dir := filepath.Join(t.TempDir(), "run")
		for try := 0; ; try++ {
			c := config(t, dir, f)
			count := 0
			restore := disk.Inject(func(op disk.Op, path string) error {
				if try > 0 || op == disk.OpStat || op == disk.OpReadDir || !strings.HasPrefix(path, dir) {
					return nil
				}
				if count++; count > at { // nothing works from here on, as after a kill
					return killed
				}
				return nil
			})
			err := training.Run(t.Context(), c)
			restore()
			_ = c.Folder.Close()
			if err == nil {
				ended = try == 0
				break
			}
			require.ErrorIs(t, err, killed)
			require.Less(t, try, 2)
		}
		require.Equal(t, want, outcome(t, dir, all), "stopped at operation %d", at)
	}
	for at := 1; at < 24; at += 4 {
		dir := filepath.Join(t.TempDir(), "run")
		c := config(t, dir, f)
		ctx, cancel := context.WithCancel(t.Context())
		c.Watch = func(e training.Event) error {
			if e.Step == at {
				cancel()
			}
			return nil
		}
		require.ErrorIs(t, training.Run(ctx, c), context.Canceled)
		last, err := c.Folder.Find("last")
		require.NoError(t, err)
		require.Equal(t, at, last.Step, "a run that is stopped in good order loses no step")
		require.NoError(t, c.Folder.Close())
		require.NoError(t, training.Run(t.Context(), config(t, dir, f)))
		require.Equal(t, outcome(t, whole, 1), outcome(t, dir, 1), "stopped after step %d", at) // it has a checkpoint more
	}
}

// TestPatience checks that a run stops when its evaluations do not get better, and that it still does after it was interrupted.
func TestPatience(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "run")
		c := config(t, dir, data(t, 30))
		set := func(c *training.Config) {
			c.EvalEvery, c.Metric = 2, training.Metric{Name: "loss", Patience: 3}
			c.Evaluate = func(_ context.Context, _ string, step int) (map[string]float64, error) {
				return map[string]float64{"loss": max(1, 7-float64(step))}, nil // no better after 6 steps
			}
		}
		if set(c); interrupted {
			c.Stop = 9
			require.NoError(t, training.Run(t.Context(), c))
			require.NoError(t, c.Folder.Close())
			c = config(t, dir, data(t, 30))
			set(c)
		}
		require.NoError(t, training.Run(t.Context(), c))
		last, err := c.Folder.Find("last")
		require.NoError(t, err)
		require.Equal(t, 12, last.Step)
		best, err := c.Folder.Find("best")
		require.NoError(t, err)
		require.Equal(t, 6, best.Step)

		require.NoError(t, c.Folder.Close()) // one that goes on has nothing left to do, unless it is to be more patient
		for _, want := range []struct{ patience, steps int }{{3, 12}, {5, 16}} {
			c = config(t, dir, data(t, 30))
			set(c)
			told := ""
			c.Metric.Patience, c.Watch = want.patience, func(e training.Event) error { told = e.Text; return nil }
			require.NoError(t, training.Run(t.Context(), c))
			require.Equal(t, fmt.Sprintf("no evaluation since step 6 was better by loss; --patience with a number above %d goes on", want.patience), told)
			last, err := c.Folder.Find("last")
			require.NoError(t, err)
			require.Equal(t, want.steps, last.Step)
			require.NoError(t, c.Folder.Close())
		}
	}
}

// TestDirections checks that the best evaluation by each metric is the one that is better: of errors and losses the lowest one.
func TestDirections(t *testing.T) {
	for name, best := range map[string]int{"loss": 10, "perplexity": 10, "ece": 10, "mean_squared_error": 10, "accuracy": 15, "f1": 15, "mcc": 15} {
		dir := filepath.Join(t.TempDir(), "run")
		c := config(t, dir, data(t, 30))
		c.Metric.Name = name
		c.Evaluate = func(_ context.Context, _ string, step int) (map[string]float64, error) {
			return map[string]float64{name: map[int]float64{5: math.NaN(), 10: 1, 15: 3, 20: 2, 24: math.Inf(1)}[step], "other": 1}, nil
		}
		require.NoError(t, training.Run(t.Context(), c), "metrics that are not finite are no better than others")
		b, err := c.Folder.Best()
		require.NoError(t, err)
		require.Equal(t, &runfolder.Best{Step: best, Metric: name, Value: map[int]float64{10: 1, 15: 3}[best]}, b)
	}
}

// TestNames checks that a metric that evaluations do not have is refused before the first step.
func TestNames(t *testing.T) {
	names := func(context.Context, string) ([]string, error) { return []string{"loss", "f1", "best_f1_thresh"}, nil }
	for name, want := range map[string]string{"accuracy": `the evaluation has no metric "accuracy" (it has: f1, loss)`, "mcc,exact": `no metric "mcc,exact"`,
		"best_f1_thresh": `no metric "best_f1_thresh" (it has: f1, loss)`} {
		c := config(t, filepath.Join(t.TempDir(), "run"), data(t, 30))
		c.Metric.Name, c.Names = name, names
		c.Watch = func(e training.Event) error { return errors.New("it begins") }
		require.ErrorContains(t, training.Run(t.Context(), c), want)
		_, err := os.Stat(c.Folder.Path(training.EvaluationFile))
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	c := config(t, filepath.Join(t.TempDir(), "run"), data(t, 30))
	c.Metric.Name, c.Names, c.Evaluate = "mcc,f1", names, func(context.Context, string, int) (map[string]float64, error) {
		return map[string]float64{"f1": 1, "loss": 2}, nil
	}
	require.NoError(t, training.Run(t.Context(), c))
	best, err := c.Folder.Best()
	require.NoError(t, err)
	require.Equal(t, "f1", best.Metric)
}

// TestSeed checks that a checkpoint of another seed is refused.
func TestSeed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := config(t, dir, data(t, 30))
	c.Stop = 5
	require.NoError(t, training.Run(t.Context(), c))
	require.NoError(t, c.Folder.Close())
	c = config(t, dir, data(t, 30))
	c.Folder.Run.Seed = 5
	require.ErrorContains(t, training.Run(t.Context(), c), "step-00000005.safetensors holds the seed 4, and the run has 5")
}

// TestRefused checks the messages about data and evaluations that do not fit.
func TestRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := config(t, dir, data(t, 30))
	c.Metric.Name = "f1"
	err := training.Run(t.Context(), c)
	require.ErrorContains(t, err, `the evaluation has no metric "f1" (it has: accuracy, loss)`)
	c.Program.Limits.SequenceTokens = 4
	require.ErrorContains(t, training.Run(t.Context(), c), "has a sequence of 5 tokens, and folding takes up to 4")
	c.Program.Epochs = 0
	require.ErrorContains(t, training.Run(t.Context(), c), "has neither `steps` nor `epochs`")
}
