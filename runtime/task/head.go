package task

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
)

// inputError is an error that the caller's input causes; it wraps runtime.ErrInput.
type inputError struct{ text string }

func (e *inputError) Error() string        { return e.text }
func (e *inputError) Is(target error) bool { return target == runtime.ErrInput }

func input(format string, args ...any) error {
	return &inputError{fmt.Sprintf(format, args...)}
}

// head is a head of an open model, as all tasks need it.
type head struct {
	core  *runtime.Core
	index int
	*runtime.Head
}

// newHead finds a head by name ("" is the first) and checks that it is for one of the
// tasks. who says what it is wanted for. Heads of packages that say no task must give a
// row of one of the kinds, of columns outputs (0: any number).
func newHead(core *runtime.Core, name, who string, tasks []runtime.Task, rows []runtime.Rows, columns int) (head, error) {
	if core == nil {
		return head{}, input("%s: the model is nil", who)
	}
	i, err := core.HeadIndex(name)
	if err != nil {
		return head{}, err
	}
	h := head{core, i, &core.Program().Heads[i]}
	switch {
	case h.Task != "" && !slices.Contains(tasks, h.Task):
		var want []string
		for _, t := range tasks {
			want = append(want, string(t))
		}
		return head{}, input("head %q of this model is for %s; %s needs one for %s", h.Name, h.Task, who, strings.Join(want, " or "))
	case !slices.Contains(rows, h.Rows):
		return head{}, input("head %q of this model gives a row %v; %s needs a row %v", h.Name, h.Rows, who, rows[0])
	case columns != 0 && h.C != columns:
		return head{}, input("head %q of this model gives %d numbers a row; %s needs %d", h.Name, h.C, who, columns)
	}
	return h, nil
}

// stream is how a call runs texts through a head.
type stream struct {
	spans   bool // places of tokens are needed
	cutting runtime.Cutting
	long    *runtime.LongPolicy // instead of the model's
	// begin receives each text before its windows are computed; nil: nothing to do.
	begin func(n int, e *runtime.Encoded) error
	// take receives each window of a text with its outputs. Both change afterwards.
	take func(w *runtime.Window, e *runtime.Encoded, out []float32) error
	// choose is runtime.Batcher's Choose.
	choose func(dst []int32, w *runtime.Window, e *runtime.Encoded) []int32
}

// run computes texts. The tokens of all texts are kept until the call is over.
func (h *head) run(ctx context.Context, texts []runtime.Text, s stream) ([]*runtime.Encoded, []runtime.Seen, error) {
	encoded := make([]*runtime.Encoded, len(texts))
	b, err := runtime.NewBatcher(h.core, h.index, s.spans, func(w *runtime.Window, out []float32) error {
		return s.take(w, encoded[w.Text], out)
	})
	if err != nil {
		return nil, nil, err
	}
	b.Cutting, b.Choose = s.cutting, s.choose
	if s.long != nil {
		b.Long = *s.long
	}
	if err := b.Begin(ctx, slices.ContainsFunc(texts, func(t runtime.Text) bool { return t.Pair })); err != nil {
		return nil, nil, err
	}
	seen := make([]runtime.Seen, len(texts))
	for i, t := range texts {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		encoded[i] = new(runtime.Encoded)
		if err := b.Encode(encoded[i], i, t); err != nil {
			return nil, nil, err
		}
		if s.begin != nil {
			if err := s.begin(i, encoded[i]); err != nil {
				return nil, nil, err
			}
		}
		if seen[i], err = b.Add(ctx, i, encoded[i]); err != nil {
			return nil, nil, err
		}
	}
	return encoded, seen, b.Flush(ctx)
}

// singles and pairs make inputs.
func singles(texts []string) []runtime.Text {
	list := make([]runtime.Text, len(texts))
	for i, t := range texts {
		list[i].First = t
	}
	return list
}

func pairs(texts [][2]string) []runtime.Text {
	list := make([]runtime.Text, len(texts))
	for i, t := range texts {
		list[i] = runtime.Text{First: t[0], Second: t[1], Pair: true}
	}
	return list
}

// rows collects a row of outputs for each token of a text over its windows: of a token
// that two windows hold, the row of that in which it lies farther from an edge counts
// (the first of equals). The text's own ends are no edges.
type rows struct {
	c      int
	tokens int
	values []float32 // [tokens, C]
	margin []int     // of each token's row; -1: none yet
}

// newRows makes room for a text's tokens.
func newRows(tokens, c int) *rows {
	r := &rows{c: c, tokens: tokens, values: make([]float32, tokens*c), margin: make([]int, tokens)}
	for i := range r.margin {
		r.margin[i] = -1
	}
	return r
}

// take reads a window of a single text; out has a row for each of the window's rows.
func (r *rows) take(w *runtime.Window, out []float32) {
	for t := w.First; t < w.Last; t++ {
		row := w.FirstRow + t - w.First
		r.offer(w, t, out[row*r.c:(row+1)*r.c])
	}
}

// offer takes a row for token t if it is better than the one that is there.
func (r *rows) offer(w *runtime.Window, t int, row []float32) {
	m := r.tokens // farther than any edge
	if w.First > 0 {
		m = t - w.First
	}
	if w.Last < r.tokens {
		m = min(m, w.Last-1-t)
	}
	if m > r.margin[t] {
		r.margin[t] = m
		copy(r.values[t*r.c:], row)
	}
}

// row is the row of token t; ok is false if no window held it.
func (r *rows) row(t int) (row []float32, ok bool) {
	return r.values[t*r.c : (t+1)*r.c], r.margin[t] >= 0
}
