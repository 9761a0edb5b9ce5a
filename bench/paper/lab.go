package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/metrics"
)

// lab trains and evaluates models.
type lab struct {
	program  string // debertac
	dir      string // of specs, data and runs
	spam     string // the folder of the spam example, with its mails
	pictures string // the folder that pictures are written into; "": none
	short    bool
	seeds    int // per cell; 0: as the table has them
	jobs     int // trainings at the same time
	log      io.Writer

	mu   sync.Mutex
	done map[string]measured
}

// measured are the metrics of an evaluation, by name.
type measured map[string]float64

// data are examples to train on and to evaluate on, with the tokens that they consist of.
type data struct {
	name        string
	tokens      []string // besides the special tokens
	length      int      // of a sequence, in tokens with the special ones, where a training does not decide it itself
	train, test []example.Example
	before      []example.Example            // to pre-train on
	more        map[string][]example.Example // further sets to evaluate on, by name
}

// sets returns all sets of examples by the names of their files.
func (d *data) sets() map[string][]example.Example {
	sets := map[string][]example.Example{"train": d.train, "test": d.test}
	if d.before != nil {
		sets["before"] = d.before
	}
	for name, set := range d.more {
		sets[name] = set
	}
	return sets
}

// special are the special tokens of each vocabulary.
var special = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

// vocabulary returns the size of the vocabulary.
func (d *data) vocabulary() int { return len(special) + len(d.tokens) }

// list returns the vocabulary, one token per line.
func (d *data) list() string {
	return strings.Join(append(append([]string{}, special...), d.tokens...), "\n") + "\n"
}

// job is one training of a spec, and the evaluation of its model.
type job struct {
	spec     string // its text; the training that is evaluated is t
	head     string // of t, as model.head
	before   string // a training of the spec that comes before t, on the data's own set for it; "": none
	data     *data
	seed     int
	evaluate []string // flags of debertac eval
	every    int      // steps between evaluations of the training; 0: it is not evaluated
}

// key returns what decides the result of a job. Two jobs with one key end with the same bits, so one of them is run.
func (j *job) key() string {
	text := fmt.Sprintf("%s\n%s\n%s\n%s\n%d\n%q\n%d", j.spec, j.head, j.before, j.data.name, j.seed, j.evaluate, j.every)
	return fmt.Sprintf("%.8x", sha256.Sum256([]byte(text)))
}

// run runs jobs, some at the same time. The result of each is then in result.
func (l *lab) run(ctx context.Context, jobs []*job) error {
	if l.done == nil {
		l.done = map[string]measured{}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan *job)
	faults := make([]error, l.jobs)
	var wait sync.WaitGroup
	for i := range l.jobs {
		wait.Go(func() {
			for j := range queue {
				if faults[i] == nil {
					if faults[i] = l.one(ctx, j); faults[i] != nil {
						cancel()
					}
				}
			}
		})
	}
	began := map[string]bool{}
	for _, j := range jobs {
		if key := j.key(); !began[key] && l.done[key] == nil {
			began[key] = true
			if err := l.write(j.data); err != nil {
				faults[0] = err
				break
			}
			queue <- j
		}
	}
	close(queue)
	wait.Wait()
	return errors.Join(faults...)
}

// result returns the metrics of a job that has been run.
func (l *lab) result(j *job) measured { return l.done[j.key()] }

