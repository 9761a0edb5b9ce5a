package training

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/tfevents"
	"github.com/debertac/debertac/runtime/trainer"
)

// Config is what a run needs.
type Config struct {
	Program *trainer.Program
	Data    *prepared.File
	Folder  *runfolder.Folder // locked; what it describes must be this run
	Weights func(opts ...trainer.Option) (*trainer.Trainer, error)
	Options []trainer.Option // of the trainer, but those that the run sets itself: the seed, the steps, the mask token

	Resume    bool // go on after the last checkpoint
	Stop      int  // stop after this step; 0: after the last one of the training
	SaveEvery int  // steps between two checkpoints; 0: an epoch, or MostUnsaved
	EvalEvery int  // steps between two evaluations; 0: an epoch
	LogEvery  int  // steps between two lines of metrics; 0: 1
	Keep      int  // checkpoints that stay besides the best one; 0: 1
	Window    int  // batches among which rows of like length are put together
	Metric    Metric

	// Evaluate evaluates the model in a file, which is removed afterwards, and returns its metrics; nil: no evaluation.
	// A metric that is not defined for the data is NaN.
	Evaluate func(ctx context.Context, model string, step int) (map[string]float64, error)
	// Names returns the names of the metrics that Evaluate will return, for the model in a file; nil: the first evaluation tells them.
	Names func(ctx context.Context, model string) ([]string, error)
	Watch func(Event) error // is told what happens; nil: nobody is
}

// Metric is the metric that decides which checkpoint is the best one.
type Metric struct {
	Name     string // without eval_; of several, with commas between them, the first that an evaluation has; "": the usual one of those that it has
	Patience int    // evaluations without a better value after which the run stops; 0: it goes on to the end
}

// Event is something that happens in a run.
type Event struct {
	Kind   string             `json:"event"` // begin, step, evaluation, checkpoint, or end
	Step   int                `json:"step"`  // steps that are done
	Steps  int                `json:"steps,omitempty"`
	Epoch  float64            `json:"epoch,omitempty"`
	Values map[string]float64 `json:"values,omitempty"`
	Path   string             `json:"path,omitempty"`
	Text   string             `json:"text,omitempty"`
	Drawn  []string           `json:"drawn,omitempty"` // tensors that the weights lacked
	Rows   int                `json:"rows,omitempty"`  // rows of the token table that the weights lacked
}

// The kinds of events.
const (
	EventBegin      = "begin"
	EventStep       = "step"
	EventEvaluation = "evaluation"
	EventCheckpoint = "checkpoint"
	EventEnd        = "end"
)

// MostUnsaved is the number of steps after which a checkpoint is written if the settings ask for none and an epoch has more steps.
const MostUnsaved = 1000

// EvaluationFile is the file in the folder of a run that holds the model while it is evaluated.
const EvaluationFile = "evaluated.safetensors"

// run is a run that goes on.
type run struct {
	*Config
	t       *trainer.Trainer
	order   *Order
	batches *batcher
	events  *tfevents.Writer
	steps   int // of the whole training
	stop    int
	saved   int // steps of the newest checkpoint; -1: not one yet
	best    *runfolder.Best
	idle    int // evaluations since the best one
}

// Length is what decides how many steps a training has.
type Length struct {
	Steps, Epochs int // that the spec names; 0: it does not
	Batch         int // sequences of a batch
	Rows, Most    int // of the data, and the sequences of a row at most
}

// Total returns the number of steps of a whole training, and of an epoch: those of the spec, or its epochs over the rows of the data.
func (l Length) Total() (steps, perEpoch int, err error) {
	if l.Rows == 0 {
		return 0, 0, ragged.Errorf("there are no examples")
	}
	perEpoch = (&Order{Rows: l.Rows, PerStep: PerStep(l.Batch, l.Most)}).StepsPerEpoch()
	switch {
	case l.Epochs > 0 && perEpoch > runfolder.MostSteps/l.Epochs:
		return 0, 0, ragged.Errorf("%d epochs of %d batches are more than %d steps", l.Epochs, perEpoch, runfolder.MostSteps)
	case l.Epochs > 0:
		return l.Epochs * perEpoch, perEpoch, nil
	case l.Steps < 1:
		return 0, 0, ragged.Errorf("the spec has neither `steps` nor `epochs`, so the training has no end")
	}
	return l.Steps, perEpoch, nil
}

