package program

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/debertac/debertac/runtime"
)

// runFlags is the verb run.
type runFlags struct {
	openFlags
	input, format, special, long string
	maxTokens, batchTokens, top  int
	examples                     int
	asJSON, quiet, accuracy      bool
	minAccuracy                  float64
}

func newRun(fs *flag.FlagSet) action {
	var r runFlags
	r.register(fs)
	r.registerHead(fs)
	fs.StringVar(&r.input, "input", "", "read texts from a `FILE`: JSONL with \"text\" and for pairs \"pair\", CSV with such columns, or .txt, a text a line; .gz too; - is standard input")
	fs.StringVar(&r.format, "format", "", "the `FORMAT` of --input: jsonl, csv or lines, if its name does not tell")
	fs.BoolVar(&r.asJSON, "json", false, "print a JSON object a text, in input order: label index score scores logits tokens truncated")
	fs.StringVar(&r.special, "special", "text", "whether special tokens written in a text, such as [SEP], are `text|tokens`")
	fs.StringVar(&r.long, "long", "reject", "what becomes of a text that is too long: `reject|truncate|windows[:STRIDE]`")
	fs.IntVar(&r.maxTokens, "max-tokens", 0, "the model sees at most `N` tokens of a text, [CLS] and [SEP] included; 0: the model's own limit")
	fs.IntVar(&r.batchTokens, "batch-tokens", 0, "compute up to `N` tokens together; changes speed and memory only; 0: a good default")
	fs.IntVar(&r.top, "top", 5, "print the `N` best labels of a text")
	fs.IntVar(&r.examples, "examples", -1, "print the results of the first `N` texts only; summary and accuracy count all; -1: print all")
	fs.BoolVar(&r.accuracy, "accuracy", false, "compare with the \"label\" (name or number) of every line and print the share that is right")
	fs.Float64Var(&r.minAccuracy, "min-accuracy", 0, "with --accuracy: exit with code 3 if fewer than `PERCENT` are right")
	fs.BoolVar(&r.quiet, "quiet", false, "no progress bar, no summary")
	return r.run
}

// options turns the flags into options; faults are usage errors.
func (r *runFlags) options(s *session) ([]runtime.Option, error) {
	long, err := runtime.ParseLong(r.long)
	if err != nil {
		return nil, usage("--long: %v", err)
	}
	opts := []runtime.Option{runtime.Long(long)}
	switch r.special {
	case "text":
	case "tokens":
		opts = append(opts, runtime.Special(runtime.SpecialAsTokens))
	default:
		return nil, usage("--special %s: it must be text or tokens", r.special)
	}
	for _, f := range []struct {
		name string
		n    int
		opt  func(int) runtime.Option
	}{{"max-tokens", r.maxTokens, runtime.MaxTokens}, {"batch-tokens", r.batchTokens, runtime.BatchTokens}} {
		if f.n < 0 {
			return nil, usage("--%s %d: it must not be negative", f.name, f.n)
		}
		if f.n > 0 {
			opts = append(opts, f.opt(f.n))
		}
	}
	switch {
	case r.top < 1:
		return nil, usage("--top %d: it must be at least 1", r.top)
	case r.examples < -1:
		return nil, usage("--examples %d: it must not be negative", r.examples)
	case r.minAccuracy != 0 && !r.accuracy:
		return nil, usage("--min-accuracy needs --accuracy")
	case r.minAccuracy < 0 || r.minAccuracy > 100 || math.IsNaN(r.minAccuracy):
		return nil, usage("--min-accuracy %v: it must be a percentage", r.minAccuracy)
	case !slices.Contains([]string{"", formatJSONL, formatCSV, formatLines}, r.format):
		return nil, usage("--format %s: it must be jsonl, csv or lines", r.format)
	case r.format != "" && r.input == "":
		return nil, usage("--format belongs to --input")
	}
	return opts, nil
}

// source chooses where the texts come from.
func (r *runFlags) source(s *session, args []string) (*input, error) {
	switch {
	case r.input != "" && len(args) > 0:
		return nil, usage("texts come from --input or from the arguments, not both: %q", shorten(args[0], 40))
	case r.input != "":
		return openInput(r.input, r.format, s.In)
	case len(args) > 0:
		return &input{source: &arguments{texts: args}, size: -1, close: func() error { return nil }}, nil
	}
	return openInput("-", formatLines, s.In)
}

