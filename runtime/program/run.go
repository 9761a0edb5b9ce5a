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
	taskFlags
	input, format, special, long, join string
	maxTokens, batchTokens             int
	examples                           int
	asJSON, quiet                      bool
}

func newRun(fs *flag.FlagSet) action {
	var r runFlags
	r.openFlags.register(fs)
	r.registerHead(fs)
	fs.StringVar(&r.input, "input", "", "read texts from a `FILE`: JSONL with \"text\" and for pairs \"pair\", CSV with such columns, or .txt, a text a line; .gz too; - is standard input. For questions: \"question\", \"context\", \"options\"")
	fs.StringVar(&r.format, "format", "", "the `FORMAT` of --input: jsonl, csv or lines, if its name does not tell")
	fs.BoolVar(&r.asJSON, "json", false, "print a JSON object a text, in input order, such as label index score scores logits tokens truncated; the fields are those of the head's task")
	fs.StringVar(&r.special, "special", "text", "whether special tokens written in a text, such as [SEP], are `text|tokens`")
	fs.StringVar(&r.long, "long", "reject", "what becomes of a text that is too long: `reject|truncate|windows[:STRIDE]`")
	fs.StringVar(&r.join, "join", "mean", "with --long windows: how the windows of a text give one result: `mean|max`, for labels, scores and ranking")
	fs.IntVar(&r.maxTokens, "max-tokens", 0, "the model sees at most `N` tokens of a text, [CLS] and [SEP] included; 0: the model's own limit")
	fs.IntVar(&r.batchTokens, "batch-tokens", 0, "compute up to `N` tokens together; changes speed and memory only; 0: a good default")
	fs.IntVar(&r.examples, "examples", -1, "print the results of the first `N` texts only; summary and accuracy count all; -1: print all")
	fs.BoolVar(&r.quiet, "quiet", false, "no progress bar, no summary")
	r.taskFlags.register(fs)
	return func(ctx context.Context, s *session, args []string) error {
		r.given = map[string]bool{}
		fs.Visit(func(f *flag.Flag) { r.given[f.Name] = true })
		return r.run(ctx, s, args)
	}
}

// options turns the flags into options; faults are usage errors.
func (r *runFlags) options() ([]runtime.Option, error) {
	long, err := runtime.ParseLong(r.long)
	if err != nil {
		return nil, usage("--long: %v", err)
	}
	opts := []runtime.Option{runtime.Long(long)}
	switch r.join {
	case "mean":
	case "max":
		opts = append(opts, runtime.JoinWindows(runtime.JoinMax))
	default:
		return nil, usage("--join %s: it must be mean or max", r.join)
	}
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
	case r.examples < -1:
		return nil, usage("--examples %d: it must not be negative", r.examples)
	case !slices.Contains([]string{"", formatJSONL, formatCSV, formatLines}, r.format):
		return nil, usage("--format %s: it must be jsonl, csv or lines", r.format)
	case r.format != "" && r.input == "":
		return nil, usage("--format belongs to --input")
	case r.given["join"] && !strings.HasPrefix(r.long, "windows"):
		return nil, usage("--join needs --long windows:STRIDE: without windows there is nothing to join")
	case r.given["examples"] && r.given["query"]:
		return nil, usage("--examples counts texts as they come; the best of those that --query orders are counted by --top")
	}
	return opts, nil
}