// TotalSteps returns Total of a program that trains on a file.
func TotalSteps(p *trainer.Program, f *prepared.File) (steps, perEpoch int, err error) {
	if f.Rows == 0 {
		return 0, 0, ragged.Errorf("%s has no examples", f.Name())
	}
	l := Length{Epochs: p.Epochs, Batch: p.Batch, Rows: f.Rows, Most: f.Most}
	if len(p.Optimizers) > 0 {
		l.Steps = p.Optimizers[0].Rate.Steps
	}
	if steps, perEpoch, err = l.Total(); err != nil {
		err = ragged.Errorf("%s: %v", p.Name, err)
	}
	return steps, perEpoch, err
}

// Run trains until the last step, until Stop, until no evaluation gets better, or until ctx ends. In the last case it writes a checkpoint and returns the error
// of ctx. The metrics and the last checkpoint are on the disk when it returns.
func Run(ctx context.Context, c *Config) (err error) {
	r := &run{Config: c, saved: -1}
	if err := r.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.named(ctx); err != nil {
		return err
	}
	if err := r.tell(Event{Kind: EventBegin, Steps: r.steps, Drawn: r.t.Drawn(), Rows: r.t.Grown()}); err != nil {
		return err
	}
	for r.t.Next() < r.stop && !r.exhausted() {
		if err := r.step(ctx); err != nil {
			return r.ended(ctx, err)
		}
		if err := r.after(ctx); err != nil {
			return r.ended(ctx, err)
		}
	}
	if err := r.save(); err != nil {
		return err
	}
	end := Event{Kind: EventEnd, Steps: r.steps}
	if r.exhausted() && r.t.Next() < r.stop {
		since := ""
		if r.best != nil {
			since = fmt.Sprintf(" since step %d", r.best.Step)
		}
		end.Text = fmt.Sprintf("no evaluation%s was better by %s; --patience with a number above %d goes on", since, r.Metric.Name, r.Metric.Patience)
	}
	return r.tell(end)
}

// open opens the trainer, and the folder at the last checkpoint.
func (r *run) open() (err error) {
	var perEpoch int
	if r.steps, perEpoch, err = TotalSteps(r.Program, r.Data); err != nil {
		return err
	}
	if r.Folder.Run.Steps > 0 {
		r.steps = r.Folder.Run.Steps
	}
	if r.SaveEvery == 0 {
		r.SaveEvery = min(perEpoch, MostUnsaved)
	}
	if r.EvalEvery == 0 {
		r.EvalEvery = perEpoch
	}
	r.LogEvery, r.Keep = max(r.LogEvery, 1), max(r.Keep, 1)
	if r.stop = r.steps; r.Stop > 0 {
		r.stop = min(r.Stop, r.steps)
	}
	seed := r.Folder.Run.Seed
	opts := append([]trainer.Option{trainer.Seed(seed), trainer.Steps(r.steps)}, r.Options...)
	if r.Program.Masking != nil && r.Data.Mask >= 0 {
		opts = append(opts, trainer.MaskToken(r.Data.Mask))
	}
	if r.t, err = r.Weights(opts...); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	r.order = orderOf(r.Data, r.Program.Batch, r.Window, seed)
	if r.batches, err = newBatcher(r.t, r.Program, r.Data); err != nil {
		return err
	}
	if err := r.resume(); err != nil {
		return err
	}
	if err := r.removeModel(); err != nil { // of an evaluation that was killed
		return err
	}
	lines, err := r.Folder.Begin(r.t.Next())
	if err != nil {
		return err
	}
	if r.best, err = r.Folder.Best(); err != nil {
		return err
	}
	points, err := r.Folder.Checkpoints()
	if err != nil {
		return err
	}
	r.recall(lines, points)
	if err := r.Folder.Prune(r.Keep); err != nil { // it may have been stopped before that
		return err
	}
	r.events, err = tfevents.Open(r.Folder.Path(tfevents.Name), int64(r.t.Next())+1)
	return err
}

// resume loads the last checkpoint. One that is damaged is an error that names the one before it.
func (r *run) resume() error {
	if !r.Resume {
		return nil
	}
	list, err := r.Folder.Checkpoints()
	if err != nil || len(list) == 0 {
		return err // it was stopped before its first checkpoint, so it begins again
	}
	last := list[len(list)-1]
	if err := r.t.Resume(last.Path); err != nil {
		if len(list) > 1 {
			return fmt.Errorf("%w; the checkpoint before it is %s: remove the damaged one to go on from there", err, list[len(list)-2].Path)
		}
		return err
	}
	if n := r.t.Next(); n != last.Step {
		return ragged.Errorf("%s holds %d steps, and its name says %d: it was renamed, or is of another run", last.Path, n, last.Step)
	}
	if seed := r.t.Options().Seed; seed != r.Folder.Run.Seed {
		return ragged.Errorf("%s holds the seed %d, and the run has %d: it is of another run", last.Path, seed, r.Folder.Run.Seed)
	}
	r.saved = last.Step
	return nil
}

