package runtime

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/tasktable"
)

// Sequence is one sequence that is ready for a batch. Its rows are counted from its own first
// token.
type Sequence struct {
	IDs    []int32
	Types  []int32 // token types; nil: zeros. Models without token types ignore them
	Prefix int32   // leading tokens that all tokens may attend to, for models that read it
	Rows   []int32 // as Batch.Rows
	Words  []int32 // as Batch.Words
	Marks  []int32 // as Batch.Marks
}

// Seen reports how much of a text the model saw.
type Seen struct {
	// Tokens is the number of tokens that the model saw, including special tokens. Tokens that lie
	// in more than one window count once.
	Tokens int `json:"tokens"`
	// Truncated is the number of tokens of the text that were cut, 0 if none.
	Truncated int `json:"truncated"`
	// Windows is the number of sequences that the text was cut into, 1 if it was not cut.
	Windows int `json:"windows"`
}

// Batcher turns texts into a head's outputs. It tokenizes, cuts long texts into windows, fills
// batches up to the limits, computes them and passes the outputs on, one window at a time and in
// the order of the texts. How windows fall into batches changes no result.
//
// A Batcher holds the memory of one stream of texts and is not safe for concurrent use. It can be
// used for one stream after another, and then makes no allocations of its own.
type Batcher struct {
	// Long, MaxTokens and Cutting set what happens to long texts. NewBatcher sets the first two
	// from the model's options.
	Long      LongPolicy
	MaxTokens int
	Cutting   Cutting
	// Left makes Truncate cut the start of a text instead of its end. NewBatcher sets it from the
	// metadata of the weights.
	Left bool

	core    *Core
	head    *Head
	index   int // of the head
	frame   Frame
	spans   SpanTokenizer // nil: no places of tokens are needed
	take    func(w *Window, out []float32) error
	windows []Window // in the batch
	sizes   []int    // rows of outputs of each window
	fresh   []Window // of the text being added
	batch   Batch
	next    Sequence // memory of the sequence being made
	out     []float32
}

// NewBatcher returns a batcher for a head of the model. take receives each window and its rows of
// outputs, row-major with the head's C columns: one row if the head has one row per sequence, one
// row for each token of the window if it has one per token, and so on. Window and outputs belong to
// the batcher and change after take returns. An error of take ends the call. If spans is set, the
// tokenizer must know the places of its tokens.
func NewBatcher(c *Core, head int, spans bool, take func(w *Window, out []float32) error) (*Batcher, error) {
	if head < 0 || head >= len(c.program.Heads) {
		return nil, input("head %d: this model has %d", head, len(c.program.Heads))
	}
	b := &Batcher{core: c, index: head, head: &c.program.Heads[head], take: take, Long: c.options.Long, MaxTokens: c.options.MaxTokens}
	left, err := c.truncatesLeft()
	if err != nil {
		return nil, err
	}
	b.Left = left
	if spans || c.program.Limits.Words { // words come from the tokenizer too
		if b.spans, err = c.SpanTokenizer(); err != nil {
			return nil, err
		}
	}
	if c.token != nil {
		b.frame = c.token.Frame()
	}
	return b, nil
}

// SpanTokenizer returns the model's tokenizer as one that knows the places of its tokens. It is an
// error if the model takes ids only, or if its tokenizer does not know these places.
func (c *Core) SpanTokenizer() (SpanTokenizer, error) {
	if c.token == nil {
		return nil, errNoTokenizer()
	}
	if s, ok := c.token.(SpanTokenizer); ok {
		return s, nil
	}
	return nil, input("the tokenizer does not tell where its tokens lie in the text: this task needs one that does")
}

func errNoTokenizer() error {
	return input("these weights were packed without a tokenizer, which texts need: %s with --tokenizer DIR (Go programs can also pass token ids to Logits)", again)
}

// Frame returns the special tokens around and between texts.
func (b *Batcher) Frame() Frame { return b.frame }

// Begin starts a stream. It empties the batcher, because an earlier stream may have ended with an
// error, and checks that the model takes texts, or pairs of texts.
func (b *Batcher) Begin(ctx context.Context, pairs bool) error {
	b.drop()
	if ctx == nil {
		return input("the context is nil")
	}
	if b.core.closed.Load() {
		return ErrClosed
	}
	if b.Long.stride < 0 {
		return input("Long: Windows(%d): the stride must not be negative", b.Long.stride)
	}
	if b.MaxTokens < 1 || b.MaxTokens > b.core.program.Limits.SequenceTokens {
		return input("MaxTokens is %d: it must be from 1 to %d", b.MaxTokens, b.core.program.Limits.SequenceTokens)
	}
	if b.core.token == nil {
		return errNoTokenizer()
	}
	if t := b.core.program.Limits.Types; pairs && t > 0 && int(b.frame.SecondType) >= t {
		return input("the tokenizer marks second texts with token type %d, the model has only %d types: it takes no pairs", b.frame.SecondType, t)
	}
	return nil
}

