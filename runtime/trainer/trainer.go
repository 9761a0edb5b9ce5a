package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/rate"
)

// Batch is the input of a step: sequences of token ids, and the targets of the program by their names. [Program.Targets] lists the names, with what has an
// entry and how many numbers that has. A name that is not there is an error.
type Batch struct {
	runtime.Batch
	Integers map[string][]int32   // classes, labels, ids of tokens, places of spans, numbers of groups; below 0: the row is left out
	Floats   map[string][]float32 // scores, and labels that hold by themselves

	// WordOf holds the word of each token [T], as tokenizer.Span counts words in a text, and -1 for tokens that are never masked, such as special ones.
	// Neighbours with one number are a word. Only masking reads it, see [MaskToken]. Without `of words` in the spec it may be nil: then all tokens of a
	// sequence but its first and its last may be masked.
	WordOf []int32
}

// Trainer keeps a model in training. One step runs at a time; further callers wait.
type Trainer struct {
	program *Program
	options Options
	isa     cpu.ISA
	pool    *pool.Pool
	exec    *Exec
	rate    rate.Schedule
	life    sync.Mutex // held by steps and by Close
	closed  bool
	broken  error // of an update that was not completed: some tensors are those before it, and others are those after it
	drawn   []string
	step    int // number of the next step, from 0

	values, grads, sums, states block // sums are gradients of the parts of a batch
}

// Options returns the settings in use: the number of threads, the instruction set, and the number of steps on which the learning rates depend.
func (t *Trainer) Options() Options {
	t.life.Lock() // Resume sets the seed
	defer t.life.Unlock()
	o := t.options
	o.ISA = t.isa.String()
	if id := o.MaskToken; id != nil { // the caller may write to it
		o.MaskToken = new(int32)
		*o.MaskToken = *id
	}
	if len(t.program.Optimizers) > 0 {
		o.Steps = t.rate.Steps
	}
	return o
}

// Next returns the number of the next step, from 0. After Resume it is that of the checkpoint.
func (t *Trainer) Next() int {
	t.life.Lock()
	defer t.life.Unlock()
	return t.step
}

// Grown returns the number of rows of the token table that the weights lacked, for the tokens that a prompt adds. They began as the mean of the other rows.
func (t *Trainer) Grown() int { return t.values.grown }

// Drawn returns the names of the tensors that the weights lacked and that were drawn by the seed.
func (t *Trainer) Drawn() []string { return slices.Clone(t.drawn) }

// Tensor returns a copy of a tensor as it is now, row-major.
func (t *Trainer) Tensor(name string) ([]float32, error) {
	of := name
	for _, w := range t.program.Twins {
		if w.Name == name {
			of = w.Of
		}
	}
	return t.copyOf(&t.values, of, "tensor")
}

// Gradient returns a copy of the gradient of a tensor that the last pass has computed, row-major.
func (t *Trainer) Gradient(name string) ([]float32, error) {
	return t.copyOf(&t.grads, name, "gradient of")
}

// Traced returns a value of the last pass that the program keeps for it.
func (t *Trainer) Traced(name string) (Traced, error) {
	t.life.Lock()
	defer t.life.Unlock()
	v, ok := t.exec.traced[name]
	if !ok {
		return Traced{}, ragged.Errorf("no pass of the program %s has kept a value %q", t.program.Name, name)
	}
	return v, nil
}

// copyOf returns a copy of what a block holds for a name.
func (t *Trainer) copyOf(b *block, name, what string) ([]float32, error) {
	i := b.find(name)
	if i < 0 {
		return nil, ragged.Errorf("the program %s has no %s %q", t.program.Name, what, name)
	}
	t.life.Lock()
	defer t.life.Unlock()
	if t.closed {
		return nil, runtime.ErrClosed
	}
	return b.dense(i), nil
}