// close closes the trainer and the events.
func (r *run) close() error {
	var errs []error
	if r.events != nil {
		errs = append(errs, r.events.Close())
	}
	if r.t != nil {
		errs = append(errs, r.t.Close())
	}
	r.events, r.t = nil, nil
	return errors.Join(errs...)
}

// tell passes an event to the watcher.
func (r *run) tell(e Event) error {
	if r.Watch == nil {
		return nil
	}
	e.Step = r.t.Next()
	e.Epoch = float64(e.Step) / float64(r.order.StepsPerEpoch())
	return r.Watch(e)
}

// step computes the next step and logs it.
func (r *run) step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	begin := time.Now()
	rows, err := r.order.Step(r.t.Next())
	if err != nil {
		return err
	}
	parts, err := r.batches.parts(rows)
	if err != nil {
		return err
	}
	var result trainer.Result
	if len(parts) > 1 {
		result, err = r.t.StepParts(ctx, parts...)
	} else {
		result, err = r.t.Step(ctx, parts[0])
	}
	if err != nil {
		if errors.Is(err, trainer.ErrNotFinite) {
			return fmt.Errorf("step %d, on the examples %v: %w", r.t.Next()+1, r.places(rows), err)
		}
		return err
	}
	tokens := 0
	for _, p := range parts {
		tokens += len(p.IDs)
	}
	if n := r.t.Next(); n%r.LogEvery != 0 && n != r.stop && n != 1 {
		return nil
	}
	values := map[string]float64{"loss": float64(result.Loss), "rate": result.Rate, "grad_norm": float64(result.Norm),
		"tokens_per_s": float64(tokens) / max(time.Since(begin).Seconds(), 1e-9), "epoch": float64(r.t.Next()) / float64(r.order.StepsPerEpoch())}
	for i, v := range result.Losses {
		values[r.Program.Losses[i].Name] = float64(v)
	}
	return r.log(EventStep, values)
}

// places returns the numbers of rows in the source.
func (r *run) places(rows []int) (list []int64) {
	for _, row := range rows {
		if at, err := r.Data.At(row); err == nil {
			list = append(list, at)
		}
	}
	return list
}

// log writes numbers to the metrics and to the events.
func (r *run) log(kind string, values map[string]float64) error {
	step := r.t.Next()
	if err := r.Folder.Log(&runfolder.Line{Step: step, Values: values}); err != nil {
		return err
	}
	var scalars []tfevents.Scalar
	for _, name := range sortedNames(values) {
		scalars = append(scalars, tfevents.Scalar{Tag: tagOf(kind, name), Value: values[name]})
	}
	if err := r.events.Add(int64(step), time.Now(), scalars...); err != nil {
		return err
	}
	return r.tell(Event{Kind: kind, Steps: r.steps, Values: values})
}

// after evaluates and saves where the settings ask for it.
func (r *run) after(ctx context.Context) error {
	n := r.t.Next()
	if r.Evaluate != nil && (n%r.EvalEvery == 0 || n == r.steps) {
		if err := r.evaluate(ctx); err != nil {
			return err
		}
		if r.best != nil && r.best.Step == n { // its checkpoint must exist
			return r.save()
		}
	}
	if n%r.SaveEvery == 0 || n == r.stop {
		return r.save()
	}
	return nil
}

// save writes a checkpoint unless the newest one has all steps. The metrics are on the disk before it.
func (r *run) save() error {
	step := r.t.Next()
	if r.saved == step {
		return nil
	}
	if err := r.Folder.Sync(); err != nil {
		return err
	}
	path := r.Folder.CheckpointPath(step)
	if err := r.t.Save(path); err != nil {
		return err
	}
	r.saved = step
	if r.best != nil {
		if err := r.Folder.SetBest(r.best); err != nil {
			return err
		}
	}
	if err := r.Folder.Prune(r.Keep); err != nil {
		return err
	}
	return r.tell(Event{Kind: EventCheckpoint, Steps: r.steps, Path: path})
}

// ended writes a checkpoint after an error, if the tensors are those of a whole step, so that a run that is stopped loses nothing.
func (r *run) ended(ctx context.Context, err error) error {
	if ctx.Err() == nil && !errors.Is(err, trainer.ErrNotFinite) {
		return err
	}
	if r.t.Next() == 0 {
		return err // nothing is lost
	}
	if saving := r.save(); saving != nil {
		return errors.Join(err, fmt.Errorf("no checkpoint could be written at the end: %w", saving))
	}
	return err
}

// removeModel removes the file of an evaluation.
func (r *run) removeModel() error { return disk.RemoveAll(r.Folder.Path(EvaluationFile)) }
