package corpus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/tasktable"
)

// Options are how data are prepared.
type Options struct {
	Path    string  // of the file to write
	Source  string  // sha256 of all that the file is made of
	Bad     float64 // share of the examples that may be unusable, from 0 to 1
	Workers int     // examples that are encoded at the same time; 0: as many as there are processors

	// RowError returns what is wrong with a row, if an error of the source is about one row alone, so that the rows after it can be read.
	RowError func(err error) (place, reason string, ok bool)
	// Place returns where an example is, for messages.
	Place func(e *example.Example) string
	// Accept is called when all examples have been read, and refuses the data by an error; nil: they are accepted.
	Accept func() error
	// Progress is told after some examples how many there were; nil: nobody is.
	Progress func(examples int)
}

// Report is what was found while data were prepared.
type Report struct {
	prepared.Meta
	First []string `json:"first_bad,omitempty"` // the first examples that cannot be used, with places and reasons
}

// mostListed is the number of unusable examples that a report lists.
const mostListed = 20

// chunk is the number of examples that a worker gets at a time.
const chunk = 64

// job is a number of examples that are encoded together.
type job struct {
	examples []*example.Example // nil: a row that the reader refused
	faults   []string           // what is wrong with it
	results  []result
	done     chan struct{}
}

// Prepare reads examples until io.EOF, encodes them, and writes the file, which appears when it is whole. The order of the rows is that of the examples.
// If more examples are unusable than the options allow, there is no file, and the error lists the first of them.
func Prepare(ctx context.Context, next func() (*example.Example, error), e *Encoder, o Options) (*Report, error) {
	w, err := prepared.Create(o.Path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Discard() }() // after Commit it does nothing
	c := &collector{e: e, o: o, w: w, report: &Report{}, packer: e.packer()}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	todo, order := make(chan *job), make(chan *job, 2*o.Workers)
	for range o.Workers {
		go e.work(todo)
	}
	read := make(chan error, 1)
	go func() {
		defer close(order)
		defer close(todo)
		read <- o.read(ctx, next, todo, order)
	}()
	for j := range order {
		<-j.done
		if err == nil {
			if err = ctx.Err(); err == nil { // otherwise nobody may have encoded the job
				err = c.collect(j)
			}
			if err != nil {
				cancel()
			}
		}
	}
	if reading := <-read; err == nil {
		err = reading
	}
	if err != nil {
		return nil, err
	}
	return c.finish()
}

// work encodes jobs until there are no more.
func (e *Encoder) work(todo <-chan *job) {
	w := e.worker()
	for j := range todo {
		j.results = make([]result, len(j.examples))
		for i, x := range j.examples {
			if x != nil {
				j.results[i] = w.encode(x)
			}
		}
		close(j.done)
	}
}

// read passes the examples on, chunk by chunk.
func (o *Options) read(ctx context.Context, next func() (*example.Example, error), todo, order chan<- *job) error {
	for ended := false; !ended; {
		j := &job{done: make(chan struct{})}
		for len(j.examples) < chunk {
			text := ""
			x, err := next()
			if errors.Is(err, io.EOF) {
				ended = true
				break
			}
			if err != nil {
				place, reason, ok := o.RowError(err)
				if !ok {
					return err
				}
				x, text = nil, place+": "+reason
			}
			j.examples, j.faults = append(j.examples, x), append(j.faults, text)
		}
		select {
		case order <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case todo <- j:
		case <-ctx.Done():
			close(j.done)
			return ctx.Err()
		}
	}
	return nil
}

// collector writes what the workers have made, in order.
type collector struct {
	e      *Encoder
	o      Options
	w      *prepared.Writer
	packer *packer
	report *Report
	at     int64 // of the example that is being written
}

