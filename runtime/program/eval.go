package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/tasktable"
)

// evalFlags holds the flags of the verb eval.
type evalFlags struct {
	openFlags
	textFlags
	taskFlags
	input, predictions string
	resamples          int
	seed               uint64
	positive           string
	candidates         int
	share              float64
	generate, quiet    bool
	own                []string // the flags of ownTasks that are given
}

func newEval(fs *flag.FlagSet) action {
	var e evalFlags
	e.tableFlags = &tableFlags{}
	e.openFlags.register(fs)
	e.registerHead(fs)
	e.textFlags.register(e.tableFlags, fs)
	e.declareAll(fs, map[string]any{"quiet": &e.quiet})
	for _, r := range tasktable.EvalFlags() {
		if fs.Lookup(r.Name) == nil {
			e.declare(fs, r.Name, newValue[r.Kind]())
		}
	}
	fs.StringVar(&e.input, "input", "-", "examples as lines of JSON, the `FILE` that debertac eval would make of a data file; - is the standard input")
	fs.StringVar(&e.predictions, "predictions", "", "write the predictions as lines of JSON to `FILE`, which debertac eval can score again")
	fs.IntVar(&e.resamples, "resamples", prediction.Resamples, "draw the examples `N` times for the intervals of metrics; 0 computes no intervals")
	fs.Uint64Var(&e.seed, "seed", 1, "`NUMBER` that decides which examples are drawn, and which tokens are masked")
	fs.StringVar(&e.positive, "positive", "", "the `LABEL` of two whose precision, recall and F1 are printed; without this flag, the second")
	fs.IntVar(&e.candidates, "candidates", 32, "for vectors: compare each text with the right ones of the `N` examples around it")
	fs.Float64Var(&e.share, "share", 0.15, "for models that fill masks: the `SHARE` of tokens that are masked")
	fs.BoolVar(&e.generate, "generate", false, "for models that write text: generate a text for each example and compare it with the right one")
	return func(ctx context.Context, s *session, _ []string) error {
		e.given, e.own = map[string]bool{}, nil
		fs.Visit(func(f *flag.Flag) {
			switch {
			case slices.ContainsFunc(tasktable.EvalFlags(), func(r tasktable.Flag) bool { return r.Name == f.Name }):
				e.given[f.Name] = true
			case ownTasks[f.Name] != nil:
				e.own = append(e.own, f.Name)
			}
		})
		return e.run(ctx, s)
	}
}

// ownTasks lists the tasks of flags of eval that run does not have, and that not every task has.
var ownTasks = map[string][]tasktable.Task{
	"positive": {tasktable.Labels}, "candidates": {tasktable.Vector, tasktable.Hidden}, "share": {tasktable.MLM}, "generate": {tasktable.MLM},
}

// check returns an error for values that no task takes.
func (e *evalFlags) check() error {
	switch {
	case e.resamples < 0 || e.resamples > 1e6:
		return usage("--resamples %d: it must be from 0 to 1000000", e.resamples)
	case e.candidates < 2:
		return usage("--candidates %d: it must be at least 2", e.candidates)
	case !(e.share > 0 && e.share <= 1):
		return usage("--share %v: it must be above 0 and at most 1", e.share)
	case e.input == "":
		return usage("--input is empty: it must be a file, or - for the standard input")
	}
	return e.taskFlags.check()
}

// evaluator computes the predictions of a head for examples.
type evaluator interface {
	// check returns what an example lacks for the task, or what is wrong with it.
	check(e *example.Example) error
	// chunk returns how many examples predict takes together. It changes no prediction, unless examples are compared with each other.
	chunk() int
	// predict returns one prediction for each example, with what is right. Errors of the input number the texts in any way.
	predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error)
}

// chunkSize is how many examples most evaluators take together.
const chunkSize = 64

// inChunks is the common part of evaluators that judge each example by itself.
type inChunks struct{}

func (inChunks) chunk() int { return chunkSize }

// examiner makes the evaluator of a head, set up by the flags. It can look at all examples.
type examiner func(e *evalFlags, core *engine.Core, h *engine.Head, all *examples) (evaluator, error)

// examiners holds the examiners of all tasks. The file that evaluates a task adds its examiner with examine.
var examiners = map[tasktable.Task]examiner{}

// examine adds the examiner of a task. It returns a value so that a package variable can call it.
func examine(t tasktable.Task, x examiner) bool {
	examiners[t] = x
	return true
}

