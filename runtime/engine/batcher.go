package engine

import (
	"context"
	"errors"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// Batcher turns texts into a head's outputs. It tokenizes, cuts long texts into windows, fills
// batches up to the limits, computes them and passes the outputs on, one window at a time and in
// the order of the texts. How windows fall into batches changes no result.
//
// A Batcher holds the memory of one stream of texts and is not safe for concurrent use. It can be
// used for one stream after another, and then makes no allocations of its own.
type Batcher struct {
	// Sequencer makes the sequences of texts. NewBatcher sets it from the model's options and the
	// metadata of the weights.
	Sequencer
	// Vectors receives the vectors of each window before take receives its outputs, by the names of the
	// head's parts. They change after it returns. It may be nil, and is not called for a head without
	// vectors. An error ends the call.
	Vectors func(w *Window, rows map[string][]float32) error

	core    *Core
	head    *Head
	index   int // index of the head
	take    func(w *Window, out []float32) error
	windows []Window // windows in the batch
	sizes   []int    // number of rows of outputs of each window; of a head with several outputs, of each output
	fresh   []Window // windows of the text being added
	batch   runtime.Batch
	next    Sequence // memory of the sequence being made
	out     []float32
	one     []float32            // the outputs of a window, if the head has several
	vectors map[string][]float32 // the vectors of a window

	before, after []int // memory of AddSequence: the rows of each output before a sequence, and with it
}

// NewBatcher returns a batcher for a head of the model. take receives each window and its rows of
// outputs, without vectors, row-major with the head's C columns: one row if the head has one row per sequence, one
// row for each token of the window if it has one per token, and so on. The outputs of a head that
// has several come one after the other, as [Head.Split] takes them. Window and outputs belong to
// the batcher and change after take returns. An error of take ends the call. If spans is set, the
// tokenizer must know the places of its tokens. Without take, a batcher can only make sequences: Add and
// AddSequence return an error. A panic of take goes through to the caller.
func NewBatcher(c *Core, head int, spans bool, take func(w *Window, out []float32) error) (*Batcher, error) {
	if c == nil {
		return nil, errNoModel()
	}
	if head < 0 || head >= len(c.program.Heads) {
		return nil, ragged.Errorf("head %d: this model has %d", head, len(c.program.Heads))
	}
	b := &Batcher{core: c, index: head, head: &c.program.Heads[head], take: take}
	o, l := &c.options, &c.program.Limits
	b.Sequencer = Sequencer{Tokenizer: c.token, Special: o.Special, Long: o.Long, MaxTokens: o.MaxTokens, Words: l.Words}
	var err error
	if b.Left, err = c.truncatesLeft(); err != nil {
		return nil, err
	}
	if spans || l.Words { // words come from the tokenizer too
		if b.Spans, err = c.SpanTokenizer(); err != nil {
			return nil, err
		}
	}
	if c.token != nil {
		b.Frame = c.token.Frame()
	}
	return b, nil
}

// SpanTokenizer returns the model's tokenizer as one that knows the places of its tokens. It is an
// error if the model takes ids only, or if its tokenizer does not know these places.
func (c *Core) SpanTokenizer() (tokenizer.SpanTokenizer, error) {
	if c.token == nil {
		return nil, errNoTokenizer()
	}
	if s, ok := c.token.(tokenizer.SpanTokenizer); ok {
		return s, nil
	}
	return nil, ragged.Errorf("the tokenizer does not tell where its tokens lie in the text: this task needs one that does")
}

func errNoModel() error { return ragged.Errorf("the model is nil") }

func errNoTokenizer() error {
	return ragged.Errorf("these weights were packed without a tokenizer, which texts need: "+
		"%s with --tokenizer DIR (Go programs can also pass token ids to Logits)", again)
}

// Begin starts a stream. It empties the batcher, because an earlier stream may have ended with an
// error, and checks that the model takes texts, or pairs of texts.
func (b *Batcher) Begin(ctx context.Context, pairs bool) error {
	b.drop()
	if ctx == nil {
		return ragged.Errorf("the context is nil")
	}
	if b.core.closed.Load() {
		return runtime.ErrClosed
	}
	if b.Long.Stride() < 0 {
		return ragged.Errorf("Long: Windows(%d): the stride must not be negative", b.Long.Stride())
	}
	if b.MaxTokens < 1 || b.MaxTokens > b.core.program.Limits.SequenceTokens {
		return ragged.Errorf("MaxTokens is %d: it must be from 1 to %d", b.MaxTokens, b.core.program.Limits.SequenceTokens)
	}
	if b.core.token == nil {
		return errNoTokenizer()
	}
	if t := b.core.program.Limits.Types; pairs && t > 0 && int(b.Frame.SecondType) >= t {
		return ragged.Errorf("the tokenizer marks second texts with token type %d, the model has only %d types: it takes no pairs", b.Frame.SecondType, t)
	}
	return nil
}

func (b *Batcher) drop() {
	b.batch.Reset()
	b.windows, b.sizes = b.windows[:0], b.sizes[:0]
}

// Add adds the windows of text number n to the batch. Whenever the batch is full, Add computes it
// first. Add keeps no reference to e.
func (b *Batcher) Add(ctx context.Context, n int, e *Encoded) (runtime.Seen, error) {
	if err := ctx.Err(); err != nil {
		return runtime.Seen{}, err
	}
	fresh, s, err := b.Cut(b.fresh[:0], n, e)
	b.fresh = fresh
	if err != nil {
		return s, err
	}
	for i := range fresh {
		w := &fresh[i] // a copy would be made on the heap
		b.Sequence(&b.next, w, e)
		if err := b.AddSequence(ctx, *w, &b.next); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Cut is Sequencer.Cut. It also refuses to cut the start of a text for a head whose results need it.
// Cut and Sequence are the two halves of Add, for callers that change sequences in between.
func (b *Batcher) Cut(dst []Window, n int, e *Encoded) ([]Window, runtime.Seen, error) {
	dst, s, err := b.Sequencer.Cut(dst, n, e)
	if err == nil && s.Truncated > 0 && b.Left && !tasktable.Of(b.head.Task).Startless {
		err = LongFault(n, "%d of its tokens are too many. The model's tokenizer cuts the start of a text, "+
			"but results for parts of a text need the start: "+
			"choose Windows, or pack the folder with --ignore tokenizer_config.json:truncation_side", s.Truncated)
		return dst, runtime.Seen{}, err
	}
	return dst, s, err
}

// AddSequence adds one sequence to the batch. If the batch is full, AddSequence computes it first.
// It is for callers that make sequences themselves; they set only Text, Index and Count of w.
// AddSequence keeps no reference to s.
func (b *Batcher) AddSequence(ctx context.Context, w Window, s *Sequence) error {
	if b.take == nil {
		return ragged.Errorf("NewBatcher got nil for take: nothing could receive the outputs")
	}
	l, o := &b.core.program.Limits, &b.core.options
	if err := s.Validate(*l); err != nil {
		return &runtime.TextError{Text: w.Text, What: err.Error(), Err: err}
	}
	if len(s.Rows) > l.Rows {
		return TextFault(w.Text, "%d of its rows are asked for, the limit of a call is %d: ask for fewer, or compile with a higher limit", len(s.Rows), l.Rows)
	}
	if len(b.windows) == l.BatchSequences || len(b.windows) > 0 && (len(b.batch.IDs)+len(s.IDs) > o.BatchTokens || len(b.batch.Rows)+len(s.Rows) > l.Rows) {
		if err := b.Flush(ctx); err != nil {
			return err
		}
	}
	b.before = b.rowsOf(b.before[:0])
	b.batch.Append(s, *l)
	b.windows = append(b.windows, w)
	b.after = b.rowsOf(b.after[:0])
	for i, before := range b.before {
		b.sizes = append(b.sizes, b.after[i]-before)
	}
	return nil
}

// rowsOf appends the number of rows of each output of the batch.
func (b *Batcher) rowsOf(dst []int) []int {
	if b.head.Parts == nil {
		return append(dst, b.batch.Size(b.head.Rows))
	}
	for i := range b.head.Parts {
		dst = append(dst, b.batch.Size(b.head.Parts[i].Rows))
	}
	return dst
}

// Flush computes what is in the batch and passes each window's outputs to take. Callers call it
// once after the last text.
func (b *Batcher) Flush(ctx context.Context) error {
	if len(b.windows) == 0 {
		return nil
	}
	b.out = resize(b.out, b.head.OutLen(&b.batch))
	if len(b.out) > 0 { // otherwise the head has no row for any of the sequences
		if err := b.core.Run(ctx, Call{Head: b.index, Batch: &b.batch, Out: b.out}); err != nil {
			return b.blame(err)
		}
	}
	if b.head.Parts != nil {
		return b.passParts()
	}
	from := 0
	for i := range b.windows {
		to := from + b.sizes[i]*b.head.C
		if err := b.take(&b.windows[i], b.out[from:to:to]); err != nil {
			return err
		}
		from = to
	}
	b.drop()
	return nil
}

// passParts passes the outputs of each window to take: its rows of the first output, then those of
// the second one, and so on. Vectors are passed before.
func (b *Batcher) passParts() error {
	parts := len(b.head.Parts)
	for i := range b.windows {
		b.one = b.one[:0]
		first := 0 // of the output among all numbers
		for p := range b.head.Parts {
			rows, before := 0, 0
			for w := range b.windows {
				n := b.sizes[w*parts+p]
				if rows += n; w < i {
					before += n
				}
			}
			part := &b.head.Parts[p]
			numbers := b.out[first+before*part.C : first+(before+b.sizes[i*parts+p])*part.C]
			first += rows * part.C
			if !part.Vector {
				b.one = append(b.one, numbers...)
			} else if b.Vectors != nil {
				if b.vectors == nil {
					b.vectors = map[string][]float32{}
				}
				b.vectors[part.Name] = numbers
			}
		}
		if b.Vectors != nil && b.head.HasVectors() {
			if err := b.Vectors(&b.windows[i], b.vectors); err != nil {
				return err
			}
		}
		if err := b.take(&b.windows[i], b.one); err != nil {
			return err
		}
	}
	b.drop()
	return nil
}

// blame adds the numbers of the batch's texts to an error in the input.
func (b *Batcher) blame(err error) error {
	if !errors.Is(err, runtime.ErrInput) {
		return err
	}
	first, last := b.windows[0].Text, b.windows[len(b.windows)-1].Text
	if first == last {
		return &runtime.TextError{Text: first, What: err.Error(), Err: err}
	}
	return &ragged.Error{Text: "texts " + itoa(first) + " to " + itoa(last) + ", computed together: " + err.Error(), Cause: err}
}
