package task

import (
	"strings"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// LabelPrompt writes labels, a prompt and examples beside a text, and finds the places of the labels among the tokens.
type LabelPrompt struct {
	engine.Prompt
	tokens             tokenizer.SpanTokenizer
	mark, end, example int32 // tokens before each label, after the last label, before each example; example is -1 if there is no such token
	types              int   // token types of the model
}

// NewLabelPrompt returns the prompt of a head, for a model with these limits.
func NewLabelPrompt(p *engine.Prompt, t tokenizer.SpanTokenizer, l engine.Limits) (*LabelPrompt, error) {
	m := &LabelPrompt{Prompt: *p, tokens: t, example: -1, types: l.Types}
	for _, special := range []struct {
		text string
		id   *int32
	}{{p.Mark, &m.mark}, {p.End, &m.end}, {p.Example, &m.example}} {
		if special.text == "" {
			continue
		}
		id, ok := t.ID(special.text)
		if !ok {
			return nil, input("the tokenizer has no token %q, which the labels of a prompt need", special.text)
		}
		*special.id = id
	}
	return m, nil
}

// frame returns the number of special tokens around a text.
func (m *LabelPrompt) frame() int {
	f := m.tokens.Frame()
	return f.Size(false)
}

// check returns an error if labels or options are invalid.
func (m *LabelPrompt) check(labels []string, o *MatchOptions) error {
	if o.MaxLength < 0 || o.MaxLength > 0 && o.MaxLength <= m.frame() {
		return input("MaxLength is %d: it must be above the %d special tokens around a text, or 0", o.MaxLength, m.frame())
	}
	for _, l := range labels {
		if err := m.plain("label", l); err != nil {
			return err
		}
	}
	if len(o.Examples) > 0 && m.Example == "" {
		return input("the head reads no examples")
	}
	if err := engine.CheckUTF8("the prompt", o.Prompt); err != nil {
		return err
	}
	for _, e := range o.Examples {
		if err := engine.CheckUTF8("the text of an example", e.Text); err != nil {
			return err
		}
		for _, l := range e.Labels {
			if err := m.plain("label of an example", l); err != nil {
				return err
			}
		}
	}
	return nil
}

// plain returns an error if a label would be read as several labels.
func (m *LabelPrompt) plain(what, label string) error {
	if err := engine.CheckUTF8("a "+what, label); err != nil {
		return err
	}
	for _, mark := range []string{m.Mark, m.End, m.Example} {
		if mark != "" && strings.Contains(label, mark) {
			return input("the %s %q contains %s, which separates labels", what, label, mark)
		}
	}
	return nil
}

// Input returns the text that the model reads: labels, prompt, text and examples.
func (m *LabelPrompt) Input(in MatchInput, o MatchOptions) string {
	var b strings.Builder
	if m.Last {
		b.WriteString(in.Text)
	}
	for _, l := range in.Labels {
		b.WriteString(m.Mark + l)
	}
	b.WriteString(m.End + o.Prompt)
	if !m.Last {
		b.WriteString(in.Text)
	}
	for _, e := range o.Examples {
		b.WriteString(m.Example + e.Text + " \nLabels:\n " + strings.Join(e.Labels, ", "))
	}
	if len(o.Examples) > 0 {
		b.WriteString(m.End)
	}
	return b.String()
}

// Sequence builds the sequence of a text, cut to the MaxLength of its options. It returns how many labels were cut off.
func (m *LabelPrompt) Sequence(s *engine.Sequence, in MatchInput, o MatchOptions) (cut int, err error) {
	if err := m.encode(s, &in, &o); err != nil {
		return 0, err
	}
	if o.MaxLength > 0 {
		m.cut(s, min(len(s.IDs), o.MaxLength))
	}
	return m.places(s, len(in.Labels)), nil
}

// encode sets the tokens of a sequence. The names of special tokens are read as these tokens, in the text too, as the published code does.
func (m *LabelPrompt) encode(s *engine.Sequence, in *MatchInput, o *MatchOptions) (err error) {
	s.Reset()
	frame := m.tokens.Frame()
	before, _, after := frame.Around(false)
	if s.IDs, err = m.tokens.AppendIDs(append(s.IDs, before...), m.Input(*in, *o), true); err == nil {
		s.IDs = append(s.IDs, after...)
	}
	return err
}

// spans returns the tokens of the text that the model reads, without those around it, and the byte at which the caller's text begins in it.
func (m *LabelPrompt) spans(in *MatchInput, o *MatchOptions) (spans []tokenizer.Span, begin int, err error) {
	input := m.Input(*in, *o)
	if !m.Last {
		bare := *in
		bare.Text = ""
		alone := *o
		alone.Examples = nil
		begin = len(m.Input(bare, alone))
	}
	spans, err = m.tokens.AppendSpans(nil, input, true)
	return spans, begin, err
}

// cut leaves n tokens of a sequence, of which the last ones are those after a text.
func (m *LabelPrompt) cut(s *engine.Sequence, n int) {
	frame := m.tokens.Frame()
	_, _, after := frame.Around(false)
	s.IDs = append(s.IDs[:n-len(after)], after...)
}

// places sets the rows of the labels of a sequence, where its text begins, and the kinds of its tokens. It returns how many labels were cut off.
func (m *LabelPrompt) places(s *engine.Sequence, labels int) (cut int) {
	ids, n := s.IDs, int32(len(s.IDs))
	var marks []int32
	end, examples := int32(-1), false
	for i, id := range ids {
		switch id {
		case m.mark:
			marks = append(marks, int32(i))
		case m.end:
			if end < 0 {
				end = int32(i)
			}
		}
		examples = examples || id == m.example
	}
	last := int32(0)
	for k := range labels {
		lo, hi := last, last // a label without tokens
		if k < len(marks) {
			lo, hi = m.label(marks, k, n, end)
		} else {
			cut++
		}
		lo, hi = max(lo, last), max(hi, last)
		s.Words = append(s.Words, lo, hi)
		last = hi
	}
	if m.FromEnd {
		s.Prefix = max(end, 0)
	}
	for i := range ids {
		if m.types == 0 {
			break
		}
		kind := int32(0)
		switch {
		case examples: // as in the published code, which looks for the first token that does not begin an example
			kind = 2
		case int32(i) >= end:
			kind = 1
		}
		s.Types = append(s.Types, min(kind, int32(m.types)-1))
	}
	return cut
}

// label returns the rows of label k, of n rows. end is the row of the token after the labels, or -1.
func (m *LabelPrompt) label(marks []int32, k int, n, end int32) (lo, hi int32) {
	lo = marks[k]
	if m.After {
		lo++
	}
	if !m.Whole {
		return min(lo, n), min(lo+1, n)
	}
	if hi = n; k+1 < len(marks) {
		hi = marks[k+1]
	}
	if m.FromEnd && end >= 0 {
		hi = min(hi, end)
	}
	return min(lo, hi), hi
}