// Result is what a step reports.
type Result struct {
	Step int     // its number, from 0
	Loss float32 // of the batch, before the update
	Norm float32 // of all gradients, before clipping
	Rate float64 // the learning rate

	Losses []float32 // of a loss with several terms: the terms, without their weights, in the order of Program.Losses
	Norms  []float32 // of a step with several optimizers: the norm of the gradients of each
}

// ErrNotFinite is in the error of a step whose loss or gradients are not finite numbers. Such a step changes nothing: the next step has its number. If a step
// has two optimizers, the first of which has changed its tensors, the step counts.
var ErrNotFinite = errors.New("not a finite number")

// ErrDone is in the error of a step after the last one of the training, see [Steps].
var ErrDone = errors.New("all steps of the training are done")

// Step computes one step on a batch: the loss, the gradients, and the update of the tensors that are trained. Errors in the batch wrap runtime.ErrInput. After
// the last step of the training the error wraps ErrDone.
func (t *Trainer) Step(ctx context.Context, b *Batch) (Result, error) {
	if len(t.program.Optimizers) == 0 {
		return Result{}, ragged.Errorf("the package %s computes gradients and has no optimizer: call Gradients", t.program.Name)
	}
	return t.run(ctx, []*Batch{b}, nil, stepping)
}

// Timed does the same as Step, or as Gradients if the program has no optimizer. If durations is not nil, it receives the duration of each node of the schedule,
// in its order. It goes on after the last step of the training, because measurements have as many steps as they need.
func (t *Trainer) Timed(ctx context.Context, b *Batch, durations *[]time.Duration) (Result, error) {
	if len(t.program.Optimizers) == 0 {
		return t.run(ctx, []*Batch{b}, durations, computing)
	}
	return t.run(ctx, []*Batch{b}, durations, measuring)
}

// purpose is why passes are run.
type purpose uint8

const (
	computing purpose = iota // the loss and the gradients are wanted; nothing is changed
	stepping                 // the tensors change, up to the last step of the training
	measuring                // the tensors change, after the last step too
)

// Gradients computes the loss and the gradients of a batch, and changes no tensor. If the loss is not a finite number, it returns the loss and an error that
// wraps ErrNotFinite.
func (t *Trainer) Gradients(ctx context.Context, b *Batch) (loss float32, err error) {
	r, err := t.Losses(ctx, b)
	return r.Loss, err
}

// Losses does the same as Gradients. The result has the terms of the loss, and no norm.
func (t *Trainer) Losses(ctx context.Context, b *Batch) (Result, error) {
	r, err := t.run(ctx, []*Batch{b}, nil, computing)
	if err == nil && !finite(r.Loss) {
		err = fmt.Errorf("the loss is %v: %w", r.Loss, ErrNotFinite)
	}
	return r, err
}

// finite reports whether a number is neither NaN nor infinite.
func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// usable returns an error if the trainer is closed, or if its tensors are those of no step.
func (t *Trainer) usable() error {
	if t.closed {
		return runtime.ErrClosed
	}
	return t.broken
}

// run computes a pass over each part of a batch, and changes the tensors unless only gradients are computed: for one optimizer after the other.
func (t *Trainer) run(ctx context.Context, parts []*Batch, durations *[]time.Duration, why purpose) (Result, error) {
	update := why != computing
	if ctx == nil {
		return Result{}, ragged.Errorf("the context is nil")
	}
	if err := t.checkParts(parts); err != nil {
		return Result{}, err
	}
	t.life.Lock()
	defer t.life.Unlock()
	if err := t.usable(); err != nil {
		return Result{}, err
	}
	if n := t.rate.Steps; why == stepping && n > 0 && t.step >= n {
		return Result{}, fmt.Errorf("%w: the package %s has %d; for a longer training open the trainer with Steps", ErrDone, t.program.Name, n)
	}
	parts = t.maskedParts(parts)
	x := t.exec
	if x.steps = durations; durations != nil {
		*durations = (*durations)[:0]
	}
	defer x.release()
	x.err = nil
	r := Result{Step: t.step}
	if n := len(t.program.Losses); n > 0 {
		r.Losses = make([]float32, n)
	}
	for i := range x.updates {
		err := t.passes(ctx, parts, i, &r)
		if err == nil && update {
			err = t.update(i, &r)
			ctx = context.Background() // a step is not left half done
		}
		if err != nil {
			if i > 0 && update {
				t.step++
				err = fmt.Errorf("%w; the tensors of the optimizer %s were changed before, so the step counts", err, t.program.Optimizers[0].Name)
			}
			return Result{}, err
		}
	}
	if update {
		t.step++
	}
	return r, nil
}