// one trains and evaluates one model, unless the folder has its metrics from before. Metrics of the data's further sets have the name of the set before their
// own, as in long/accuracy.
func (l *lab) one(ctx context.Context, j *job) error {
	p := l.place(j)
	m, err := p.measured()
	if m == nil && err == nil {
		m, err = l.make(ctx, p, j)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[j.key()] = m
	fmt.Fprintf(l.log, "%s: seed %d, accuracy %.4f, loss %.4f\n", j.data.name, j.seed, m["accuracy"], m["loss"])
	return nil
}

// make trains and evaluates one model, and writes its metrics.
func (l *lab) make(ctx context.Context, p *place, j *job) (measured, error) {
	for _, ending := range []string{".before", ".model", ".run"} { // of a command that was stopped
		if err := os.RemoveAll(p.of(ending)); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(p.of(".dspec"), []byte(j.spec), 0o666); err != nil {
		return nil, err
	}
	var init []string // flags of t
	if j.before != "" {
		if err := l.train(ctx, p, j, j.before, "before", p.of(".before")); err != nil {
			return nil, err
		}
		if _, err := l.call(ctx, "export", p.of(".before"), "-o", p.of(".model")); err != nil {
			return nil, err
		}
		init = []string{"--init", p.of(".model")}
	}
	if j.every > 0 {
		init = append(init, "--eval", p.set("test"), "--eval-every", strconv.Itoa(j.every))
	}
	if err := l.train(ctx, p, j, "t", "train", p.of(".run"), init...); err != nil {
		return nil, err
	}
	weights, err := p.checkpoint()
	if err != nil {
		return nil, err
	}
	m := measured{}
	if err := l.measure(ctx, p, j, weights, m); err != nil {
		return nil, err
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return m, os.WriteFile(p.of(".json"), b, 0o666)
}

// place has the paths of a job's files.
type place struct {
	base string // without the ending
	data string // the folder of the data
}

// place returns the paths of a job's files.
func (l *lab) place(j *job) *place {
	return &place{base: filepath.Join(l.dir, j.key()), data: filepath.Join(l.dir, j.data.name)}
}

func (p *place) of(ending string) string { return p.base + ending }

func (p *place) vocabulary() string { return filepath.Join(p.data, "vocab.txt") }

func (p *place) set(name string) string { return filepath.Join(p.data, name+".jsonl") }

// measured returns the metrics that a job has written; nil if it has not ended.
func (p *place) measured() (measured, error) {
	b, err := os.ReadFile(p.of(".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := measured{}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", p.of(".json"), err)
	}
	return m, nil
}

// checkpoint returns the last checkpoint of the job's run.
func (p *place) checkpoint() (string, error) {
	found, err := filepath.Glob(filepath.Join(p.of(".run"), "checkpoints", "*.safetensors"))
	if err != nil || len(found) == 0 {
		return "", errors.Join(err, fmt.Errorf("%s has no checkpoint", p.of(".run")))
	}
	sort.Strings(found)
	return found[len(found)-1], nil
}

// train trains a training of a job's spec.
func (l *lab) train(ctx context.Context, p *place, j *job, training, set, run string, more ...string) error {
	_, err := l.call(ctx, append([]string{"train", p.of(".dspec"), "--train", training, "--tokenizer", p.vocabulary(), "--data", p.set(set),
		"--seed", strconv.Itoa(j.seed), "--threads", "1", "--log-every", "20", "-o", run}, more...)...)
	return err
}

// measure packs weights and evaluates the model on all sets.
func (l *lab) measure(ctx context.Context, p *place, j *job, weights string, m measured) error {
	if _, err := l.call(ctx, "pack", weights, "--spec", p.of(".dspec"), "--head", j.head, "--tokenizer", p.vocabulary(), "-o", p.of(".weights")); err != nil {
		return err
	}
	if err := l.evaluate(ctx, p, j, "test", "", m); err != nil {
		return err
	}
	for name := range j.data.more {
		if err := l.evaluate(ctx, p, j, name, name+"/", m); err != nil {
			return err
		}
	}
	return nil
}

// evaluate adds the metrics of a job's model on a set.
func (l *lab) evaluate(ctx context.Context, p *place, j *job, set, prefix string, m measured) error {
	args := append([]string{"eval", p.of(".dspec"), "--weights", p.of(".weights"), "--head", j.head, "--data", p.set(set), "--json", "--resamples", "0",
		"--quiet", "--threads", "1"}, j.evaluate...)
	out, err := l.call(ctx, args...)
	if err != nil {
		return err
	}
	var all map[string]any
	if err := json.Unmarshal(out, &all); err != nil {
		return fmt.Errorf("debertac eval printed %q: %w", out, err)
	}
	for name, v := range all {
		if x, ok := v.(float64); ok {
			m[prefix+name] = x
		}
	}
	return nil
}

// explained is a line of `debertac explain --json`.
type explained struct {
	Model, Head, Training string
	Tokens                int
	GFLOP                 float64
}

// operations returns the billions of operations of what a line of the explanation of a spec is about, for the line that is wanted.
func (l *lab) operations(ctx context.Context, text string, wanted func(e *explained) bool) (float64, error) {
	path := filepath.Join(l.dir, "explained.dspec")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		return 0, err
	}
	out, err := l.call(ctx, "explain", path, "--json")
	if err != nil {
		return 0, err
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var line explained
		if err := d.Decode(&line); err != nil {
			return 0, fmt.Errorf("debertac explain printed %q: %w", out, err)
		}
		if wanted(&line) {
			return line.GFLOP, nil
		}
	}
	return 0, fmt.Errorf("debertac explain printed %q, without the line that is wanted", out)
}

// perStep returns the billions of operations of one step of a training.
func (l *lab) perStep(ctx context.Context, text, training string) (float64, error) {
	return l.operations(ctx, text, func(e *explained) bool { return e.Training == training })
}

// write writes data and their vocabulary once.
func (l *lab) write(d *data) error {
	dir := filepath.Join(l.dir, d.name)
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	faults := []error{os.WriteFile(filepath.Join(dir, "vocab.txt"), []byte(d.list()), 0o666)}
	for name, all := range d.sets() {
		var b bytes.Buffer
		for i := range all {
			faults = append(faults, example.Encode(&b, &all[i]))
		}
		faults = append(faults, os.WriteFile(filepath.Join(dir, name+".jsonl"), b.Bytes(), 0o666))
	}
	return errors.Join(faults...)
}

// call runs debertac, and returns what it prints. The error holds its messages.
func (l *lab) call(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, l.program, args...)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, messages.Bytes())
	}
	return out.Bytes(), nil
}

// times returns the number of seeds: that of the flag, 1 in the short form, or a table's own.
func (l *lab) times(own int) int {
	switch {
	case l.seeds > 0:
		return l.seeds
	case l.short:
		return 1
	}
	return own
}

// over returns a metric of jobs that differ in the seed.
func (l *lab) over(jobs []*job, metric string) []float64 {
	var list []float64
	for _, j := range jobs {
		list = append(list, l.result(j)[metric])
	}
	return list
}

// percent returns the mean of shares as text, with the smallest and the largest one if they differ.
func percent(list []float64) string {
	low, high := list[0], list[0]
	for _, v := range list {
		low, high = min(low, v), max(high, v)
	}
	text := fmt.Sprintf("%.1f", 100*metrics.Mean(list))
	if spread := fmt.Sprintf(" (%.1f to %.1f)", 100*low, 100*high); low != high {
		text += spread
	}
	return text
}
