package task

import (
	"context"
	"math"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// MatchExample is a text with the labels that fit it.
type MatchExample struct {
	Text   string
	Labels []string
}

// MatchOptions holds the settings of a Matcher. The zero value stands for the defaults.
type MatchOptions struct {
	// Threshold is the least probability of a label that fits, from 0 to 1; nil: 0.5.
	Threshold *float64
	// Single makes labels share one probability; the best one alone fits, whatever the threshold is. Otherwise each label has a probability of its own.
	Single bool
	// Prompt describes the task. It stands between the labels and the text.
	Prompt string
	// Examples show which labels fit which texts. They follow the text.
	Examples []MatchExample
	// MaxLength cuts a text with its labels to this number of tokens, including special tokens; Matched tells what was cut. 0: a text that is too long is
	// an error.
	MaxLength int
}

// MatchInput is a text with labels of its own.
type MatchInput struct {
	Text   string
	Labels []string
	// Options holds the settings of the text; nil: those of the call.
	Options *MatchOptions
}

// MatchedLabel is a label with its probability.
type MatchedLabel struct {
	Label string  `json:"label"`
	Index int     `json:"-"` // index of the label in the caller's list
	Score float64 `json:"score"`
}

// Matched is the result for one text.
type Matched struct {
	Labels []MatchedLabel `json:"labels"` // those that fit, in the order of the caller's labels
	Scores []float64      `json:"-"`      // the probability of every label, in the order of the caller's labels
	// LabelsCut is the number of labels of which no token was left: their scores say nothing. It is 0 without MaxLength.
	LabelsCut int `json:"labels_cut,omitempty"`
	// Vectors are those of tokens, of labels, and of the text; nil if the model computes none.
	Vectors *Vectors `json:"vectors,omitempty"`
	// Tokens includes the tokens of labels, prompt and examples.
	runtime.Seen
}

// Matcher scores texts against labels that are chosen with each call, or with each text (GLiClass, Stepanov et al. 2025). It is safe for concurrent use.
type Matcher struct {
	head
	prompt *LabelPrompt
}

// NewMatcher returns a Matcher for the named head; "" means the first head. The head must score the labels of a prompt.
func NewMatcher(core *engine.Core, name string) (*Matcher, error) {
	h, err := newHead(core, name, "Matcher")
	if err != nil {
		return nil, err
	}
	if h.Prompt == nil {
		return nil, input("head %q of this model does not describe how labels stand beside a text", h.Name)
	}
	t, err := core.SpanTokenizer()
	if err != nil {
		return nil, err
	}
	p, err := NewLabelPrompt(h.Prompt, t, core.Program().Limits)
	return &Matcher{h, p}, err
}

// Check returns an error if labels or options are invalid. It needs no text.
func (m *Matcher) Check(labels []string, o MatchOptions) error {
	if len(labels) == 0 {
		return input("there are no labels to choose from")
	}
	if t := o.Threshold; t != nil && !(*t >= 0 && *t <= 1) {
		return input("Threshold is %v: it must be from 0 to 1", *t)
	}
	return m.prompt.check(labels, &o)
}

// Match scores texts against the same labels. Results come in input order. A label's score depends on the other labels.
func (m *Matcher) Match(ctx context.Context, texts, labels []string, o MatchOptions) ([]Matched, error) {
	if err := m.Check(labels, o); err != nil { // also without texts
		return nil, err
	}
	inputs := make([]MatchInput, len(texts))
	for i, t := range texts {
		inputs[i] = MatchInput{Text: t, Labels: labels}
	}
	return m.MatchEach(ctx, inputs, o)
}

// MatchEach scores each text against labels of its own. Results come in input order. The numbers of a text do not depend on the others.
func (m *Matcher) MatchEach(ctx context.Context, inputs []MatchInput, o MatchOptions) ([]Matched, error) {
	if m.core.Options().Long.Windowed() {
		return nil, input("a text is read together with its labels, so it is not read in windows: set Long to Reject or Truncate")
	}
	results := make([]Matched, len(inputs))
	b, err := engine.NewBatcher(m.core, m.index, false, func(w *engine.Window, out []float32) error {
		if err := engine.CheckNumbers(w.Text, out); err != nil {
			return err
		}
		in := &inputs[w.Text]
		results[w.Text].choose(in.Labels, out, *in.settings(&o))
		return nil
	})
	if err == nil {
		err = b.Begin(ctx, false)
	}
	if err != nil {
		return nil, err
	}
	if m.HasVectors() {
		b.Vectors = func(w *engine.Window, rows map[string][]float32) error {
			in := &inputs[w.Text]
			return m.vectors(&results[w.Text], w.Text, in, in.settings(&o), rows)
		}
	}
	var s engine.Sequence
	for i := range inputs {
		in := &inputs[i]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := m.Check(in.Labels, *in.settings(&o)); err != nil {
			return nil, &runtime.TextError{Text: i, What: err.Error(), Err: err}
		}
		if err := m.sequence(&s, &results[i], i, in, in.settings(&o)); err != nil {
			return nil, err
		}
		if err := b.AddSequence(ctx, engine.Window{Text: i, Count: 1}, &s); err != nil {
			return nil, err
		}
	}
	return results, b.Flush(ctx)
}

// settings returns the settings of a text.
func (in *MatchInput) settings(o *MatchOptions) *MatchOptions {
	if in.Options != nil {
		return in.Options
	}
	return o
}

// sequence builds the sequence of text number i.
func (m *Matcher) sequence(s *engine.Sequence, r *Matched, i int, in *MatchInput, o *MatchOptions) error {
	if err := engine.CheckUTF8("the text", in.Text); err != nil {
		return engine.TextFault(i, "%v", err)
	}
	if err := m.prompt.encode(s, in, o); err != nil {
		return engine.NotEncoded(i, err)
	}
	size, limit := len(s.IDs), m.core.Options().MaxTokens
	room := size
	if o.MaxLength > 0 {
		room = min(room, o.MaxLength)
	}
	if room > limit && m.core.Options().Long == runtime.Reject {
		return engine.LongFault(i, "%d tokens with its labels are too long, the limit is %d: shorten it, or set MaxLength (max_length in a line of input), "+
			"which cuts it", size, limit)
	}
	if special := m.prompt.frame(); min(room, limit) <= special {
		return engine.LongFault(i, "the limit of %d tokens leaves no room beside %d special tokens: raise it", limit, special)
	}
	room = min(room, limit)
	m.prompt.cut(s, room)
	r.Seen = runtime.Seen{Tokens: room, Truncated: size - room, Windows: 1}
	r.LabelsCut = m.prompt.places(s, len(in.Labels))
	return nil
}

// DecodeMatch returns the result for a text from a head's numbers, one for each label.
func DecodeMatch(labels []string, logits []float32, o MatchOptions) Matched {
	var r Matched
	r.choose(labels, logits, o)
	return r
}

// choose sets the probabilities of labels and chooses those that fit.
func (r *Matched) choose(labels []string, logits []float32, o MatchOptions) {
	r.Scores = make([]float64, len(labels))
	r.Labels = []MatchedLabel{}
	best := 0
	for i, z := range logits {
		if z > logits[best] {
			best = i
		}
		r.Scores[i] = sigmoid(float64(z))
	}
	if o.Single {
		sum := 0.0
		for i, z := range logits {
			r.Scores[i] = math.Exp(float64(z) - float64(logits[best]))
			sum += r.Scores[i]
		}
		for i := range r.Scores {
			r.Scores[i] /= sum
		}
		r.Labels = append(r.Labels, MatchedLabel{labels[best], best, r.Scores[best]})
		return
	}
	threshold := defaultThreshold
	if o.Threshold != nil {
		threshold = *o.Threshold
	}
	for i, p := range r.Scores {
		if p >= threshold {
			r.Labels = append(r.Labels, MatchedLabel{labels[i], i, p})
		}
	}
}
