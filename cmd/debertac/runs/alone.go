package runs

import (
	"errors"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/training"
)

// looked is the number of rows of the first epoch that are looked at before a training that compares the texts of a batch.
const looked = 1 << 15

// alone refuses batches from which a loss that compares the texts of a batch learns nothing, and tells of those that teach something wrong: a pair without
// another one beside it has nothing to be compared with, and a text that is right for two pairs of a batch is wrong for each of them too.
func (r *run) alone() (err error) {
	t, meta := r.unit.Training, &r.data.Report.Meta
	loss := r.unit.Head.Loss
	if loss != tasktable.Contrastive {
		return nil
	}
	steps, perEpoch, err := r.steps()
	if err != nil {
		return err
	}
	f, err := prepared.Open(r.data.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	order := &training.Order{Rows: meta.Rows, PerStep: training.PerStep(t.Batch, meta.Most), Length: f.Length}
	if r.flags.Seed != nil {
		order.Seed = *r.flags.Seed
	}
	if r.flags.Bucket != nil {
		order.Window = *r.flags.Bucket
	}
	var nothing, twice, batches int
	for step := range min(perEpoch, steps, (looked+order.PerStep-1)/order.PerStep) {
		rows, err := order.Step(step)
		if err != nil {
			return err
		}
		idle, again, err := compared(f, rows)
		if err != nil {
			return err
		}
		batches++
		if idle {
			nothing++
		}
		if again {
			twice++
		}
	}
	what := wording.Counted(batches, "batch", "batches")
	switch last := meta.Rows % order.PerStep; {
	case batches > 0 && nothing == batches:
		hint := "batch 32 sequences"
		if meta.Rows == 1 {
			hint = "more examples"
		}
		return fault.Input(r.src.Tree.Name, "nothing can be learned: %s compares each text with the pairs of its batch, and each batch of %s holds one pair",
			loss, wording.Counted(t.Batch, "sequence", "sequences")).Hint("%s", hint)
	case last == 1 && nothing <= 1 && meta.Most == 2 && steps >= perEpoch:
		r.Note("note: the last batch of each epoch holds one pair, from which %s learns nothing: leave one example out, or change `batch` in the spec", loss)
	case nothing > 0:
		r.Note("note: %d of the first %s hold one pair each, from which %s learns nothing: raise `batch` in the spec, or add negatives", nothing, what, loss)
	}
	if twice > 0 {
		r.Note("note: in %d of the first %s two pairs have the same second text, which counts as wrong for each: a smaller `batch` makes them rarer", twice,
			what)
	}
	return nil
}

// compared reports whether the rows of a batch are one pair, and whether two of them have the same second text.
func compared(f *prepared.File, rows []int) (idle, again bool, err error) {
	seen := map[string]bool{}
	for _, row := range rows {
		list, err := f.Row(row)
		if err != nil {
			return false, false, err
		}
		idle = len(rows) == 1 && len(list) == 2
		if len(list) < 2 {
			continue
		}
		var key []byte
		for _, id := range list[1].IDs {
			key = append(key, byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
		}
		again = again || seen[string(key)]
		seen[string(key)] = true
	}
	return idle, again, nil
}
