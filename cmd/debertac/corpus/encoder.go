// Package corpus makes prepared data of examples: it encodes them as sequences of token ids with the targets of a head, in parallel and in order.
package corpus

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/tokenizer"
	"github.com/debertac/debertac/spec"
)

// Settings are the choices of a user about how texts become sequences.
type Settings struct {
	Long      runtime.LongPolicy  // what becomes of a text that is too long
	Special   runtime.SpecialText // how the names of special tokens in texts are read
	MaxTokens int                 // of a sequence, including special tokens; 0: the length in the spec
}

// Encoder turns examples into rows of a training's head. Its methods may be called by several goroutines, each with a scratch of its own.
type Encoder struct {
	train  *spec.Train
	head   *spec.Head
	tok    tokenizer.WordTokenizer
	method method
	set    Settings
	labels map[string]int
	types  bool // the model has token types
	packs  bool // sequences are cut from the stream of all texts
	words  *prepared.Words
}

// prefix reports whether the model's mask has a prefix.
func (e *Encoder) prefix() bool { return e.head.Model.Encoder.Attention.Mask == spec.MaskPrefix }

// causal reports whether the head's model sees no tokens after a token, but for a prefix.
func (e *Encoder) causal() bool { return e.head.Model.Encoder.Attention.Mask != spec.MaskLive }

// method is how the examples of a task are encoded.
type method struct {
	encode func(w *worker, e *example.Example) error
	frame  func(q *engine.Sequencer) // sets which text is cut; nil: the longer one
	reads  []string                  // the roles of fields that it reads, see package dataset
}

// methods lists how the examples of tasks are encoded.
var methods = map[tasktable.Task]method{
	tasktable.Labels: {encode: (*worker).classes, reads: []string{"text", "pair", "label", "labels", "group", "candidate"}},
	tasktable.Tags:   {encode: (*worker).tags, reads: []string{"text", "words", "tags", "entities"}},
	tasktable.Span:   {encode: (*worker).answers, frame: keeping(engine.CutSecond, "question"), reads: []string{"question", "context", "answers", "answered"}},
	tasktable.Choices: {encode: (*worker).choices, frame: keeping(engine.CutFirst, "option"),
		reads: []string{"text", "question", "context", "options", "label"}},
	tasktable.Score: {encode: (*worker).scores, reads: []string{"text", "pair", "label", "score", "query", "documents", "scores", "chosen", "rejected",
		"group"}},
	tasktable.MLM:      {encode: (*worker).tokens, reads: []string{"text", "target"}},
	tasktable.Replaced: {encode: (*worker).tokens, reads: []string{"text"}},
	tasktable.Entities: {encode: (*worker).entities, reads: []string{"text", "words", "entities"}},
	tasktable.Vector:   {encode: (*worker).vectors, reads: []string{"text", "pair", "score", "positive", "negatives"}},
}

// Reads returns the roles of the fields that the examples of a task have. A field of another role may hold anything.
func Reads(task tasktable.Task) []string { return append([]string{"id"}, methods[task].reads...) }

// judged lists the roles of fields that evaluations of a task read, and trainings do not.
var judged = map[tasktable.Task][]string{tasktable.Labels: {"answers"}, tasktable.Choices: {"answers"}, tasktable.Entities: {"labels"}}

// Judged returns the roles of the fields that the examples of a task have in an evaluation.
func Judged(task tasktable.Task) []string { return append(Reads(task), judged[task]...) }

// Task returns the task of the head.
func (e *Encoder) Task() tasktable.Task { return e.head.Task() }

// keeping returns a function that makes a sequencer keep one text whole and cut the context.
func keeping(cutting engine.Cutting, kept string) func(q *engine.Sequencer) {
	return func(q *engine.Sequencer) { q.Cutting, q.Kept, q.Cuttable = cutting, kept, "context" }
}

