package runfolder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/ragged"
)

// Checkpoint is a file of a run that has all tensors, and the state of the optimizer, after a number of steps.
type Checkpoint struct {
	Step int // steps that are done
	Path string
}

// The parts of a checkpoint's name around the number of steps.
const (
	before = "step-"
	after  = ".safetensors"
)

// CheckpointPath returns the path of the checkpoint after a number of steps.
func (f *Folder) CheckpointPath(step int) string {
	return filepath.Join(f.Dir, Checkpoints, fmt.Sprintf("%s%08d%s", before, step, after))
}

// Checkpoints lists the checkpoints that the folder holds, the earliest first.
func (f *Folder) Checkpoints() (list []Checkpoint, err error) {
	dir := f.Path(Checkpoints)
	entries, err := disk.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if step, ok := StepOf(e.Name()); ok {
			list = append(list, Checkpoint{step, filepath.Join(dir, e.Name())})
		}
	}
	slices.SortFunc(list, func(a, b Checkpoint) int { return a.Step - b.Step })
	return list, nil
}

// StepOf returns the number of steps that the name of a checkpoint's file tells, and whether the path is named as a checkpoint is.
func StepOf(path string) (step int, ok bool) {
	digits, ok := strings.CutPrefix(filepath.Base(path), before)
	digits, whole := strings.CutSuffix(digits, after)
	step, err := strconv.Atoi(digits)
	return step, ok && whole && err == nil && step >= 0
}

// Find returns the checkpoint that a word names: last, best, or the number of its steps.
func (f *Folder) Find(word string) (Checkpoint, error) {
	list, err := f.Checkpoints()
	if err != nil {
		return Checkpoint{}, err
	}
	if len(list) == 0 {
		return Checkpoint{}, fmt.Errorf("%s has no checkpoint yet", f.Dir)
	}
	step := list[len(list)-1].Step
	switch word {
	case "", "last":
	case "best":
		best, err := f.Best()
		if err != nil {
			return Checkpoint{}, err
		}
		if best == nil {
			return Checkpoint{}, fmt.Errorf("%s has no best checkpoint, because the run was not evaluated: last is the latest one", f.Dir)
		}
		step = best.Step
	default:
		if step, err = strconv.Atoi(word); err != nil {
			return Checkpoint{}, fmt.Errorf("no checkpoint is named %q: last, best, or a number of steps", word)
		}
	}
	var steps []string
	for _, c := range list {
		if c.Step == step {
			return c, nil
		}
		steps = append(steps, strconv.Itoa(c.Step))
	}
	return Checkpoint{}, fmt.Errorf("%s has no checkpoint after %d steps (there are: %s)", f.Dir, step, strings.Join(steps, ", "))
}

// Prune removes the earliest checkpoints so that at most keep are left. The last one and the best one stay, whatever keep is.
func (f *Folder) Prune(keep int) error {
	list, err := f.Checkpoints()
	if err != nil {
		return err
	}
	best, err := f.Best()
	if err != nil {
		return err
	}
	for _, c := range list[:max(0, len(list)-max(keep, 1))] {
		if best == nil || c.Step != best.Step {
			if err := disk.Remove(c.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// Best is the evaluation with the best value of a metric.
type Best struct {
	Step   int     `json:"step"`
	Metric string  `json:"metric"`
	Value  float64 `json:"value"`
}

// Best returns the best evaluation so far, or nil if there is no evaluation.
func (f *Folder) Best() (*Best, error) {
	text, err := disk.ReadFile(f.Path(BestFile), maxText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := &Best{}
	if err := decode(f.Path(BestFile), text, b); err != nil {
		return nil, err
	}
	if b.Metric == "" {
		return nil, ragged.Errorf("%s: field \"metric\": it is empty, and must be the name of a metric", f.Path(BestFile))
	}
	return b, within(f.Path(BestFile), number{"step", int64(b.Step), 0, MostSteps})
}

// SetBest records the best evaluation; nil removes the record.
func (f *Folder) SetBest(b *Best) error {
	if b == nil {
		err := disk.Remove(f.Path(BestFile))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return disk.RewriteFile(f.Path(BestFile), append(text, '\n'), 0o666)
}
