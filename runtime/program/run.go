package program

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// runFlags holds the flags of the verb run.
type runFlags struct {
	openFlags
	textFlags
	taskFlags
	inputFlags
	examples      int
	asJSON, quiet bool
}

func newRun(fs *flag.FlagSet) action {
	var r runFlags
	t := &tableFlags{}
	r.taskFlags.tableFlags, r.inputFlags.tableFlags = t, t
	r.openFlags.register(fs)
	r.registerHead(fs)
	r.inputFlags.register(fs)
	r.textFlags.register(t, fs)
	t.declareAll(fs, map[string]any{"json": &r.asJSON, "examples": &r.examples, "quiet": &r.quiet})
	r.taskFlags.register(fs)
	return func(ctx context.Context, s *session, args []string) error {
		t.given = map[string]bool{}
		fs.Visit(func(f *flag.Flag) { t.given[f.Name] = true })
		if !t.given["examples"] {
			r.examples = -1 // all: no value of the flag means this
		}
		return r.run(ctx, s, args)
	}
}

// enough returns an error if each text needs another field for this head, but the texts have no fields and no flag sets it.
func (r *runFlags) enough(p *engine.Program, arguments int) error {
	if !PlainTexts(arguments, r.input, r.format) {
		return nil
	}
	for i, h := range p.Heads {
		if h.Name != r.head && (r.head != "" || i > 0) {
			continue
		}
		row := tasktable.Of(h.Task)
		if row == nil {
			return nil // opening the model reports it
		}
		if want := row.Lacking(func(flag string) bool { return r.taskFlags.given[flag] }); want != "" {
			return usage("a text alone is not enough for head %q of this model: give %s, or an --input with a field %q", h.Name, row.WantedFlag(), want)
		}
	}
	return nil
}

func (r *runFlags) run(ctx context.Context, s *session, args []string) error {
	if err := r.taskFlags.check(); err != nil {
		return err
	}
	if r.taskFlags.given["examples"] && r.taskFlags.given["query"] {
		return usage("--examples limits the texts in input order; with --query, use --top to limit the best ones")
	}
	opts, err := r.options(r.taskFlags.given)
	if err != nil {
		return err
	}
	if err := r.inputFlags.check(); err != nil {
		return err
	}
	if err := r.withinProgram(&r.openFlags, s); err != nil {
		return err
	}
	if m, err := r.pick(s); err == nil {
		r.fields.serve(m.Program, r.head, r.taskFlags.given)
		if err := r.enough(m.Program, len(args)); err != nil {
			return err
		}
	}
	if r.fromTerminal(s, args) && !r.quiet {
		fmt.Fprintln(s.Err, "reading one text per line from the terminal; Ctrl-D ends the input")
	}
	in, err := await(ctx, func() (*input, error) { return r.source(ctx, s, args) })
	if err != nil {
		return err
	}
	defer in.close() // opened for reading: nothing can be lost
	core, _, err := r.openFlags.open(s, opts...)
	if err != nil {
		return r.ofFlag(err)
	}
	defer core.Close()
	head, err := core.HeadIndex(r.head)
	if err != nil {
		return usage("--head: %v", err)
	}
	out := bufio.NewWriterSize(s.Out, 1<<16)
	job := &job{
		runFlags: r, session: s, page: &page{out, s.OutTerminal && !r.asJSON},
		progress: newProgress(s, in, r.quiet, r.examples >= 0), chunk: 4 * leastChunk, left: newLeftOut(r.onError),
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
	if err == nil && job.texts == 0 && job.left.total == 0 && !r.quiet {
		fmt.Fprintf(s.Err, "%s: the input is empty: there are no texts\n", in.name)
	} else if err == nil || job.texts > 0 {
		job.summary(core, time.Since(start))
	}
	if err == nil && r.on("accuracy") {
		err = job.judge()
	}
	return job.left.end(s, job.texts, err, in)
}

// service runs a task on records.
type service interface {
	// prepare completes a record with the values of flags, before it is computed. Its error is a fault of the record.
	prepare(r *record) error
	// compute returns one result per record. The records are all pairs, or all single texts. Errors of the input number them as texts 0, 1 …
	compute(ctx context.Context, records []record) ([]outcome, error)
	// end is called after the last record. It returns the results that depend on all records, with the record of each.
	end(ctx context.Context) ([]record, []outcome, error)
}

// outcome is the result of one record.
type outcome interface {
	seen() runtime.Seen
	object() any             // what --json prints
	show(p *page, r *record) // prints it for people
}

// limited is an outcome whose record may have a limit of its own.
type limited interface {
	atOwnLimit() bool // the text was cut at this limit
}

// page is where results are printed.
type page struct {
	*bufio.Writer
	terminal bool // results are printed on a terminal
}

// job is the work of run on one input.
type job struct {
	*runFlags
	*session
	service
	page     *page
	progress *progress

	chunk  int       // records that the model computes together
	good   []record  // the records of a chunk that can be computed; reused
	bad    []*record // the records of a chunk that cannot be computed and are not reported yet, in order
	left   *leftOut
	read   int // records of the input so far
	texts  int // records with a result
	tokens int
	unread []string // quoted names of fields that the task does not read
	cut    int
	own    int // of cut: those that were cut at a limit of their own
	right  int
}

// all computes the records of the queue in order. The results of the records before a fault are printed.
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
		for i := range records {
			r := &records[i]
			r.number = l.read
			l.read++
			l.unread = append(l.unread, r.unread...)
			if r.fault == nil {
				r.fault = l.prepare(r)
			}
			if r.fault != nil && l.left.stops() {
				records = records[:i+1]
				break
			}
		}
		if err := l.chunks(ctx, records); err != nil {
			return err
		}
	}
}

