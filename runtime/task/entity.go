package task

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// The keys in the metadata's extra entries for the model's own limit on the words of a text, and for the ids of the tokens around labels if the
// tokenizer does not have them.
const (
	MaxWordsKey = "max_words"
	MarkKey     = "mark_id"
	EndKey      = "end_id"
)

// EntityOptions holds the settings of Extractor.Entities. The zero value stands for the defaults.
type EntityOptions struct {
	// Threshold is the probability that an entity must exceed, from 0 to 1; nil: 0.5.
	Threshold *float64
	// Thresholds holds the thresholds of single labels, by name. Threshold applies to the other labels.
	Thresholds map[string]float64
	// Nested allows entities inside other entities; otherwise no two share a word.
	Nested bool
	// MultiLabel allows several labels for the same words; otherwise only the best one is kept.
	MultiLabel bool
	// Right holds the right entities of each text, if they are known, for a loss; nil: they are not known.
	Right [][]RightEntity
}

// Extraction is the result for one text.
type Extraction struct {
	Entities []Entity `json:"entities"` // ordered by their first words; ties: the better one first. Scores are probabilities
	Words    int      `json:"words"`    // number of words of the text
	Read     int      `json:"-"`        // the byte after the last word that the model saw
	// Loss is the sum of the binary cross entropies of all numbers of the words that the model saw, for all labels of the call, if the right entities are
	// known. Terms is their number. Spans that would end after the text have no number.
	Loss  float64 `json:"-"`
	Terms int     `json:"-"`
	// Vectors are those of tokens and labels; nil if the model computes none.
	Vectors *Vectors `json:"vectors,omitempty"`
	// Tokens includes the labels' tokens. A text without words is not computed: it has no tokens and no windows.
	runtime.Seen
}

// Extractor finds entities whose labels are chosen with each call (GLiNER, Zaratiana et al. 2024). It is safe for concurrent use.
type Extractor struct {
	head
	tokens   tokenizer.WordTokenizer
	mark     int32        // token before each label
	end      int32        // token after the last label
	maxWords int          // limit on the words of a sequence; 0: only tokens are limited
	vectors  *spanVectors // nil: the model computes none
}

// NewExtractor returns an Extractor for the named head; "" means the first head. The head must score words for the labels of a prompt.
func NewExtractor(core *engine.Core, name string) (*Extractor, error) {
	h, err := newHead(core, name, "Extractor")
	if err != nil {
		return nil, err
	}
	if h.Prompt == nil {
		return nil, input("head %q of this model does not describe how labels stand in front of a text", h.Name)
	}
	x := &Extractor{head: h}
	t, err := core.SpanTokenizer()
	if err != nil {
		return nil, err
	}
	var ok bool
	if x.tokens, ok = t.(tokenizer.WordTokenizer); !ok {
		return nil, input("the tokenizer cannot read words one by one: entity extraction needs one that does")
	}
	for _, special := range []struct {
		text, key string
		id        *int32
	}{{h.Prompt.Mark, MarkKey, &x.mark}, {h.Prompt.End, EndKey, &x.end}} {
		if *special.id, ok = x.tokens.ID(special.text); ok {
			continue
		}
		id, found, err := x.extra(special.key, 0, core.Program().Limits.Vocab-1)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, input("the tokenizer has no token %q, which the labels of a prompt need", special.text)
		}
		*special.id = int32(id)
	}
	if x.maxWords, _, err = x.extra(MaxWordsKey, 1, math.MaxInt32); err != nil {
		return nil, err
	}
	x.vectors, err = newSpanVectors(&x.head)
	return x, err
}

// extra returns a number from the metadata's extra entries; found is false if there is no such entry.
func (x *Extractor) extra(key string, least, most int) (n int, found bool, err error) {
	text, found := x.core.Meta().Extra[key]
	if !found {
		return 0, false, nil
	}
	if n, err = strconv.Atoi(text); err != nil || n < least || n > most {
		return 0, true, x.core.MetaError("%s is %q, which is not a number from %d to %d", key, text, least, most)
	}
	return n, true, nil
}

// MaxWords returns the model's own limit on the words of a text; 0: only tokens are limited.
func (x *Extractor) MaxWords() int { return x.maxWords }

// prompt holds the labels of a call as they stand before every text.
type prompt struct {
	labels []string
	ids    []int32 // including the opening special tokens and the end token
	after  []int32 // the closing special tokens, after the text
	marks  []int32 // the row at which each label is read
}

