package runs

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/training"
	"github.com/debertac/debertac/runtime/trainprogram"
)

// joined joins paths or names for a message or a record.
func joined(list []string) string { return strings.Join(list, ", ") }

// args returns the flags of debertac train, for the command that repeats a run.
func (f *Flags) args() []string {
	var list []flags.Flag
	for _, d := range f.Data {
		list = append(list, flags.Value("--data", d))
	}
	for _, d := range f.Eval {
		list = append(list, flags.Value("--eval", d))
	}
	list = append(list, flags.Value("--train", f.Train), flags.Value("--target", f.Target), flags.Value("--init", f.Init),
		flags.Value("--tokenizer", f.Tokenizer), flags.Value("--format", f.Format))
	for _, role := range sorted(f.Field) {
		list = append(list, flags.Value("--field", role+"="+f.Field[role]))
	}
	list = append(list, flags.Switch("--characters", f.Characters), flags.Value("--dataset", f.Dataset), flags.Value("--split", f.Split),
		flags.Value("--scheme", f.Scheme), flags.Value("--want-scheme", f.WantScheme), flags.Switch("--repair-tags", f.RepairTags))
	for name, n := range map[string]int{"--word-column": f.WordColumn, "--tag-column": f.TagColumn} {
		if n != 0 {
			list = append(list, flags.Count(name, n))
		}
	}
	if f.Seed != nil {
		list = append(list, flags.Value("--seed", strconv.FormatUint(*f.Seed, 10)))
	}
	plain := defaults()
	if f.Long != plain.Long {
		list = append(list, flags.Value("--long", f.Long))
	}
	if f.Special != plain.Special {
		list = append(list, flags.Value("--special", f.Special))
	}
	for _, old := range sorted(f.MapLabel) {
		list = append(list, flags.Value("--map-label", old+"="+f.MapLabel[old]))
	}
	if f.HoldOut > 0 {
		list = append(list, flags.Value("--hold-out", strconv.FormatFloat(f.HoldOut, 'g', -1, 64)))
	}
	if f.AllowBad > 0 {
		list = append(list, flags.Value("--allow-bad", strconv.FormatFloat(f.AllowBad, 'g', -1, 64)))
	}
	return flags.Args(append(append(list, flags.OptionalCount("--max-tokens", f.MaxTokens)), f.child()...)...)
}

// start runs the program that trains, and answers it.
func (r *run) start() error {
	list := append(r.flags.child(), flags.Value("--data", r.data.Path), flags.Value("--run", r.folder.Dir), flags.Switch("--json", true),
		flags.Switch("--resume", r.call.Resume), flags.Switch("--ask", r.judge != nil))
	if r.judge != nil && r.flags.Metric == "" {
		list = append(list, flags.Value("--metric", usual[r.unit.Head.Task()]))
	} else {
		list = append(list, flags.Switch("--check-metric", r.judge != nil))
	}
	points, err := r.folder.Checkpoints()
	if err != nil {
		return err
	}
	if len(points) > 0 || r.folder.Run.Base == "" {
		list = append(list, flags.Switch("--scratch", true)) // a checkpoint has all tensors
	} else {
		list = append(list, flags.Value("--weights", r.folder.Run.Base))
	}
	p := &built.Program{Binary: r.binary, Unit: r.unit}
	cmd := p.Command(r.Maker, "train", flags.Args(list...))
	cmd.WaitDelay = grace
	cmd.Stderr = r.Err
	in, err := cmd.StdinPipe()
	if err != nil {
		return fault.Ours(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fault.Ours(err)
	}
	defer interrupt.Hold()()
	if err := cmd.Start(); err != nil {
		return err
	}
	w := &watch{run: r, replies: in, begin: time.Now()}
	watching := w.read(out)
	w.clear()
	in.Close() // the program reads no more replies
	if err := r.ChildFault(cmd.Wait()); err != nil {
		if !r.call.Resume && w.step == 0 {
			return errors.Join(err, r.folder.Abandon())
		}
		if r.Context.Err() != nil && w.step > 0 {
			r.Note("stopped after step %d; debertac train %s --resume goes on", w.step, wording.Quoted(r.folder.Dir))
		}
		return err
	}
	if watching != nil {
		return fault.Ours(watching)
	}
	return w.ended()
}

// grace is how long the program that trains may take to write its last checkpoint after a signal.
const grace = 10 * time.Minute

// watch shows what the program that trains reports.
type watch struct {
	*run
	replies io.Writer
	begin   time.Time
	first   int // step at which this process began
	step    int
	shown   time.Time
	width   int // of the line that is shown on the terminal
	loss    float64
	text    string // why the run has stopped before its last step
}

// read reads the events until the program ends. Evaluations that it asks for are computed here.
func (w *watch) read(out io.Reader) error {
	b := bufio.NewReader(out)
	for {
		line, err := b.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var e training.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("the program that trains wrote %q: %w", strings.TrimSpace(string(line)), err)
		}
		if e.Kind == trainprogram.EventEvaluate || e.Kind == trainprogram.EventNames {
			if err := w.evaluate(&e); err != nil {
				return err
			}
			continue
		}
		w.step = e.Step
		if w.call.JSON {
			if _, err := w.Out.Write(line); err != nil {
				return err
			}
			continue
		}
		w.show(&e)
	}
}