// NewEncoder returns an encoder for a training whose model reads the tokenizer's ids. An error tells why there is no way to make examples for it.
func NewEncoder(train *spec.Train, tok *token.Tokenizer, set Settings) (*Encoder, error) {
	model, err := token.ForModel(tok)
	if err != nil {
		return nil, err
	}
	words, ok := model.(tokenizer.WordTokenizer)
	if !ok {
		return nil, errors.New("the tokenizer does not tell where in a text its tokens stand")
	}
	e := &Encoder{train: train, head: train.Head, tok: words, set: set, labels: map[string]int{}, types: train.Head.Model.Embed.Segment != nil}
	limit := train.Length
	switch {
	case e.set.MaxTokens == 0:
		e.set.MaxTokens = limit
	case e.set.MaxTokens > limit:
		return nil, fmt.Errorf("--max-tokens %d: the training %s takes sequences of up to %d tokens (`length` in the spec)", set.MaxTokens, train.Name, limit)
	}
	for i, name := range e.head.Labels {
		e.labels[name] = i
	}
	task := e.head.Task()
	if e.method, ok = methods[task]; !ok {
		return nil, fmt.Errorf("no data can be prepared for the head %s, whose numbers are %s: feed its training by a program, see docs/training.md",
			e.head.FullName(), tasktable.Of(task).Numbers)
	}
	if err := e.also(); err != nil {
		return nil, err
	}
	if err := e.streams(task); err != nil {
		return nil, err
	}
	if frame := e.tok.Frame(); e.set.MaxTokens <= frame.Size(false) {
		return nil, fmt.Errorf("--max-tokens %d: it leaves no room beside %d special tokens", e.set.MaxTokens, frame.Size(false))
	}
	if task == tasktable.Entities {
		if set.Long != runtime.Reject {
			return nil, fmt.Errorf("--long %v: texts with entities are not cut for a training: leave the flag out, or raise `length` in the spec", set.Long)
		}
		if e.words, err = e.promptWords(); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// also refuses further losses that need other sequences than the first one.
func (e *Encoder) also() error {
	streams := func(h *spec.Head) bool { return h.Task() == tasktable.MLM || h.Task() == tasktable.Replaced }
	for i := range e.train.Also {
		if h := e.train.Also[i].Head; !streams(h) || !streams(e.head) {
			return fmt.Errorf("the losses of %s and %s need different data: feed the training by a program, see docs/training.md", e.head.FullName(),
				h.FullName())
		}
	}
	return nil
}

// heads returns the head of a training and those of its further losses, with the names of their targets.
func (e *Encoder) heads(use func(h *spec.Head, target string)) {
	use(e.head, "target")
	for i := range e.train.Also {
		use(e.train.Also[i].Head, "target."+e.train.Also[i].Head.FullName())
	}
}

// fault is the error of an example that cannot be encoded: the reason without its place.
type fault struct{ reason string }

// Error returns the reason.
func (f *fault) Error() string { return f.reason }

func faulty(format string, args ...any) error { return &fault{fmt.Sprintf(format, args...)} }

// worker encodes examples one after the other.
type worker struct {
	*Encoder
	q       engine.Sequencer
	encoded engine.Encoded
	windows []engine.Window
	seq     engine.Sequence
	out     result
}

// result is what an example becomes.
type result struct {
	rows   [][]prepared.Sequence
	stream []tokenizer.Span // of an example of a stream
	spans  []example.Entity // of an example whose prompt is made with the batch, in words
	cut    int              // tokens that were cut off
	labels []string         // that the example counts for
	err    error
}

// worker returns a new worker.
func (e *Encoder) worker() *worker {
	w := &worker{Encoder: e}
	w.q = engine.Sequencer{Tokenizer: e.tok, Spans: e.tok, Special: e.set.Special, Frame: e.tok.Frame(), Long: e.set.Long, MaxTokens: e.set.MaxTokens}
	w.q.Words = e.head.Take.Rows == tasktable.TakeWords
	if e.method.frame != nil {
		e.method.frame(&w.q)
	}
	return w
}

// encode returns what an example becomes.
func (w *worker) encode(e *example.Example) result {
	w.out = result{}
	if err := w.method.encode(w, e); err != nil {
		var text *runtime.TextError
		if errors.As(err, &text) { // there is one text, so its number means nothing
			what, _, choose := strings.Cut(text.What, engine.ChoosePolicy)
			if choose {
				what += " (--long truncate cuts it; `length` in the spec allows more)"
			}
			err = &fault{what}
		}
		w.out.err = err
	}
	for _, row := range w.out.rows {
		if most := w.passes(); len(row) > most && w.out.err == nil {
			w.out.err = faulty("it has %d sequences, and a pass of the training takes up to %d: raise `batch` in the spec, or the sequences of its parts",
				len(row), most)
		}
	}
	return w.out
}

// passes returns how many sequences a pass of the training takes.
func (e *Encoder) passes() int {
	if e.train.Part > 0 {
		return e.train.Part
	}
	return e.train.Batch
}

// Check returns a function that tells why an example cannot be used by the head, or nil.
func (e *Encoder) Check() func(x *example.Example) error {
	w := e.worker()
	return func(x *example.Example) error { return w.encode(x).err }
}

// text encodes a text and calls use for each of its sequences, of which there are several if the policy makes windows of it.
func (w *worker) text(t runtime.Text, use func(s *prepared.Sequence, at *engine.Window) error) error {
	if err := w.q.Encode(&w.encoded, 0, t); err != nil {
		return err
	}
	windows, seen, err := w.q.Cut(w.windows[:0], 0, &w.encoded)
	if err != nil {
		return err
	}
	w.windows = windows
	w.out.cut += seen.Truncated
	for i := range windows {
		w.q.Sequence(&w.seq, &windows[i], &w.encoded)
		s := prepared.Sequence{}
		s.IDs, s.Words, s.Prefix = slices.Clone(w.seq.IDs), slices.Clone(w.seq.Words), w.seq.Prefix
		if w.types {
			s.Types = slices.Clone(w.seq.Types)
		}
		if !w.prefix() {
			s.Prefix = 0
		}
		if err := use(&s, &windows[i]); err != nil {
			return err
		}
	}
	return nil
}

// whole encodes a text that must be one sequence: a label of a whole text is no label of its windows.
func (w *worker) whole(t runtime.Text) (*prepared.Sequence, error) {
	var only *prepared.Sequence
	err := w.text(t, func(s *prepared.Sequence, at *engine.Window) error {
		if at.Count > 1 {
			return faulty("it has %d windows, and its label is that of the whole text: use --long truncate", at.Count)
		}
		only = s
		return nil
	})
	return only, err
}

// textOf returns the text or the pair of an example.
func textOf(e *example.Example) (runtime.Text, error) {
	t := runtime.Text{First: e.Text}
	if e.Pair != nil {
		t.Second, t.Pair = *e.Pair, true
	}
	if e.Text == "" && len(e.Words) > 0 {
		return t, faulty("it has words, and the head reads a text")
	}
	return t, nil
}

// class returns the number of a label by its name, or by its number.
func (e *Encoder) class(label string) (int, error) {
	if i, ok := e.labels[label]; ok {
		return i, nil
	}
	if i, err := strconv.Atoi(label); err == nil && i >= 0 && i < len(e.head.Labels) && strconv.Itoa(i) == label {
		return i, nil
	}
	if near := spec.Nearest(label, e.head.Labels); near != "" {
		return 0, faulty("the head has no label %q; did you mean %q?", label, near)
	}
	return 0, faulty("the head has no label %q (there are: %s)", label, list(e.head.Labels))
}