// prompt tokenizes labels.
func (x *Extractor) prompt(labels []string) (*prompt, error) {
	if err := distinct(labels, "look for"); err != nil {
		return nil, err
	}
	tokens, err := x.tokens.AppendWords(nil, labels, false)
	if err != nil {
		return nil, inputOf(err, "the labels cannot be encoded: %v", err)
	}
	p := &prompt{labels: labels}
	frame := x.tokens.Frame()
	before, _, after := frame.Around(false)
	p.ids, p.after = slices.Clone(before), after
	for i, l := range labels {
		if strings.Contains(l, x.Prompt.Mark) || strings.Contains(l, x.Prompt.End) {
			return nil, input("label %q contains %s or %s, which separate labels", l, x.Prompt.Mark, x.Prompt.End)
		}
		row := int32(len(p.ids))
		p.ids = append(p.ids, x.mark)
		for len(tokens) > 0 && int(tokens[0].Word) == i {
			p.ids, tokens = append(p.ids, tokens[0].ID), tokens[1:]
		}
		if int(row) == len(p.ids)-1 {
			return nil, input("label %q has no tokens", l)
		}
		if x.Prompt.After {
			row++
		}
		p.marks = append(p.marks, row)
	}
	p.ids = append(p.ids, x.end)
	return p, nil
}

// thresholds returns the probability that the entities of each label must exceed.
func (o *EntityOptions) thresholds(labels []string) ([]float32, error) {
	all := defaultThreshold
	if o.Threshold != nil {
		all = *o.Threshold
	}
	list, err := thresholds(labels, all, o.Thresholds)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(list))
	for i, t := range list {
		out[i] = float32(t)
	}
	return out, nil
}

// Check returns an error if labels or options are invalid. It needs no text.
func (x *Extractor) Check(labels []string, o EntityOptions) error {
	if _, err := o.thresholds(labels); err != nil {
		return err
	}
	p, err := x.prompt(labels)
	if err == nil {
		err = x.room(p)
	}
	return err
}

// room checks that the labels leave room for a text.
func (x *Extractor) room(p *prompt) error {
	limit, frame := x.core.Options().MaxTokens, len(p.after)
	if limit > len(p.ids)+frame {
		return nil
	}
	return inputOf(runtime.ErrTooLong, "%d labels take %d tokens, the limit of a sequence with its text is %d: give fewer or shorter labels, or some in one "+
		"call and some in another (scores depend on all labels of a call)", len(p.labels), len(p.ids)+frame, limit)
}

// EntityInput is a text with labels of its own.
type EntityInput struct {
	Text   string
	Labels []string
	// Options holds the settings of the text; nil: those of the call. Its Right must be nil: right entities are those of the call.
	Options *EntityOptions
}

// Entities finds the entities of labels in texts. Results come in input order. A label's score depends on the other labels of the call. The model's
// policy decides what happens to texts with too many words or tokens. Windows share at least as many tokens as the policy's stride. If several windows
// hold a span of words, its score is that of the window in which it lies farthest from an edge.
func (x *Extractor) Entities(ctx context.Context, texts, labels []string, o EntityOptions) ([]Extraction, error) {
	if err := x.Check(labels, o); err != nil { // also without texts
		return nil, err
	}
	inputs := make([]EntityInput, len(texts))
	for i, t := range texts {
		inputs[i] = EntityInput{Text: t, Labels: labels}
	}
	return x.EntitiesEach(ctx, inputs, o)
}

// EntitiesEach finds entities in texts that have labels of their own. Results come in input order. Texts share batches whatever their labels are, and the
// result of a text has the same bits as if it were alone.
func (x *Extractor) EntitiesEach(ctx context.Context, inputs []EntityInput, o EntityOptions) ([]Extraction, error) {
	if o.Right != nil && len(o.Right) != len(inputs) {
		return nil, input("there are %d texts and right entities of %d", len(inputs), len(o.Right))
	}
	results, work := make([]Extraction, len(inputs)), make([]entitySearch, len(inputs))
	b, err := engine.NewBatcher(x.core, x.index, true, func(w *engine.Window, out []float32) error {
		if err := engine.CheckNumbers(w.Text, out); err != nil {
			return err
		}
		j := &work[w.Text]
		j.take(w.Index, out, x.Width)
		if w.Index == w.Count-1 {
			in, r := &inputs[w.Text], &results[w.Text]
			r.Entities, r.Loss, r.Terms = j.entities(in.Text, in.Labels, in.settings(&o)), j.loss, j.terms
			if r.Vectors != nil {
				r.Vectors.Tokens = j.tokens.list(in.Text, j.encoded.IDs, j.place)
			}
			if last := j.windows[w.Index].hi; last > 0 {
				r.Read = j.words[last-1].end
			}
			*j = entitySearch{}
		}
		return nil
	})
	if err == nil {
		err = b.Begin(ctx, false)
	}
	if err != nil {
		return nil, err
	}
	if x.vectors != nil {
		b.Vectors = func(w *engine.Window, rows map[string][]float32) error {
			return work[w.Text].takeVectors(x, w, inputs[w.Text].Labels, rows, &results[w.Text])
		}
	}
	// The labels stand before each window. The reference cuts texts at words, and always at the end.
	b.FrameName, b.WholeWords, b.MaxWords, b.Left = "the labels", true, x.maxWords, false
	var p *prompt
	for i := range inputs {
		in := &inputs[i]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if p, err = x.ready(in, p, &o, &work[i]); err != nil {
			return nil, &runtime.TextError{Text: i, What: err.Error(), Err: err}
		}
		b.Frame = tokenizer.Frame{Open: p.ids, Close: p.after}
		if err := x.add(ctx, b, i, in.Text, p, &work[i], &results[i], o.Right); err != nil {
			return nil, err
		}
	}
	return results, b.Flush(ctx)
}