func (r *runFlags) run(ctx context.Context, s *session, args []string) error {
	opts, err := r.options(s)
	if err != nil {
		return err
	}
	in, err := await(ctx, func() (*input, error) { return r.source(s, args) })
	if err != nil {
		return err
	}
	defer in.close() // read only
	core, _, err := r.openFlags.open(s, opts...)
	if err != nil {
		return err
	}
	defer core.Close()
	head, err := core.HeadIndex(r.head)
	if err != nil {
		return usage("--head: %v", err)
	}
	k, err := runtime.NewClassifier(core, r.head)
	if err != nil {
		return err
	}
	job := &labelling{
		runFlags: r, session: s, classifier: k, labels: k.Labels(), head: &core.Program().Heads[head], out: bufio.NewWriterSize(s.Out, 1<<16),
		progress: newProgress(s, in, r.quiet, r.examples >= 0), chunk: 4 * leastChunk,
	}
	job.shower = newShower(job.out, job.labels, r.top)
	// The goroutine that reads ends with this context, or when its read returns.
	reading, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	err = job.all(ctx, fill(reading, in))
	job.progress.finish()
	if ferr := job.out.Flush(); err == nil {
		err = ferr
	}
	if err == nil || job.texts > 0 {
		job.summary(core, time.Since(start))
	}
	if err == nil && r.accuracy {
		err = job.judge()
	}
	return err
}

// labelling is the work of run on one input.
type labelling struct {
	*runFlags
	*session
	classifier *runtime.Classifier
	labels     []string
	head       *runtime.Head
	out        *bufio.Writer
	shower     *shower
	progress   *progress

	results []runtime.Classification // reused
	chunk   int                      // records given to the model together
	texts   int
	tokens  int
	cut     int
	right   int
}

// all classifies what the queue gives, in order. Results of texts before a fault are printed.
func (l *labelling) all(ctx context.Context, q *queue) error {
	var records []record
	for {
		var err error
		if records, err = q.take(records); err != nil || records == nil {
			return err
		}
		for rest := records; len(rest) > 0; {
			n := 1
			for n < min(len(rest), l.chunk) && rest[n].text.Pair == rest[0].text.Pair {
				n++
			}
			begin := time.Now()
			if err := l.some(ctx, rest[:n]); err != nil {
				return err
			}
			l.adapt(n, time.Since(begin))
			if l.out.Buffered() > 0 && l.OutTerminal {
				l.progress.finish() // what is printed starts a line of its own
			}
			if err := l.out.Flush(); err != nil {
				return err
			}
			l.progress.update(l.texts, rest[n-1].read)
			rest = rest[n:]
		}
	}
}

// Results should come a few times a second, and the model should get as many texts at once as that allows.
const (
	leastChunk = 8
	shortChunk = 100 * time.Millisecond
	longChunk  = 400 * time.Millisecond
)

// adapt chooses the next chunk's size by how long n records took.
func (l *labelling) adapt(n int, took time.Duration) {
	switch {
	case took < shortChunk && n == l.chunk:
		l.chunk = min(2*l.chunk, queueRecords)
	case took > longChunk:
		l.chunk = max(l.chunk/2, leastChunk)
	}
}