func (e *evalFlags) run(ctx context.Context, s *session) error {
	if err := e.check(); err != nil {
		return err
	}
	opts, err := e.options(e.given)
	if err != nil {
		return err
	}
	if err := e.withinProgram(&e.openFlags, s); err != nil {
		return err
	}
	all, err := e.read(ctx, s)
	if err != nil {
		return err
	}
	defer all.close()
	core, _, err := e.openFlags.open(s, opts...)
	if err != nil {
		return e.ofFlag(err)
	}
	defer core.Close()
	i, err := core.HeadIndex(e.head)
	if err != nil {
		return usage("--head: %v", err)
	}
	h := &core.Program().Heads[i]
	if err := e.belong(h); err != nil {
		return err
	}
	for _, name := range e.own {
		if !slices.Contains(ownTasks[name], h.Task) {
			return usage("--%s has no meaning for head %q of this model, which is of the kind %s", name, h.Name, kindOf(h.Task))
		}
	}
	if core.Tokenizer() == nil {
		_, err := core.SpanTokenizer() // the error explains why there is no tokenizer
		return err
	}
	make := examiners[h.Task]
	if make == nil {
		return notEvaluated(h)
	}
	ev, err := make(e, core, h, all)
	if err != nil {
		return err
	}
	err = all.pass(false, func(n int, x *example.Example) error {
		if err := ev.check(x); err != nil {
			return ofExample(x, n, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.judge(ctx, s, ev, string(h.Task), all)
}

// notEvaluated returns the error for a head of a task that has no metrics. Heads that find replaced tokens are such: which tokens are replaced is drawn while
// they are trained, and no data tell it.
func notEvaluated(h *engine.Head) error {
	var kinds []string
	for _, r := range tasktable.Table {
		if examiners[r.Task] != nil {
			kinds = append(kinds, r.Kind)
		}
	}
	return usage("head %q of this model is of the kind %s, and no data tell what is right for it: eval compares heads of the kinds %s", h.Name, kindOf(h.Task),
		strings.Join(kinds, ", "))
}

// ofExample returns an error about an example, which names its place in its file, or its number in the data.
func ofExample(x *example.Example, n int, err error) error {
	at := x.At
	if at == 0 {
		at = int64(n + 1)
	}
	name := fmt.Sprintf("example %d", at)
	if x.Where != "" {
		name = x.Where
	}
	if x.ID != "" {
		name += fmt.Sprintf(" (id %s)", command.Shorten(x.ID, 40))
	}
	return faulty(name, "%w", err)
}

// judge predicts all examples, writes the predictions, and prints the metrics.
func (e *evalFlags) judge(ctx context.Context, s *session, ev evaluator, task string, all *examples) error {
	scorer, err := prediction.NewScorer(task, prediction.Options{Resamples: e.resamples, Seed: e.seed, Positive: e.positive})
	if err != nil {
		return err
	}
	lines, out := io.Discard, (*disk.Output)(nil)
	if e.predictions != "" {
		if out, err = disk.Create(e.predictions, 0o666); err != nil {
			return faulty("", "%w", err)
		}
		defer out.Discard() // after Commit it does nothing
		lines = out
	}
	var some []*example.Example
	err = all.each(func(i int, x *example.Example) error {
		if some = append(some, x); len(some) < ev.chunk() && i+1 < all.n {
			return nil
		}
		from := i + 1 - len(some)
		if err := e.predict(ctx, ev, scorer, some, from, lines); err != nil {
			return err
		}
		some = some[:0]
		e.progress(s, i+1, all.n)
		return nil
	})
	if err != nil {
		return err
	}
	e.progress(s, 0, 0)
	if out != nil {
		if err := out.Commit(); err != nil {
			return faulty("", "%w", err)
		}
	}
	report, err := scorer.Report()
	if err != nil {
		return faulty("", "%w", err)
	}
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	_, err = s.Out.Write(append(text, '\n'))
	return err
}

// predict predicts some examples, of which the first has the number from, adds the predictions to a scorer, and writes them.
func (e *evalFlags) predict(ctx context.Context, ev evaluator, scorer *prediction.Scorer, some []*example.Example, from int, lines io.Writer) error {
	list, err := ev.predict(ctx, some)
	if err != nil {
		return e.blame(ctx, ev, some, from, err)
	}
	var part bytes.Buffer
	for i := range list {
		list[i].ID, list[i].At = some[i].ID, some[i].At
		if err := prediction.Encode(&part, &list[i]); err != nil {
			return ofExample(some[i], from+i, fmt.Errorf("the prediction has NaN or Inf in it (%w): the weights may be damaged, see doctor", err))
		}
	}
	if _, err := lines.Write(part.Bytes()); err != nil {
		return faulty("", "%w", err)
	}
	// What is scored is what is written, so that the file of predictions has the same metrics.
	r := prediction.NewReader(&part)
	for i := range list {
		p, _, err := r.Next()
		if err == nil {
			err = scorer.Add(p)
		}
		if err != nil {
			return ofExample(some[i], from+i, err)
		}
	}
	return nil
}

// progress draws how many examples are done; all = 0 removes it.
func (e *evalFlags) progress(s *session, done, all int) {
	switch {
	case e.quiet || !s.ErrTerminal:
	case all == 0:
		fmt.Fprint(s.Err, eraseLine)
	default:
		cells := bar(float32(done) / float32(all))
		fmt.Fprintf(s.Err, "%s%3d %% |%s%s| %d of %d examples", eraseLine, 100*done/all, cells, strings.Repeat(" ", barCells-len([]rune(cells))), done, all)
	}
}

// blame returns the error about the first example that causes an error, by computing fewer and fewer of them.
func (e *evalFlags) blame(ctx context.Context, ev evaluator, some []*example.Example, from int, err error) error {
	for len(some) > 1 && ofRecord(err) {
		half := len(some) / 2
		if _, first := ev.predict(ctx, some[:half]); ofRecord(first) {
			some, err = some[:half], first
			continue
		}
		_, second := ev.predict(ctx, some[half:])
		if !ofRecord(second) { // only together they fail
			return err
		}
		some, from, err = some[half:], from+half, second
	}
	if !ofRecord(err) {
		return err
	}
	return ofExample(some[0], from, errors.New(recordText(err)))
}

// sum is a loss: the sum of its terms, and how many there are.
func sum(p *prediction.Prediction, loss, terms float64) {
	p.Loss = &loss
	if terms != 1 {
		p.Terms = &terms
	}
}

// cut notes how much of an example the model did not see.
func cut(p *prediction.Prediction, seen ...runtime.Seen) {
	for _, s := range seen {
		p.Truncated += s.Truncated
	}
}