// update changes the tensors of an optimizer by the gradients of its pass.
func (t *Trainer) update(i int, r *Result) error {
	o, x := &t.program.Optimizers[i], t.exec
	step := &x.updates[i]
	r.Rate = t.rate.At(t.step)
	x.Numbers(o.Name + ".rate")[0] = float32(r.Rate)
	m := o.moments(t.step)
	copy(x.Numbers(o.Name+".moments"), m[:])
	if err := x.call(step.Norm); err != nil {
		return err
	}
	norm := x.out[o.Name+".norm"]
	for _, n := range []struct {
		what  string
		value float32
	}{{"loss", r.Loss}, {"norm of the gradients", norm}} {
		if !finite(n.value) {
			what := "; the step has changed nothing"
			if i > 0 {
				what = ""
			}
			return fmt.Errorf("step %d: the %s is %v: %w%s", t.step, n.what, n.value, ErrNotFinite, what)
		}
	}
	if r.Norm = norm; len(t.program.Optimizers) > 1 {
		r.Norms = append(r.Norms, norm)
		sum := 0.0
		for _, v := range r.Norms {
			sum += float64(v) * float64(v)
		}
		r.Norm = float32(math.Sqrt(sum))
	}
	x.ctx = context.Background() // an update is not left half done
	err := x.call(step.Apply)
	if err == nil && step.Lookahead != nil && o.Every > 0 && (t.step+1)%o.Every == 0 {
		err = x.call(step.Lookahead)
	}
	if err != nil {
		t.broken = fmt.Errorf("the update of step %d was not completed, so the tensors are those of no step: resume from a checkpoint: %w", t.step, err)
	}
	return t.broken
}

// moments returns the numbers of an optimizer with moments.
func (o *Optimizer) moments(step int) [3]float32 {
	if o.Kind == "radam" {
		return rate.RAdam(o.Beta1, o.Beta2, o.Eps, step).Floats()
	}
	return rate.AdamW(o.Beta1, o.Beta2, o.Eps, o.Correct, step).Floats()
}

// valid checks a batch and its targets.
func (t *Trainer) valid(b *Batch) error {
	if b == nil {
		return ragged.Errorf("the batch is nil")
	}
	limits := t.program.Limits
	if len(b.Delta) == 0 {
		limits = t.program.Needs()
	}
	if err := b.Validate(limits); err != nil {
		return err
	}
	if err := t.program.checkNames(b); err != nil {
		return err
	}
	if err := t.checkWords(b); err != nil {
		return err
	}
	sizes := b.Sizes()
	for i := range t.program.Targets {
		if err := t.program.Targets[i].valid(b, sizes); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for a running step and frees all memory. Later calls return ErrClosed. Closing again does nothing.
func (t *Trainer) Close() error {
	t.life.Lock()
	defer t.life.Unlock()
	if !t.closed {
		t.closed = true
		t.release()
	}
	return nil
}

func (t *Trainer) release() {
	for _, b := range []*block{&t.values, &t.grads, &t.sums, &t.states} {
		b.free()
	}
	if t.exec != nil {
		t.exec.arena.Free()
	}
	if t.pool != nil {
		t.pool.Close()
	}
}
