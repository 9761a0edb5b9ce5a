package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	program string // debertac
	dir     string // of specs, data and runs
	short   bool
	seeds   int // per cell; 0: as the table has them
	jobs    int // trainings at the same time
	log     io.Writer

	mu   sync.Mutex
	done map[string]measured
}

// measured are the metrics of an evaluation, by name.
type measured map[string]float64

// data are examples to train on and to evaluate on, with the tokens that they consist of.
type data struct {
	name        string
	tokens      []string // besides the special tokens
	train, test []example.Example
}

// special are the special tokens of each vocabulary.
var special = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

// vocabulary returns the size of the vocabulary.
func (d *data) vocabulary() int { return len(special) + len(d.tokens) }

// job is one training of a spec, and the evaluation of its model.
type job struct {
	spec     string // its text; the training is t, and the head model.head
	head     string
	data     *data
	seed     int
	evaluate []string // flags of debertac eval
}

// key returns what decides the result of a job. Two jobs with one key end with the same bits, so one of them is run.
func (j *job) key() string {
	text := fmt.Sprintf("%s\n%s\n%s\n%d\n%q", j.spec, j.head, j.data.name, j.seed, j.evaluate)
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

// one trains and evaluates one model.
func (l *lab) one(ctx context.Context, j *job) error {
	name := j.key()
	path := func(suffix string) string { return filepath.Join(l.dir, name+suffix) }
	folder := filepath.Join(l.dir, j.data.name)
	vocabulary := filepath.Join(folder, "vocab.txt")
	if err := os.WriteFile(path(".dspec"), []byte(j.spec), 0o666); err != nil {
		return err
	}
	if _, err := l.call(ctx, "train", path(".dspec"), "--train", "t", "--tokenizer", vocabulary, "--data", filepath.Join(folder, "train.jsonl"),
		"--seed", strconv.Itoa(j.seed), "--threads", "1", "--log-every", "20", "-o", path(".run")); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(path(".run"), "checkpoints", "*.safetensors"))
	if err != nil || len(found) == 0 {
		return errors.Join(err, fmt.Errorf("%s has no checkpoint", path(".run")))
	}
	sort.Strings(found)
	if _, err := l.call(ctx, "pack", found[len(found)-1], "--spec", path(".dspec"), "--head", j.head, "--tokenizer", vocabulary,
		"-o", path(".weights")); err != nil {
		return err
	}
	m, err := l.evaluate(ctx, j, filepath.Join(folder, "test.jsonl"), path)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[name] = m
	fmt.Fprintf(l.log, "%s: seed %d, accuracy %.4f, loss %.4f\n", j.data.name, j.seed, m["accuracy"], m["loss"])
	return nil
}

// evaluate computes the metrics of a job's model.
func (l *lab) evaluate(ctx context.Context, j *job, test string, path func(suffix string) string) (measured, error) {
	args := append([]string{"eval", path(".dspec"), "--weights", path(".weights"), "--head", j.head, "--data", test, "--json", "--resamples", "0", "--quiet",
		"--threads", "1"}, j.evaluate...)
	out, err := l.call(ctx, args...)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("debertac eval printed %q: %w", out, err)
	}
	m := measured{}
	for name, v := range all {
		if x, ok := v.(float64); ok {
			m[name] = x
		}
	}
	return m, nil
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
	list := strings.Join(append(append([]string{}, special...), d.tokens...), "\n") + "\n"
	faults := []error{os.WriteFile(filepath.Join(dir, "vocab.txt"), []byte(list), 0o666)}
	for name, all := range map[string][]example.Example{"train.jsonl": d.train, "test.jsonl": d.test} {
		var b bytes.Buffer
		for i := range all {
			faults = append(faults, example.Encode(&b, &all[i]))
		}
		faults = append(faults, os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666))
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