func (b *Batcher) drop() {
	b.batch.Reset()
	b.windows, b.sizes = b.windows[:0], b.sizes[:0]
}

// Encode tokenizes text number n into e, whose memory is reused. An error names the text. A text
// that is not valid UTF-8 is an error.
func (b *Batcher) Encode(e *Encoded, n int, t Text) error {
	if !utf8.ValidString(t.First) {
		return &TextError{Text: n, What: invalidByte(t.First)}
	}
	if t.Pair && !utf8.ValidString(t.Second) {
		return &TextError{Text: n, What: "its second part: " + invalidByte(t.Second)}
	}
	if err := e.encode(b.core.token, b.spans, t, b.core.options.Special == SpecialAsTokens); err != nil {
		return &TextError{n, "it cannot be encoded: " + err.Error(), err}
	}
	return nil
}

// Add adds the windows of text number n to the batch. Whenever the batch is full, Add computes it
// first. Add keeps no reference to e.
func (b *Batcher) Add(ctx context.Context, n int, e *Encoded) (Seen, error) {
	if err := ctx.Err(); err != nil {
		return Seen{}, err
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

// Cut appends to dst the windows that the batcher's policy makes of text number n. Cut and Sequence
// are the two halves of Add, for callers that change sequences in between.
func (b *Batcher) Cut(dst []Window, n int, e *Encoded) ([]Window, Seen, error) {
	frame := b.frame.single()
	if e.Pair {
		frame = b.frame.pair()
	}
	from := len(dst)
	dst, cut, err := e.fit(dst, n, b.Long, b.Cutting, b.Left, b.MaxTokens, frame)
	if err != nil {
		return dst, Seen{}, err
	}
	if cut > 0 && b.Left && !tasktable.Of(b.head.Task).Startless {
		return dst, Seen{}, textFault(n, "%d of its tokens are too many. The model's tokenizer cuts the start of a text, but results for parts of a text need the start: choose Windows, or pack the folder with --ignore tokenizer_config.json:truncation_side", cut)
	}
	s := Seen{Tokens: len(e.IDs) - cut + frame, Truncated: cut, Windows: len(dst) - from}
	if s.Tokens == 0 {
		return dst, s, textFault(n, "it has no tokens")
	}
	for i := from; i < len(dst); i++ {
		dst[i].Count = s.Windows
	}
	return dst, s, nil
}

// Sequence builds in s, whose memory is reused, the sequence of a window that Cut returned: the
// parts of the texts in their frame, and the words that the model needs. It completes w. The caller
// adds the rows for a head of the kind PerRow.
func (b *Batcher) Sequence(s *Sequence, w *Window, e *Encoded) {
	f, l := &b.frame, &b.core.program.Limits
	s.IDs = append(s.IDs[:0], f.Open...)
	w.FirstRow = len(s.IDs)
	s.IDs = append(s.IDs, e.IDs[w.First:w.Last]...)
	if e.Pair {
		s.IDs = append(s.IDs, f.Middle...)
	}
	border := len(s.IDs)
	w.SecondRow = border
	s.IDs = append(s.IDs, e.IDs[w.Second:w.Behind]...)
	s.IDs = append(s.IDs, f.Close...)
	w.Size = len(s.IDs)
	s.Types, s.Prefix = s.Types[:0], 0
	if e.Pair {
		s.Types = resize(s.Types, w.Size)
		clear(s.Types[:border])
		for i := border; i < w.Size; i++ {
			s.Types[i] = f.SecondType
		}
		s.Prefix = int32(border) // all may attend to the first text of a pair; a single text is causal
	}
	s.Rows, s.Words, s.Marks = s.Rows[:0], s.Words[:0], s.Marks[:0]
	if l.Words && len(e.Spans) == len(e.IDs) {
		s.Words = appendWords(s.Words, e.Spans[w.First:w.Last], int32(w.FirstRow))
		s.Words = appendWords(s.Words, e.Spans[w.Second:w.Behind], int32(w.SecondRow))
	}
}

// appendWords appends the rows of each word of tokens, whose first token stands at row.
func appendWords(dst []int32, tokens []TokenSpan, row int32) []int32 {
	for i := range tokens {
		if i == 0 || tokens[i].Word != tokens[i-1].Word {
			dst = append(dst, row+int32(i), row+int32(i))
		}
		dst[len(dst)-1] = row + int32(i) + 1
	}
	return dst
}

// AddSequence adds one sequence to the batch. If the batch is full, AddSequence computes it first.
// It is for callers that make sequences themselves; they set only Text, Index and Count of w.
// AddSequence keeps no reference to s.
func (b *Batcher) AddSequence(ctx context.Context, w Window, s *Sequence) error {
	l, o := &b.core.program.Limits, &b.core.options
	switch {
	case len(s.IDs) == 0:
		return textFault(w.Text, "it has no tokens")
	case len(s.Types) != 0 && len(s.Types) != len(s.IDs):
		return textFault(w.Text, "%d token types for %d tokens", len(s.Types), len(s.IDs))
	case len(s.Rows) > l.Rows:
		return textFault(w.Text, "%d of its rows are asked for, the limit of a call is %d: ask for fewer, or compile with a higher limit", len(s.Rows), l.Rows)
	}
	if len(b.windows) == l.BatchSequences || len(b.windows) > 0 && (len(b.batch.IDs)+len(s.IDs) > o.BatchTokens || len(b.batch.Rows)+len(s.Rows) > l.Rows) {
		if err := b.Flush(ctx); err != nil {
			return err
		}
	}
	x := &b.batch
	if len(x.Starts) == 0 {
		x.Starts = append(x.Starts, 0)
	}
	first := int32(len(x.IDs))
	x.IDs = append(x.IDs, s.IDs...)
	x.Starts = append(x.Starts, int32(len(x.IDs)))
	if l.Types > 0 {
		if len(s.Types) != 0 {
			x.Types = append(x.Types, s.Types...)
		} else {
			for range s.IDs {
				x.Types = append(x.Types, 0)
			}
		}
	}
	if l.Prefix {
		x.Prefix = append(x.Prefix, s.Prefix)
	}
	x.Rows = appendRows(x.Rows, s.Rows, first)
	if l.Words {
		if len(x.WordStarts) == 0 {
			x.WordStarts = append(x.WordStarts, 0)
		}
		x.Words = appendRows(x.Words, s.Words, first)
		x.WordStarts = append(x.WordStarts, int32(len(x.Words)/2))
	}
	if l.Marks {
		if len(x.MarkStarts) == 0 {
			x.MarkStarts = append(x.MarkStarts, 0)
		}
		x.Marks = appendRows(x.Marks, s.Marks, first)
		x.MarkStarts = append(x.MarkStarts, int32(len(x.Marks)))
	}
	b.windows = append(b.windows, w)
	b.sizes = append(b.sizes, b.rowsOf(s))
	return nil
}

// rowsOf returns the number of rows of outputs that the head computes for a sequence.
func (b *Batcher) rowsOf(s *Sequence) int {
	switch b.head.Rows {
	case PerToken:
		return len(s.IDs)
	case PerRow:
		return len(s.Rows)
	case PerWord:
		return len(s.Words) / 2
	case PerPair:
		return len(s.Words) / 2 * len(s.Marks)
	}
	return 1
}

func appendRows(dst, rows []int32, first int32) []int32 {
	for _, r := range rows {
		dst = append(dst, first+r)
	}
	return dst
}

// Flush computes what is in the batch and passes each window's outputs to take. Callers call it
// once after the last text.
func (b *Batcher) Flush(ctx context.Context) error {
	if len(b.windows) == 0 {
		return nil
	}
	rows := 0
	for _, n := range b.sizes {
		rows += n
	}
	c := b.head.C
	b.out = resize(b.out, rows*c)
	if rows > 0 { // otherwise the head has no row for any of the sequences
		if err := b.core.Run(ctx, Call{Head: b.index, Batch: &b.batch, Out: b.out}); err != nil {
			return b.blame(err)
		}
	}
	from := 0
	for i := range b.windows {
		to := from + b.sizes[i]*c
		if err := b.take(&b.windows[i], b.out[from:to:to]); err != nil {
			return err
		}
		from = to
	}
	b.drop()
	return nil
}

// blame adds the numbers of the batch's texts to an error in the input.
func (b *Batcher) blame(err error) error {
	if !errors.Is(err, ErrInput) {
		return err
	}
	first, last := b.windows[0].Text, b.windows[len(b.windows)-1].Text
	if first == last {
		return &TextError{first, err.Error(), err}
	}
	return &inputError{"texts " + itoa(first) + " to " + itoa(last) + ", computed together: " + err.Error(), err}
}