// evaluate computes the metrics of a model, or finds out their names, and replies.
func (w *watch) evaluate(e *training.Event) error {
	w.clear()
	compute, what := w.judge.metrics, "evaluating"
	if e.Kind == trainprogram.EventNames {
		compute, what = w.judge.names, "checking the metrics"
	}
	stop := w.Progress(what)
	reply, err := compute(e.Path)
	stop()
	if note := w.judge.note; note != "" && !w.judge.told {
		w.judge.told = true
		w.Note("%s", note)
	}
	if err != nil {
		reply = &trainprogram.Reply{Error: cmp.Or(err.Error(), "it ended with an error")}
	}
	text, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	_, err = w.replies.Write(append(text, '\n'))
	if w.Context.Err() != nil {
		return nil // the program has been stopped too
	}
	return err
}

// show shows an event to people.
func (w *watch) show(e *training.Event) {
	switch e.Kind {
	case training.EventBegin:
		w.first, w.begin = e.Step, time.Now()
		text := fmt.Sprintf("%s of %s in %s", wording.Counted(max(0, w.last(e.Steps)-e.Step), "step", "steps"), w.folder.Run.Training, w.folder.Dir)
		if e.Step > 0 {
			text += fmt.Sprintf(", after %d that are done", e.Step)
		} else if w.call.Resume {
			text += ", from the beginning, because there is no checkpoint"
		}
		w.Note("%s", text)
		w.lacked(e)
	case training.EventStep:
		w.loss = e.Values["loss"]
		w.progress(e)
	case training.EventEvaluation:
		w.clear()
		w.Note("step %d: %s", e.Step, numbers(e.Values))
	case training.EventEnd:
		w.text = e.Text
	}
}

// lacked tells what the weights in which a run begins do not have.
func (w *watch) lacked(e *training.Event) {
	if w.folder.Run.Base == "" || e.Step > 0 {
		return
	}
	if n := len(e.Drawn); n > 0 {
		w.Note("%s drawn, because the weights lack %s: %s", wording.Counted(n, "tensor is", "tensors are"), map[bool]string{true: "it", false: "them"}[n == 1],
			joined(modules(e.Drawn)))
	}
	if e.Rows > 0 {
		w.Note("%s of the token table: the weights lack %s, and the mean of the others stands there", wording.Counted(e.Rows, "row", "rows"),
			map[bool]string{true: "it", false: "them"}[e.Rows == 1])
	}
}