// some classifies records of one kind, singles or pairs.
func (l *labelling) some(ctx context.Context, records []record) error {
	for len(l.results) < len(records) {
		l.results = append(l.results, runtime.Classification{})
	}
	err := l.classify(ctx, l.results[:len(records)], records)
	switch {
	case err == nil:
		for i := range records {
			if err := l.emit(&records[i], &l.results[i]); err != nil {
				return err
			}
		}
		return nil
	case len(records) > 1 && errors.Is(err, runtime.ErrInput):
		// One of them is at fault. The others' results do not depend on it.
		for i := range records {
			if err := l.some(ctx, records[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	case errors.Is(err, runtime.ErrInput):
		text := strings.TrimPrefix(err.Error(), "text 0: ")
		if errors.Is(err, runtime.ErrTooLong) {
			text, _, _ = strings.Cut(text, " (")
			text += ": cut it with --long truncate or --long windows:STRIDE"
		}
		return &inputError{records[0].where(), text, err}
	}
	return err
}

func (l *labelling) classify(ctx context.Context, dst []runtime.Classification, records []record) error {
	if records[0].text.Pair {
		pairs := make([][2]string, len(records))
		for i, r := range records {
			pairs[i] = [2]string{r.text.First, r.text.Second}
		}
		return l.classifier.ClassifyPairsInto(ctx, dst, pairs)
	}
	texts := make([]string, len(records))
	for i, r := range records {
		texts[i] = r.text.First
	}
	return l.classifier.ClassifyInto(ctx, dst, texts)
}

// measure is the JSON of a head that gives one number and no labels: regression, reward, ranking.
type measure struct {
	Score     float32 `json:"score"`
	Tokens    int     `json:"tokens"`
	Truncated int     `json:"truncated"`
}

// regression reports whether the head gives one plain number.
func (l *labelling) regression() bool {
	return l.head.C == 1 && !l.head.Independent && len(l.head.Labels) == 0
}

// emit prints one result and counts it.
func (l *labelling) emit(r *record, c *runtime.Classification) error {
	for _, v := range c.Logits {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return faulty(r.where(), "the result is %v: the weights may be damaged, see doctor", v)
		}
	}
	if l.accuracy {
		want, err := l.expected(r)
		if err != nil {
			return err
		}
		if want == c.Index {
			l.right++
		}
	}
	l.texts++
	l.tokens += c.Tokens
	if c.Truncated > 0 {
		l.cut++
	}
	if l.examples >= 0 && l.texts > l.examples {
		return nil
	}
	switch {
	case l.regression() && l.asJSON:
		return printJSON(l.out, measure{c.Logits[0], c.Tokens, c.Truncated})
	case l.regression():
		_, err := fmt.Fprintf(l.out, "%10.4f  %s\n", c.Logits[0], printable(shorten(r.text.First, excerptSize)))
		return err
	case l.asJSON:
		return printJSON(l.out, c)
	}
	l.shower.show(r, c)
	return nil
}

// expected is the number of the label that the input gives. A name wins over a number.
func (l *labelling) expected(r *record) (int, error) {
	if !r.hasLabel {
		return 0, faulty(r.where(), "no \"label\" to compare with, which --accuracy needs")
	}
	if i := slices.Index(l.labels, r.label); i >= 0 {
		return i, nil
	}
	if i, err := strconv.Atoi(r.label); err == nil && i >= 0 && i < len(l.labels) {
		return i, nil
	}
	return 0, faulty(r.where(), "the model has no label %q (it has: %s)", shorten(r.label, 40), shorten(strings.Join(l.labels, ", "), 200))
}

// summary says on standard error how fast it went and what was cut.
func (l *labelling) summary(core *runtime.Core, took time.Duration) {
	if l.quiet {
		return
	}
	isa := ""
	threads := core.Options().Threads
	if rep, err := core.Report(); err == nil {
		isa = rep.ISA
	}
	sec := math.Max(took.Seconds(), 1e-9)
	cut := "none was cut"
	if l.cut > 0 {
		cut = fmt.Sprintf("%d of them cut at %d tokens", l.cut, core.Options().MaxTokens)
	}
	fmt.Fprintf(l.Err, "%s, %s in %s: %.1f texts/s, %.0f tokens/s on %s with %s; %s\n",
		plural(l.texts, "text"), plural(l.tokens, "token"), seconds(took), float64(l.texts)/sec, float64(l.tokens)/sec, isa, plural(threads, "thread"), cut)
}

// seconds is a time with three digits.
func seconds(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.3g ms", ms(d))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// judge prints the accuracy on standard error, where the other figures are, and holds it to the minimum.
func (l *labelling) judge() error {
	if l.texts == 0 {
		return faulty("", "the input has no texts to compute an accuracy of")
	}
	share := 100 * float64(l.right) / float64(l.texts)
	fmt.Fprintf(l.Err, "accuracy %.2f %% (%d of %d)\n", share, l.right, l.texts)
	if share < l.minAccuracy {
		return &checkError{fmt.Sprintf("the accuracy of %.2f %% is below %v %%", share, l.minAccuracy)}
	}
	return nil
}