// settings returns the settings of a text.
func (in *EntityInput) settings(o *EntityOptions) *EntityOptions {
	if in.Options != nil {
		return in.Options
	}
	return o
}

// ready checks the labels and settings of a text. It returns the prompt of the labels, which is the last one if that has the same labels.
func (x *Extractor) ready(in *EntityInput, last *prompt, o *EntityOptions, j *entitySearch) (p *prompt, err error) {
	if in.Options != nil && in.Options.Right != nil {
		return nil, input("Right is set in the settings of a text: right entities are those of the call")
	}
	if j.threshold, err = in.settings(o).thresholds(in.Labels); err != nil {
		return nil, err
	}
	if last != nil && slices.Equal(last.labels, in.Labels) {
		return last, nil
	}
	if p, err = x.prompt(in.Labels); err == nil {
		err = x.room(p)
	}
	return p, err
}

// add adds the windows of a text to the batch.
func (x *Extractor) add(ctx context.Context, b *engine.Batcher, i int, text string, p *prompt, j *entitySearch, r *Extraction,
	right [][]RightEntity) error {
	if err := engine.CheckUTF8("the text", text); err != nil {
		return engine.TextFault(i, "%v", err)
	}
	r.Entities = []Entity{}
	words := appendWords(nil, text)
	r.Words = len(words)
	list := make([]string, len(words))
	for w, s := range words {
		list[w] = text[s.start:s.end]
	}
	tokens, err := x.tokens.AppendWords(nil, list, false)
	if err != nil {
		return engine.NotEncoded(i, err)
	}
	e := engine.Encoded{IDs: make([]int32, len(tokens)), Spans: tokens, Split: len(tokens)}
	var first []int // first token of each word
	for t := range tokens {
		e.IDs[t] = tokens[t].ID
		if w := tokens[t].Word; t == 0 || w != tokens[t-1].Word {
			j.words, first = append(j.words, words[w]), append(first, t)
		}
		if x.vectors != nil {
			j.wordOf = append(j.wordOf, len(j.words)-1)
		}
	}
	if x.vectors != nil {
		j.vectors, j.encoded, r.Vectors = x.vectors, &e, &Vectors{Tokens: []TokenVector{}}
	}
	if len(j.words) == 0 {
		return nil
	}
	if right != nil {
		j.known(right[i], p.labels)
	}
	windows, seen, err := b.Cut(nil, i, &e)
	if err != nil {
		return err
	}
	r.Seen = seen
	var s engine.Sequence
	for n := range windows {
		j.windows = append(j.windows, wordsOf(&windows[n], first))
	}
	for n := range windows {
		b.Sequence(&s, &windows[n], &e)
		s.Marks = append(s.Marks, p.marks...)
		if err := b.AddSequence(ctx, windows[n], &s); err != nil {
			return err
		}
	}
	return nil
}

// DecodeEntities finds the entities of a text from a head's scores of all words for all labels [words, labels, columns]. Words cuts the text into these
// words. Columns are the scores of spans of 1 to widths words; if widths is 0, they are start, end and inside.
func DecodeEntities(text string, labels []string, logits []float32, widths int, o EntityOptions) ([]Entity, error) {
	if err := errors.Join(engine.CheckUTF8("the text", text), validUTF8("label", labels...)); err != nil {
		return nil, err
	}
	words := appendWords(nil, text)
	columns := widths
	if widths == 0 {
		columns = tokenColumns
	}
	if pairs := len(words) * len(labels); widths < 0 || pairs == 0 && len(logits) > 0 || pairs > 0 && (len(logits)%pairs != 0 || len(logits)/pairs != columns) {
		return nil, input("widths %d: %d scores are not those of %d words, %d labels and %d columns", widths, len(logits), len(words), len(labels), columns)
	}
	threshold, err := o.thresholds(labels)
	if err != nil {
		return nil, err
	}
	j := entitySearch{words: words, windows: []frameOf{{0, len(words)}}, threshold: threshold}
	j.take(0, logits, widths)
	return j.entities(text, labels, &o), nil
}

// Words cuts a text into the words that an Extractor scores. A word is a run of letters, numbers and underscores, which single hyphens may join, or a
// single other character that is not white space.
func Words(text string) []Part {
	at := places{text: text}
	var list []Part
	for _, w := range appendWords(nil, text) {
		list = append(list, at.place(text[w.start:w.end], w.start, w.end))
	}
	return list
}