// modules returns the modules that tensors belong to, each once: their names without the last word, and without numbers of layers at the end.
func modules(tensors []string) (list []string) {
	for _, name := range tensors {
		words := strings.Split(name, ".")
		for end := false; len(words) > 1 && !end; {
			words = words[:len(words)-1]
			_, err := strconv.Atoi(words[len(words)-1])
			end = err != nil
		}
		if name = strings.Join(words, "."); !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// last returns the step after which the run stops.
func (w *watch) last(steps int) int {
	if w.flags.MaxSteps != nil {
		return min(steps, *w.flags.MaxSteps)
	}
	return steps
}

// numbers returns metrics as text.
func numbers(values map[string]float64) string {
	var list []string
	for _, name := range sorted(values) {
		list = append(list, fmt.Sprintf("%s %.4g", strings.TrimPrefix(name, runfolder.EvalPrefix), values[name]))
	}
	return joined(list)
}

// progress shows a step: on a terminal in one line that changes, elsewhere in a new line now and then.
func (w *watch) progress(e *training.Event) {
	every := 15 * time.Second
	if w.Terminal {
		every = 200 * time.Millisecond
	}
	steps := w.last(e.Steps)
	if time.Since(w.shown) < every && e.Step != steps {
		return
	}
	w.shown = time.Now()
	done := e.Step - w.first
	left := time.Duration(float64(time.Since(w.begin)) / float64(max(done, 1)) * float64(steps-e.Step)).Round(time.Second)
	line := fmt.Sprintf("step %d of %d, epoch %.2f: loss %.4f, rate %.3g, %.0f tokens/s, %v left", e.Step, steps, e.Epoch, w.loss, e.Values["rate"],
		e.Values["tokens_per_s"], left)
	if !w.Terminal {
		w.Note("%s", line)
		return
	}
	const cells = 20
	full := cells * e.Step / max(steps, 1)
	line = "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "] " + line
	fmt.Fprintf(w.Err, "\r%s%s", line, strings.Repeat(" ", max(0, w.width-len(line))))
	w.width = len(line)
}

// clear removes the line of the progress.
func (w *watch) clear() {
	if w.width > 0 {
		fmt.Fprintf(w.Err, "\r%s\r", strings.Repeat(" ", w.width))
		w.width = 0
	}
}

// ended tells what the run has left.
func (w *watch) ended() error {
	if w.call.JSON {
		return nil
	}
	best, err := w.folder.Best()
	if err != nil {
		return err
	}
	if w.step == w.first {
		w.Note("%s has nothing left to do: %s are done", w.folder.Dir, wording.Counted(w.step, "step", "steps"))
		if w.text != "" {
			w.Note("%s", w.text)
			return nil
		}
		if w.step < w.folder.Run.Steps && w.flags.MaxSteps != nil {
			w.Note("it was told to stop there: --max-steps %d goes on to the end of the training", w.folder.Run.Steps)
		}
		return nil
	}
	text := fmt.Sprintf("%s in %v, loss %.4f", wording.Counted(w.step-w.first, "step", "steps"), time.Since(w.begin).Round(100*time.Millisecond), w.loss)
	if best != nil {
		text += fmt.Sprintf("; best %s %.4g after step %d", best.Metric, best.Value, best.Step)
	}
	w.Note("%s", text)
	if w.text != "" {
		w.Note("it stopped before step %d: %s", w.last(w.folder.Run.Steps), w.text)
	}
	if w.judge != nil && best == nil {
		every := w.folder.Run.StepsPerEpoch
		if n := w.flags.EvalEvery; n != nil {
			every = *n
		}
		w.Note("note: nothing was evaluated, because the first evaluation follows step %d; --eval-every N sets another number of steps", every)
	}
	w.Note("debertac export %s -o DIR writes the model", wording.Quoted(w.folder.Dir))
	return nil
}

// sorted returns the keys of a map in their order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