// chunks computes records in chunks, whose size adapt chooses.
func (l *job) chunks(ctx context.Context, records []record) error {
	for rest := records; len(rest) > 0; {
		n := l.gather(rest)
		begin := time.Now()
		if err := l.some(ctx, l.good); err != nil {
			return err
		}
		if err := l.reportBefore(n); err != nil {
			return err
		}
		l.adapt(len(l.good), time.Since(begin))
		if l.page.Buffered() > 0 && l.OutTerminal {
			l.progress.finish() // results must not start in the line of the bar
		}
		if err := l.page.Flush(); err != nil {
			return err
		}
		l.progress.update(l.texts+l.left.total, rest[n-1].read)
		rest = rest[n:]
	}
	return nil
}

// gather takes the next chunk: records that can be computed, either all pairs or all single texts, and the records among them that cannot. It
// returns the number of records that it took.
func (l *job) gather(records []record) int {
	l.good, l.bad = l.good[:0], l.bad[:0]
	for i := range records {
		r := &records[i]
		switch {
		case len(l.good) == l.chunk, r.fault == nil && len(l.good) > 0 && r.text.Pair != l.good[0].text.Pair:
			return i
		case r.fault != nil:
			r.place = i
			l.bad = append(l.bad, r)
		default:
			r.place = i
			l.good = append(l.good, *r)
		}
	}
	return len(records)
}

// reportBefore reports the records of the chunk before a place that cannot be computed.
func (l *job) reportBefore(place int) error {
	for len(l.bad) > 0 && l.bad[0].place < place {
		r := l.bad[0]
		l.bad = l.bad[1:]
		if err := l.refuse(r, r.fault); err != nil {
			return err
		}
	}
	return nil
}

// last prints the results that depend on the whole input.
func (l *job) last(ctx context.Context) error {
	records, outcomes, err := l.end(ctx)
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		l.count(o)
		if err := l.print(&records[i], o); err != nil {
			return err
		}
	}
	return nil
}

// count adds the tokens of a result to those of the run.
func (l *job) count(o outcome) {
	seen := o.seen()
	l.tokens += seen.Tokens
	limited, ok := o.(limited)
	own := ok && limited.atOwnLimit()
	if seen.Truncated > 0 || own {
		l.cut++
	}
	if own {
		l.own++
	}
}

// Results should come several times per second, and the model should get as many texts at once as that allows.
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

// some computes records that are all single texts or all pairs.
func (l *job) some(ctx context.Context, records []record) error {
	if len(records) == 0 {
		return nil
	}
	outcomes, err := l.compute(ctx, records)
	switch {
	case err == nil:
		for i, o := range outcomes {
			if err := l.emit(&records[i], o); err != nil {
				return err
			}
		}
		return nil
	case !ofRecord(err):
		return err
	case len(records) > 1:
		// At least one record is at fault. The results of the others do not depend on it or on how many are computed together.
		half := len(records) / 2
		if err := l.some(ctx, records[:half]); err != nil {
			return err
		}
		return l.some(ctx, records[half:])
	}
	r := &records[0]
	if err := l.reportBefore(r.place); err != nil {
		return err
	}
	return l.refuse(r, blamed(err, r))
}

// ofRecord reports whether an error has a record to name: the one that is its cause, or the first one whose outputs are not numbers.
func ofRecord(err error) bool {
	return errors.Is(err, runtime.ErrInput) || errors.Is(err, runtime.ErrNoNumbers)
}

// blamed turns an error that has a record to name into an error that names it.
func blamed(err error, r *record) error {
	if !ofRecord(err) {
		return err
	}
	of := kindOther
	if errors.Is(err, runtime.ErrTooLong) {
		of = kindLong
	}
	return &inputError{r.where(), recordText(err), err, of}
}

// recordText returns the text of an error about one record, without the number of the text and with the flags that help.
func recordText(err error) string {
	text := err.Error()
	var one *runtime.TextError
	if errors.As(err, &one) { // the record's place says more than the text's number
		text = one.What
	}
	if !errors.Is(err, runtime.ErrTooLong) {
		return text
	}
	if what, _, found := strings.Cut(text, engine.ChoosePolicy); found { // no flag cuts what is too long for another reason
		return what + ": cut it with --long truncate or --long windows:STRIDE"
	}
	return text
}
