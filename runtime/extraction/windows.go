package extraction

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Window is a part of a long text that is read as a text of its own.
type Window struct {
	Text  string
	Place // in the long text
}

// Windows returns the windows of a text: Options.Window words each, of which neighbors share Options.Share; with a Window of 0, the text is one window. A
// window that is read, as Read does, with Options.Window as the limit on its words loses the full stop that Read adds, unless it has fewer words; this is not
// counted as cut.
func Windows(text string, o *Options) []Window {
	words := Split(text, o.Splitter)
	if len(words) == 0 || o.Window == 0 {
		return []Window{{text, Place{End: len(text), RuneEnd: utf8.RuneCountInString(text)}}}
	}
	var windows []Window
	for from := 0; ; from += o.Window - o.Share {
		to := min(from+o.Window, len(words))
		first, last := &words[from].Place, &words[to-1].Place
		p := Place{first.Start, last.End, first.RuneStart, last.RuneEnd}
		windows = append(windows, Window{text[p.Start:p.End], p})
		if to == len(words) {
			return windows
		}
	}
}

// Merge joins the results of the windows of a text. DefaultOverlap stands for Flat. Entities are chosen again by the rule for overlaps and then ordered by
// their place. Equal pairs and instances are kept once, with the scores of the one that is more certain. A classification with one answer has that of the
// most certain window, the others have all labels of all windows.
func Merge(text string, windows []Window, results []*Result, overlap Overlap) *Result {
	if overlap == DefaultOverlap {
		overlap = Flat
	}
	m := &Result{merged: true}
	for i, r := range results {
		m.entities, m.attributed = r.entities, r.attributed
		if m.Entities == nil {
			for _, e := range r.Entities {
				m.Entities = append(m.Entities, Entities{Label: e.Label, One: e.One})
			}
		}
		for j, e := range r.Entities {
			for _, s := range e.Spans {
				m.Entities[j].Spans = append(m.Entities[j].Spans, windows[i].shift(s, text))
			}
		}
		m.addPairs(r.Pairs, &windows[i], text)
		m.addInstances(r.Instances, &windows[i], text)
		m.addAnswers(r.Answers)
	}
	for i := range m.Entities {
		e := &m.Entities[i]
		e.Spans = first(again(e.Spans, overlap), e.One)
	}
	for i := range m.Pairs {
		p := &m.Pairs[i]
		p.Pairs = once(p.Pairs, Pair.same, Pair.certainty)
	}
	for i := range m.Instances {
		s := &m.Instances[i]
		s.Instances = once(s.Instances, Instance.same, Instance.certainty)
	}
	for i := range m.Answers {
		if a := &m.Answers[i]; a.Multi {
			a.Labels = once(a.Labels, func(s Scored) string { return s.Label }, func(s Scored) float64 { return s.Score })
		}
	}
	return m
}

// shift returns a span of a window as one of the text. A full stop that was added stands for the next character of the text; at the end of the text, a span
// that ends with it keeps its own text.
func (w *Window) shift(s Span, text string) Span {
	s.Start, s.End = s.Start+w.Start, s.End+w.Start
	if s.End > w.End && w.End < len(text) {
		_, n := utf8.DecodeRuneInString(text[w.End:]) // the stop is one byte, the next character may have more
		s.End = w.End + n
	}
	s.RuneStart, s.RuneEnd = s.RuneStart+w.RuneStart, s.RuneEnd+w.RuneStart
	if s.End <= len(text) {
		s.Text = text[s.Start:s.End]
	}
	return s
}

func (m *Result) addPairs(pairs []Pairs, w *Window, text string) {
	if m.Pairs == nil {
		m.Pairs = make([]Pairs, len(pairs))
	}
	for i, p := range pairs {
		to := &m.Pairs[i]
		to.Relation, to.key, to.empty = p.Relation, p.key, to.empty || p.empty
		for _, x := range p.Pairs {
			to.Pairs = append(to.Pairs, Pair{w.shift(x.Head, text), w.shift(x.Tail, text)})
		}
	}
}

func (m *Result) addInstances(instances []Instances, w *Window, text string) {
	if m.Instances == nil {
		m.Instances = make([]Instances, len(instances))
	}
	for i, s := range instances {
		to := &m.Instances[i]
		to.Structure, to.linked, to.Counted, to.empty = s.Structure, s.linked, to.Counted || s.Counted, append(to.empty, s.empty...)
		for _, x := range s.Instances {
			values := slices.Clone(x)
			for j := range values {
				values[j].Spans = slices.Clone(values[j].Spans)
				for k := range values[j].Spans {
					values[j].Spans[k] = w.shift(values[j].Spans[k], text)
				}
			}
			to.Instances = append(to.Instances, values)
		}
	}
}

func (m *Result) addAnswers(answers []Answer) {
	if m.Answers == nil {
		m.Answers = make([]Answer, len(answers))
	}
	for i, a := range answers {
		to := &m.Answers[i]
		switch {
		case to.Labels == nil:
			to.Task, to.Multi, to.Labels = a.Task, a.Multi, slices.Clone(a.Labels)
		case a.Multi:
			to.Labels = append(to.Labels, a.Labels...)
		case a.Labels[0].Score > to.Labels[0].Score:
			to.Labels = slices.Clone(a.Labels)
		}
	}
}

// again chooses spans of several windows by a rule and orders them by their place.
func again(spans []Span, overlap Overlap) []Span {
	c := make([]candidate, len(spans))
	for i, s := range spans {
		c[i] = candidate{s.Score, s.Start, s.End, i}
	}
	c = overlap.resolve(c)
	slices.SortFunc(c, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	kept := make([]Span, len(c))
	for i, a := range c {
		kept[i] = spans[a.item]
	}
	return kept
}

// once leaves the most certain of the items with the same key, at the place of the first one.
func once[T any](items []T, key func(T) string, certainty func(T) float64) []T {
	var kept []T
	at := map[string]int{}
	for _, x := range items {
		k := key(x)
		if i, ok := at[k]; !ok {
			at[k] = len(kept)
			kept = append(kept, x)
		} else if certainty(x) > certainty(kept[i]) {
			kept[i] = x
		}
	}
	return kept
}

// same returns a text that is the same for spans that differ in their scores alone.
func (s Span) same() string { return fmt.Sprintf("%q %d %d", s.Text, s.Start, s.End) }

func (p Pair) same() string { return p.Head.same() + " " + p.Tail.same() }

func (p Pair) certainty() float64 { return max(p.Head.Score, p.Tail.Score) }

func (i Instance) same() string {
	var b strings.Builder
	for _, v := range i {
		for _, s := range v.Spans {
			b.WriteString(s.same() + ",")
		}
		for _, c := range v.Choices {
			fmt.Fprintf(&b, "%q,", c.Label)
		}
		b.WriteByte(';')
	}
	return b.String()
}

func (i Instance) certainty() float64 {
	top := 0.0
	for _, v := range i {
		for _, s := range v.Spans {
			top = max(top, s.Score)
		}
		for _, c := range v.Choices {
			top = max(top, c.Score)
		}
	}
	return top
}
