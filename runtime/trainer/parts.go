package trainer

import (
	"context"
	"fmt"

	"github.com/debertac/debertac/runtime/ragged"
)

// StepParts computes one step on a batch that is given in parts, because one pass over it would need too much memory. The step is that of all sequences
// together: the order of the parts decides only the rounding. Parts may be of different sizes, up to that in the spec. The spec must ask for parts, as in
// `batch 32 sequences in parts of 8`. Errors in a part wrap runtime.ErrInput, and then nothing has been changed.
func (t *Trainer) StepParts(ctx context.Context, parts ...*Batch) (Result, error) {
	if len(t.program.Optimizers) == 0 {
		return Result{}, ragged.Errorf("the package %s computes gradients and has no optimizer: call Gradients", t.program.Name)
	}
	return t.run(ctx, parts, nil, stepping)
}

// checkParts checks the parts of a batch.
func (t *Trainer) checkParts(parts []*Batch) error {
	switch {
	case len(parts) == 0:
		return ragged.Errorf("the batch has no parts")
	case len(parts) > 1 && len(t.program.Counts) == 0:
		return ragged.Errorf("the batch has %d parts, and the package %s computes a batch in one pass: write `batch N sequences in parts of M` in the spec",
			len(parts), t.program.Name)
	}
	for i, b := range parts {
		err := t.valid(b)
		limit := t.program.Limits.BatchSequences
		switch {
		case err == nil:
		case len(parts) > 1:
			return fmt.Errorf("part %d of %d: %w", i+1, len(parts), err)
		case len(t.program.Counts) > 0 && b != nil && len(b.Starts) > limit+1:
			return fmt.Errorf("%w; StepParts takes a batch in parts of at most %d", err, limit)
		default:
			return err
		}
	}
	return nil
}

// passes computes the losses and the gradients of all parts for one of the updates, and adds the losses to those of the batch.
func (t *Trainer) passes(ctx context.Context, parts []*Batch, update int, r *Result) error {
	x := t.exec
	clear(x.counts)
	for i := range t.program.Counts {
		c := &t.program.Counts[i]
		if c.Of == RowCount {
			x.counts[c.Name] = []int32{int32(c.of(parts))}
		} else {
			x.Numbers(c.Name)[0] = float32(c.of(parts))
		}
	}
	for i, b := range parts {
		if err := x.begin(ctx, b, i); err != nil {
			return err
		}
		if len(t.program.Optimizers) > 0 {
			x.Numbers(t.program.Optimizers[update].Name + ".keep")[0] = float32(min(i, 1))
		}
		if err := x.call(x.updates[update].Pass); err != nil {
			return err
		}
		t.add(r)
	}
	return nil
}

// add adds the losses that a pass has computed to those of the batch.
func (t *Trainer) add(r *Result) {
	x := t.exec
	if len(t.program.Losses) == 0 {
		r.Loss += x.out["loss"]
		return
	}
	sum := 0.0
	for i, l := range t.program.Losses {
		if v, ok := x.out[l.Name]; ok {
			r.Losses[i] += v
		}
		sum += l.Weight * float64(r.Losses[i])
	}
	r.Loss = float32(sum)
}
