package trainprogram

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/trainer"
	"github.com/debertac/debertac/runtime/training"
)

// trainFlags holds the flags of train.
type trainFlags struct {
	openFlags
	data, dir      string
	scratch        bool
	resume, asJSON bool
	ask, named     bool
	seed           uint64
	every          time.Duration
	config         training.Config
}

func (h held) newTrain(fs *flag.FlagSet) command.Action {
	f := trainFlags{openFlags: openFlags{held: h}}
	c := &f.config
	f.registerModel(fs)
	fs.BoolVar(&f.scratch, "scratch", false, "begin with weights that are drawn by the seed, in place of --weights")
	fs.StringVar(&f.data, "data", "", "the `FILE` to train on, which debertac prepare wrote")
	fs.StringVar(&f.dir, "run", "", "the `FOLDER` of the run: metrics and checkpoints. It is made if it does not exist")
	fs.BoolVar(&f.resume, "resume", false, "go on with a run after its last checkpoint")
	fs.Uint64Var(&f.seed, "seed", 0, "`SEED` of a new run: of the order of the examples, dropout, masking, and new tensors")
	fs.IntVar(&c.Stop, "max-steps", 0, "stop after step `N` of the training; 0: after the last one")
	fs.IntVar(&c.SaveEvery, "save-every", 0, "write a checkpoint every `N` steps; 0: after each pass over the data, and every 1000 steps")
	fs.IntVar(&c.EvalEvery, "eval-every", 0, "evaluate every `N` steps; 0: after each pass over the data. Needs --ask")
	fs.IntVar(&c.LogEvery, "log-every", 1, "write metrics every `N` steps")
	fs.IntVar(&c.Keep, "keep", 1, "how many checkpoints `N` stay, besides the best one")
	fs.IntVar(&c.Window, "bucket", 0, "put examples of like length together among `N` batches; what an epoch holds stays the same")
	fs.StringVar(&c.Metric.Name, "metric", "", "the `NAME` of the metric by which the best checkpoint is chosen; of several with commas between "+
		"them, the first one that evaluations have")
	fs.IntVar(&c.Metric.Patience, "patience", 0, "stop after `N` evaluations that were no better; 0: go on to the end")
	fs.BoolVar(&f.ask, "ask", false, "ask for evaluations: print the file of the model, and read the metrics as a line of JSON from standard input")
	fs.BoolVar(&f.named, "check-metric", false, "ask for the names of the metrics before the first step, and end if --metric is not one of them. Needs --ask")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object per event")
	fs.DurationVar(&f.every, "print-every", 10*time.Second, "the `TIME` between two lines on standard error, without --json")
	return f.run
}

// check refuses values of flags that mean nothing.
func (f *trainFlags) check() error {
	c := &f.config
	for _, n := range []struct {
		name  string
		value int
		least int
	}{{"max-steps", c.Stop, 0}, {"save-every", c.SaveEvery, 0}, {"eval-every", c.EvalEvery, 0}, {"log-every", c.LogEvery, 1}, {"keep", c.Keep, 1},
		{"bucket", c.Window, 0}, {"patience", c.Metric.Patience, 0}} {
		if n.value < n.least {
			return command.Usage("--%s %d: it must be at least %d", n.name, n.value, n.least)
		}
	}
	switch {
	case f.data == "" || f.dir == "":
		return command.Usage("train needs --data FILE and --run FOLDER")
	case f.scratch == (f.weights != ""):
		return command.Usage("either --weights FILE or --scratch is needed")
	case f.ask && !f.asJSON:
		return command.Usage("--ask needs --json: an evaluation is asked for as a JSON object")
	case f.named && (!f.ask || c.Metric.Name == ""):
		return command.Usage("--check-metric needs --metric and --ask")
	case c.Metric.Patience > 0 && !f.ask:
		return command.Usage("--patience needs evaluations: --ask")
	}
	return nil
}

func (f *trainFlags) run(ctx context.Context, s *command.Session, _ []string) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	i, err := command.Pick(f.names, f.model)
	if err != nil {
		return err
	}
	p := f.models[i].Program
	if err := f.openFlags.check(p); err != nil {
		return err
	}
	data, err := prepared.Open(f.data)
	if err != nil {
		return err
	}
	defer data.Close() // read only
	folder, err := f.folder(ctx, f.models[i].Name, p, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	c := f.config
	c.Program, c.Data, c.Folder, c.Resume, c.Options = p, data, folder, f.resume, f.options()
	c.Weights = func(opts ...trainer.Option) (*trainer.Trainer, error) {
		if f.scratch {
			return trainer.Start(p, opts...)
		}
		t, err := trainer.Open(p, f.weights, opts...)
		if err != nil {
			err = command.Faulty("", "%w", err)
		}
		return t, err
	}
	w := watcher{s: s, json: f.asJSON, every: f.every}
	c.Watch = w.watch
	if f.ask {
		w.replies = bufio.NewReader(s.In)
		c.Evaluate = w.evaluate
	}
	if f.named {
		c.Names = w.names
	}
	defer interrupt.Hold()()
	err = training.Run(ctx, &c)
	if errors.Is(err, runtime.ErrInput) || errors.Is(err, trainer.ErrNotFinite) {
		err = command.Faulty("", "%w", err)
	}
	return err
}