// source chooses where the texts come from.
func (r *runFlags) source(s *session, args []string) (*input, error) {
	switch {
	case r.given["context"] && r.given["question"]:
		if r.input != "" || len(args) > 0 {
			return nil, usage("--question and --context are a whole question: further texts have no part in it; give only one of the two, and the other in the texts")
		}
		return &input{source: &arguments{texts: []string{r.question}}, size: -1, close: func() error { return nil }}, nil
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
	opts, err := r.options()
	if err != nil {
		return err
	}
	if err := r.taskFlags.check(); err != nil {
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
	if stride, ok := strings.CutPrefix(r.long, "windows:"); ok {
		if n, err := strconv.Atoi(stride); err == nil && n >= core.Options().MaxTokens {
			return usage("--long windows:%d: the model sees %d tokens, by which windows cannot overlap: choose a smaller stride", n, core.Options().MaxTokens)
		}
	}
	out := bufio.NewWriterSize(s.Out, 1<<16)
	job := &job{
		runFlags: r, session: s, page: &page{out, s.OutTerminal && !r.asJSON},
		progress: newProgress(s, in, r.quiet, r.examples >= 0), chunk: 4 * leastChunk,
	}
	if job.service, err = r.taskFlags.service(core, head, job.page); err != nil {
		return err
	}
	// The goroutine that reads ends with this context, or when its read returns.
	reading, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	err = job.all(ctx, fill(reading, in))
	job.progress.finish()
	if ferr := job.page.Flush(); err == nil {
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

// service is a task on records.
type service interface {
	// prepare completes a record by what the flags say, before it is computed. Its fault is the record's.
	prepare(r *record) error
	// compute gives a result for each record, all of them pairs or none. Errors of the input call a record text 0, 1 …
	compute(ctx context.Context, records []record) ([]outcome, error)
	// end is called behind the last record.
	end(ctx context.Context) ([]outcome, error)
}

// outcome is the result of one record.
type outcome interface {
	seen() runtime.Seen
	object() any             // what --json prints
	show(p *page, r *record) // prints it for people
}

// page is where results are printed.
type page struct {
	*bufio.Writer
	terminal bool // a person reads them at once
}

// job is the work of run on one input.
type job struct {
	*runFlags
	*session
	service
	page     *page
	progress *progress

	chunk  int // records given to the model together
	texts  int
	tokens int
	cut    int
	right  int
}

// all computes what the queue gives, in order. Results of texts before a fault are printed.
func (l *job) all(ctx context.Context, q *queue) error {
	var records []record
	for {
		var err error
		if records, err = q.take(records); err != nil {
			return err
		}
		if records == nil {
			return l.last(ctx)
		}
		ready := 0
		for ready < len(records) && err == nil {
			if err = l.prepare(&records[ready]); err == nil {
				ready++
			}
		}
		if done := l.chunks(ctx, records[:ready]); done != nil {
			return done
		}
		if err != nil {
			return err
		}
	}
}

// chunks computes records, as many at a time as seems good.
func (l *job) chunks(ctx context.Context, records []record) error {
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
		if l.page.Buffered() > 0 && l.OutTerminal {
			l.progress.finish() // what is printed starts a line of its own
		}
		if err := l.page.Flush(); err != nil {
			return err
		}
		l.progress.update(l.texts, rest[n-1].read)
		rest = rest[n:]
	}
	return nil
}

// last prints what only the whole input gives.
func (l *job) last(ctx context.Context) error {
	outcomes, err := l.end(ctx)
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		l.count(o)
		if err := l.print(&record{file: "the result"}, o); err != nil {
			return err
		}
	}
	return nil
}

// count adds a result's tokens to those of the run.
func (l *job) count(o outcome) {
	seen := o.seen()
	l.tokens += seen.Tokens
	if seen.Truncated > 0 {
		l.cut++
	}
}

// Results should come a few times a second, and the model should get as many texts at once as that allows.
const (
	leastChunk = 8
	shortChunk = 100 * time.Millisecond
	longChunk  = 400 * time.Millisecond
)

// adapt chooses the next chunk's size by how long n records took.
func (l *job) adapt(n int, took time.Duration) {
	switch {
	case took < shortChunk && n == l.chunk:
		l.chunk = min(2*l.chunk, queueRecords)
	case took > longChunk:
		l.chunk = max(l.chunk/2, leastChunk)
	}
}

// some computes records of one kind, singles or pairs.
func (l *job) some(ctx context.Context, records []record) error {
	outcomes, err := l.compute(ctx, records)
	switch {
	case err == nil:
		for i, o := range outcomes {
			if err := l.emit(&records[i], o); err != nil {
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
	}
	return blamed(err, &records[0])
}

// blamed is a fault of the input as one of a record.
func blamed(err error, r *record) error {
	if !errors.Is(err, runtime.ErrInput) {
		return err
	}
	text := err.Error()
	var one *runtime.TextError
	if errors.As(err, &one) { // the record's place is a better name
		text = one.What
	}
	if errors.Is(err, runtime.ErrTooLong) {
		text, _, _ = strings.Cut(text, " (")
		text += ": cut it with --long truncate or --long windows:STRIDE"
	}
	return &inputError{r.where(), text, err}
}

// emit prints one result and counts it.
func (l *job) emit(r *record, o outcome) error {
	if l.accuracy {
		right, err := o.(*classified).right(r)
		if err != nil {
			return err
		}
		if right {
			l.right++
		}
	}
	l.texts++
	l.count(o)
	if l.examples >= 0 && l.texts > l.examples {
		return nil
	}
	return l.print(r, o)
}

// print prints one result. Numbers that are none are a fault of the weights.
func (l *job) print(r *record, o outcome) error {
	v := o.object()
	if v == nil { // it comes at the end
		return nil
	}
	text, err := jsonLine(v)
	if err != nil {
		return faulty(r.where(), "the result has numbers that are none (%v): the weights may be damaged, see doctor", err)
	}
	if l.asJSON {
		_, err = l.page.Write(text)
		return err
	}
	o.show(l.page, r)
	return nil
}

// summary says on standard error how fast it went and what was cut.
func (l *job) summary(core *runtime.Core, took time.Duration) {
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
func (l *job) judge() error {
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