// collect writes the results of a job.
func (c *collector) collect(j *job) error {
	meta := c.w.Counted()
	for i := range j.examples {
		r, x := &j.results[i], j.examples[i]
		if meta.Examples++; x == nil {
			if err := c.bad(j.faults[i]); err != nil {
				return err
			}
			continue
		}
		if r.err != nil {
			var f *fault
			if !errors.As(r.err, &f) {
				return r.err
			}
			if err := c.bad(c.o.Place(x) + ": " + f.reason); err != nil {
				return err
			}
			continue
		}
		c.at = x.At
		if r.cut > 0 {
			meta.Cut++
			meta.CutTokens += int64(r.cut)
		}
		for _, label := range r.labels {
			meta.Count[label]++
		}
		if err := c.write(r); err != nil {
			return err
		}
	}
	if c.o.Progress != nil {
		c.o.Progress(meta.Examples)
	}
	return nil
}

// write writes what an example has become.
func (c *collector) write(r *result) error {
	if r.stream != nil {
		return c.packer.add(r.stream, c.sequence)
	}
	for _, row := range r.rows {
		if c.e.words != nil {
			if err := c.numbered(&row[0], r.spans); err != nil {
				return err
			}
		}
		if err := c.w.Add(row, c.at); err != nil {
			return err
		}
	}
	return nil
}

// sequence writes a sequence of a stream.
func (c *collector) sequence(s prepared.Sequence) error { return c.w.Add([]prepared.Sequence{s}, c.at) }

// numbered writes entities with the numbers of their labels. A label that is new gets the next one.
func (c *collector) numbered(s *prepared.Sequence, spans []example.Entity) error {
	words := c.e.words
	for _, x := range spans {
		n := -1
		for i, name := range words.Names {
			if name == x.Label {
				n = i
			}
		}
		if n < 0 {
			ids, err := c.e.labelTokens(x.Label)
			if err != nil {
				return err
			}
			n, words.Names, words.Labels = len(words.Names), append(words.Names, x.Label), append(words.Labels, ids)
		}
		s.Integers[prepared.Spans] = append(s.Integers[prepared.Spans], int32(n), int32(x.Start), int32(x.End))
	}
	return nil
}

// bad counts an example that cannot be used. If none may be, the first ones end the work.
func (c *collector) bad(text string) error {
	c.report.Bad++
	if len(c.report.First) < mostListed {
		c.report.First = append(c.report.First, text)
	}
	if c.o.Bad == 0 && c.report.Bad == mostListed {
		return &BadError{Report: c.report, More: true}
	}
	return nil
}

// Reason returns what is wrong with data as a whole; ok is false for other errors.
func Reason(err error) (reason string, ok bool) {
	var f *fault
	if !errors.As(err, &f) {
		return "", false
	}
	return f.reason, true
}

// BadError is the error of data with more unusable examples than are allowed.
type BadError struct {
	Report *Report
	Of     int  // examples in all; 0: not known, as they were not all read
	More   bool // there may be more of them
}

// Error returns how many there are.
func (e *BadError) Error() string {
	switch {
	case e.More:
		return fmt.Sprintf("%d examples or more cannot be used", e.Report.Bad)
	case e.Report.Bad == 1:
		return fmt.Sprintf("1 of %d examples cannot be used", e.Of)
	}
	return fmt.Sprintf("%d of %d examples cannot be used", e.Report.Bad, e.Of)
}

// finish completes the file.
func (c *collector) finish() (*Report, error) {
	meta := c.w.Counted()
	if err := c.packer.rest(c.sequence); err != nil {
		return nil, err
	}
	if bad := c.report.Bad; float64(bad) > c.o.Bad*float64(meta.Examples) {
		return nil, &BadError{Report: c.report, Of: meta.Examples}
	}
	if meta.Rows == 0 {
		return nil, &fault{"there is no example with a text"}
	}
	meta.Task, meta.Source, meta.Mask = string(c.e.head.Task()), c.o.Source, c.e.tok.Specials().MASK
	meta.Grouped = meta.Most > 1 || c.e.head.Task() == tasktable.Choices
	meta.Words = c.e.words
	if w := c.e.words; w != nil && len(w.Names) == 0 {
		return nil, &fault{"no example has an entity, so there is no label to learn"}
	}
	if c.o.Accept != nil {
		if err := c.o.Accept(); err != nil {
			return nil, err
		}
	}
	meta.Bad = c.report.Bad
	if err := c.w.Commit(); err != nil {
		return nil, err
	}
	c.report.Meta = *meta
	return c.report, nil
}