// folder opens the folder of a run that goes on, or makes that of a new one, and locks it.
func (f *trainFlags) folder(ctx context.Context, name string, p *trainer.Program, data *prepared.File) (*runfolder.Folder, error) {
	folder, err := runfolder.Open(f.dir)
	switch {
	case err == nil && !f.resume && begun(folder):
		return nil, command.Faulty(f.dir, "it holds a run already: --resume goes on with it; a new run needs another folder")
	case errors.Is(err, runfolder.ErrNone), errors.Is(err, fs.ErrNotExist):
		steps, perEpoch, err := training.TotalSteps(p, data)
		if err != nil {
			return nil, command.Faulty("", "%w", err)
		}
		folder, err = runfolder.Create(f.dir, &runfolder.Run{
			Training: name, Task: data.Task, Program: p.SpecHash, Seed: f.seed, Steps: steps, StepsPerEpoch: perEpoch, Base: f.weights,
			Data: []runfolder.Data{{Path: f.data, SHA256: data.Source, Examples: data.Examples}}, Prepared: data.Source,
			Version: command.ThisBuild().Debertac, Began: time.Now().UTC().Truncate(time.Second),
		}, nil)
		if err != nil {
			return nil, command.Faulty("", "%w", err)
		}
	case err != nil:
		return nil, command.Faulty("", "%w", err)
	}
	if r := &folder.Run; r.Program != p.SpecHash {
		return nil, command.Faulty(f.dir, "the run was begun with another spec (sha256 %.12s…, and this program is of %.12s…): compile the spec in the folder",
			r.Program, p.SpecHash)
	}
	if folder.Run.Prepared != data.Source {
		return nil, command.Faulty(f.dir, "the run was begun with other data: %s was made of other files, or with another tokenizer or other settings", f.data)
	}
	if err := folder.Lock(ctx); err != nil {
		return nil, command.Faulty("", "%w", err)
	}
	return folder, nil
}

// begun reports whether a run has done anything yet. debertac train makes the folder before it starts this program.
func begun(f *runfolder.Folder) bool {
	there, err := disk.Exists(f.Path(runfolder.MetricsFile))
	return err != nil || there
}

// watcher prints what happens in a run.
type watcher struct {
	s       *command.Session
	json    bool
	replies *bufio.Reader
	every   time.Duration
	printed time.Time
}

// watch prints an event.
func (w *watcher) watch(e training.Event) error {
	if w.json {
		return command.PrintJSON(w.s.Out, e)
	}
	switch e.Kind {
	case training.EventBegin:
		fmt.Fprintf(w.s.Err, "%d of %d steps are done\n", e.Step, e.Steps)
	case training.EventStep:
		if time.Since(w.printed) < w.every {
			return nil
		}
		w.printed = time.Now()
		fmt.Fprintf(w.s.Err, "step %d of %d: loss %.4f, rate %.3g, %.0f tokens/s\n", e.Step, e.Steps, e.Values["loss"], e.Values["rate"],
			e.Values["tokens_per_s"])
	case training.EventCheckpoint:
		fmt.Fprintf(w.s.Err, "step %d: wrote %s\n", e.Step, e.Path)
	}
	return nil
}

// Reply is the answer to an event of the kind evaluate or names: a line of JSON on standard input.
type Reply struct {
	Metrics   map[string]float64 `json:"metrics"`
	Undefined []string           `json:"undefined,omitempty"` // metrics that are not finite numbers, which JSON does not have; or for names, the names alone
	Error     string             `json:"error,omitempty"`     // the reason if it failed; the run ends with it
}

// EventEvaluate is the kind of the event that asks for an evaluation of the model at its path, and EventNames of the one that asks for the names of the
// metrics of such evaluations.
const (
	EventEvaluate = "evaluate"
	EventNames    = "names"
)

// evaluate asks for an evaluation and waits for the reply.
func (w *watcher) evaluate(ctx context.Context, model string, step int) (map[string]float64, error) {
	r, err := w.ask(ctx, training.Event{Kind: EventEvaluate, Step: step, Path: model})
	if err != nil {
		return nil, err
	}
	all := map[string]float64{}
	for _, name := range r.Undefined {
		all[name] = math.NaN()
	}
	maps.Copy(all, r.Metrics)
	return all, nil
}

// names asks for the names of metrics and waits for the reply.
func (w *watcher) names(ctx context.Context, model string) ([]string, error) {
	r, err := w.ask(ctx, training.Event{Kind: EventNames, Path: model})
	if err != nil {
		return nil, err
	}
	return append(slices.Sorted(maps.Keys(r.Metrics)), r.Undefined...), nil
}

// ask prints an event and waits for the reply.
func (w *watcher) ask(ctx context.Context, e training.Event) (*Reply, error) {
	if err := command.PrintJSON(w.s.Out, e); err != nil {
		return nil, err
	}
	line, err := w.replies.ReadBytes('\n')
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the program that evaluates has ended")
	}
	if err != nil {
		return nil, err
	}
	r := &Reply{}
	if err := json.Unmarshal(line, r); err != nil {
		return nil, fmt.Errorf("the reply to an evaluation is not a line of JSON: %w", err)
	}
	switch {
	case r.Error != "" && e.Kind == EventNames:
		return nil, command.Faulty("", "the evaluation that tells the names of the metrics failed: %s", r.Error)
	case r.Error != "":
		return nil, command.Faulty("", "the evaluation after step %d failed: %s", e.Step, r.Error)
	}
	return r, nil
}
