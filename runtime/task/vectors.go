package task

import (
	"fmt"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// Vectors holds the vectors that a model computes beside a result if the target in its spec has the word vectors. Vectors of entities are with the entities.
type Vectors struct {
	// Tokens holds the last hidden state of every token of the text that the model saw, in their order. If windows share a token, it is that of the window
	// in which the token lies farthest from an edge.
	Tokens []TokenVector `json:"tokens"`
	// Labels holds what the head compares the text with, one vector per label of the call. If the text was read in windows, they are those of the first
	// window. Labels that the model was trained with have none.
	Labels []LabelVector `json:"labels,omitempty"`
	// Text is what a Matcher compares labels with; nil if it compares them with every token.
	Text []float32 `json:"text,omitempty"`
}

// TokenVector is the vector of a token.
type TokenVector struct {
	Part             // of the token; where a text is divided into words before it becomes tokens, of the token's word
	ID     int32     `json:"id"`
	Vector []float32 `json:"vector"` // [hidden]
}

// LabelVector is the vector of a label.
type LabelVector struct {
	Task   string    `json:"task,omitempty"` // of a schema: the name of the structure, relation or classification, or "entities"
	Label  string    `json:"label"`
	Vector []float32 `json:"vector"` // of a label of entities or a field of a head that scores spans: what a span's vector is multiplied with for its logit
}

// columns returns the numbers per row of one of the head's outputs; ok is false if it has no such output.
func (h *head) columns(name string) (n int, ok bool) {
	for i := range h.Parts {
		if h.Parts[i].Name == name {
			return h.Parts[i].C, true
		}
	}
	return 0, false
}

// row returns a copy of row i of an output with vectors.
func (h *head) row(rows map[string][]float32, name string, i int) []float32 {
	c, ok := h.columns(name)
	if !ok {
		return nil
	}
	return append([]float32(nil), rows[name][i*c:(i+1)*c]...)
}

// spanVectors computes the vectors of parts of texts.
type spanVectors struct {
	*head
	weight, bias []float32 // [H, 4H], [H]; nil: a vector is the mean of what the head reads of the words
}

// newSpanVectors returns nil for a head without vectors.
func newSpanVectors(h *head) (*spanVectors, error) {
	if !h.HasVectors() {
		return nil, nil
	}
	v := &spanVectors{head: h}
	inner, ok := h.columns(tasktable.FirstVectors)
	if !ok {
		return v, nil
	}
	for _, kept := range []struct {
		name string
		into *[]float32
	}{{tasktable.SpanWeight, &v.weight}, {tasktable.SpanBias, &v.bias}} {
		t, err := h.core.Tensor(kept.name)
		if err != nil {
			return nil, err
		}
		for i, x := range t {
			if x-x != 0 { // NaN or Inf
				return nil, fmt.Errorf("tensor %q: number %d is %v: the weights may be damaged, run debertac pack again", kept.name, i, x)
			}
		}
		*kept.into = t
	}
	if n := len(v.bias); n == 0 || len(v.weight) != n*inner {
		return nil, h.core.MetaError("%s and %s have %d and %d numbers, spans of %d need others: run debertac pack again", tasktable.SpanWeight,
			tasktable.SpanBias, len(v.weight), len(v.bias), inner)
	}
	return v, nil
}

// keep copies those rows of a window that the vectors of its spans follow from.
func (v *spanVectors) keep(rows map[string][]float32) map[string][]float32 {
	kept := map[string][]float32{}
	for _, name := range []string{tasktable.FirstVectors, tasktable.LastVectors, tasktable.WordVectors} {
		if r, ok := rows[name]; ok {
			kept[name] = append([]float32(nil), r...)
		}
	}
	return kept
}

// of returns the vector of words [first, last] of a window, both included. Sums are in float64.
func (v *spanVectors) of(rows map[string][]float32, first, last int) []float32 {
	if v.weight == nil {
		c, _ := v.columns(tasktable.WordVectors)
		return mean(rows[tasktable.WordVectors][first*c:(last+1)*c], c)
	}
	a, b := rows[tasktable.FirstVectors], rows[tasktable.LastVectors]
	n := len(v.weight) / len(v.bias)
	inner := make([]float64, n)
	for k := range inner {
		inner[k] = max(0, float64(a[first*n+k])+float64(b[last*n+k]))
	}
	out := make([]float32, len(v.bias))
	for r := range out {
		sum := float64(v.bias[r])
		for k, w := range v.weight[r*n : (r+1)*n] {
			sum += float64(w) * inner[k]
		}
		out[r] = float32(sum)
	}
	return out
}

// mean returns the mean of one or more rows of c columns.
func mean(rows []float32, c int) []float32 {
	sum := make([]float64, c)
	for i, x := range rows {
		sum[i%c] += float64(x)
	}
	out := make([]float32, c)
	for k, s := range sum {
		out[k] = float32(s * float64(c) / float64(len(rows)))
	}
	return out
}

// tokenVectors collects the vectors of the tokens of a text from its windows.
type tokenVectors struct {
	vec     [][]float32 // of each token; nil: not seen yet
	margins []int
}

// take reads the rows of a window.
func (v *tokenVectors) take(h *head, w *engine.Window, e *engine.Encoded, rows map[string][]float32) error {
	if err := engine.CheckNumbers(w.Text, rows[tasktable.TokenVectors]); err != nil {
		return err
	}
	if v.vec == nil {
		v.vec, v.margins = make([][]float32, len(e.IDs)), make([]int, len(e.IDs))
	}
	for t := w.First; t < w.FirstEnd; t++ {
		m := margin(t, t+1, w.First, w.FirstEnd, 0, len(e.IDs))
		if row, ok := w.Row(t); ok && (v.vec[t] == nil || m > v.margins[t]) {
			v.vec[t], v.margins[t] = h.row(rows, tasktable.TokenVectors, row), m
		}
	}
	return nil
}

// list returns the tokens that were seen. place returns the bytes of a token.
func (v *tokenVectors) list(text string, ids []int32, place func(t int) (start, end int)) []TokenVector {
	list, at := []TokenVector{}, places{text: text}
	for t, vec := range v.vec {
		if vec == nil {
			continue
		}
		start, end := place(t)
		list = append(list, TokenVector{Part: at.part(start, end), ID: ids[t], Vector: vec})
	}
	return list
}

// placeOf returns the function that finds the bytes of tokens in their spans.
func placeOf(spans []tokenizer.Span) func(t int) (start, end int) {
	return func(t int) (int, int) { return int(spans[t].Start), int(spans[t].End) }
}

// entities sets the vectors of entities to the means of those of their tokens.
func (v *tokenVectors) entities(h *head, list []Entity, spans []tokenizer.Span) {
	c, _ := h.columns(tasktable.TokenVectors)
	for i := range list {
		e := &list[i]
		var rows []float32
		for t, vec := range v.vec {
			if vec != nil && int(spans[t].End) > e.Start && int(spans[t].Start) < e.End {
				rows = append(rows, vec...)
			}
		}
		e.Vector = mean(rows, c)
	}
}

// vectors sets the vectors of a Matcher's text.
func (m *Matcher) vectors(r *Matched, i int, in *MatchInput, o *MatchOptions, rows map[string][]float32) error {
	if err := engine.CheckNumbers(i, rows[tasktable.TokenVectors]); err != nil {
		return err
	}
	spans, begin, err := m.prompt.spans(in, o)
	if err != nil {
		return engine.NotEncoded(i, err)
	}
	v := &Vectors{Tokens: []TokenVector{}, Text: m.row(rows, tasktable.TextVectors, 0)}
	for k, l := range in.Labels {
		v.Labels = append(v.Labels, LabelVector{Label: l, Vector: m.row(rows, tasktable.LabelVectors, k)})
	}
	frame := m.prompt.tokens.Frame()
	before, _, after := frame.Around(false)
	at := places{text: in.Text}
	for t := range spans[:min(len(spans), r.Tokens-len(before)-len(after))] { // the others were cut
		start, end := int(spans[t].Start)-begin, int(spans[t].End)-begin
		if end <= 0 || start >= len(in.Text) {
			continue
		}
		v.Tokens = append(v.Tokens, TokenVector{Part: at.part(max(start, 0), min(end, len(in.Text))), ID: spans[t].ID,
			Vector: m.row(rows, tasktable.TokenVectors, len(before)+t)})
	}
	r.Vectors = v
	return nil
}
