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

// unit is what a head gives a row for: tokens [lo, hi) of a text, one or a word's.
type unit struct{ lo, hi int }

// units are the tokens of a text, or its words, which the tokenizer numbers.
func units(e *runtime.Encoded, words bool) []unit {
	var list []unit
	for t := range e.Split {
		if words && t > 0 && e.Spans[t].Word == e.Spans[t-1].Word {
			list[len(list)-1].hi = t + 1
		} else {
			list = append(list, unit{t, t + 1})
		}
	}
	return list
}

// rows collects a row of outputs for each token, or word, of a single text over its
// windows: of one that two windows hold, the row of that in which it lies farther from an
// edge counts (the first of equals), and a whole word before a cut one. The text's own
// ends are no edges.
type rows struct {
	c      int
	tokens int // of the text
	units  []unit
	words  bool
	values []float32 // [units, C]
	margin []int     // of each unit's row; -1: none yet
}

// newRows makes room for a text's tokens or words.
func newRows(e *runtime.Encoded, c int, words bool) *rows {
	r := &rows{c: c, tokens: e.Split, units: units(e, words), words: words}
	r.values, r.margin = make([]float32, len(r.units)*c), make([]int, len(r.units))
	for i := range r.margin {
		r.margin[i] = -1
	}
	return r
}

// take reads a window; out has a row for each of its rows, or of its words.
func (r *rows) take(w *runtime.Window, out []float32) {
	word := 0
	for i, u := range r.units {
		lo, hi := max(u.lo, w.First), min(u.hi, w.Last)
		if lo >= hi {
			continue
		}
		row := word
		if word++; !r.words {
			row = w.FirstRow + lo - w.First
		}
		m := r.tokens // farther than any edge
		if w.First > 0 {
			m = lo - w.First
		}
		if w.Last < r.tokens {
			m = min(m, w.Last-hi)
		}
		if lo == u.lo && hi == u.hi {
			m++
		}
		if m > r.margin[i] {
			r.margin[i] = m
			copy(r.values[i*r.c:], out[row*r.c:(row+1)*r.c])
		}
	}
}

// row is the row of unit i; ok is false if no window held it.
func (r *rows) row(i int) (row []float32, ok bool) {
	return r.values[i*r.c : (i+1)*r.c], r.margin[i] >= 0
}

// seen is the number of units that some window held: the others were cut off the end.
func (r *rows) seen() int {
	n := len(r.margin)
	for n > 0 && r.margin[n-1] < 0 {
		n--
	}
	return n
}
