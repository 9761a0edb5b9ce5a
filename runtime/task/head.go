package task

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
)

// input returns an error that the caller's input causes. It wraps runtime.ErrInput.
func input(format string, args ...any) error { return ragged.Errorf(format, args...) }

// inputOf is input with the error that is the cause.
func inputOf(cause error, format string, args ...any) error {
	return &ragged.Error{Text: fmt.Sprintf(format, args...), Cause: cause}
}

// ErrNoNumbers is wrapped by the error for outputs that are NaN or Inf. The text is not the cause: the weights may be
// damaged. The error does not wrap runtime.ErrInput.
var ErrNoNumbers = runtime.ErrNoNumbers

// head is a head of an open model, with what all tasks need.
type head struct {
	core  *engine.Core
	index int
	*engine.Head
}

// newHead returns the head with this name ("" means the first head). It checks that, by the table of tasks, the service
// reads heads of its task.
func newHead(core *engine.Core, name, service string) (head, error) {
	s, tasks := tasktable.Serving(service)
	if s == nil {
		return head{}, fmt.Errorf("the table of tasks has no service %s", service)
	}
	if core == nil {
		return head{}, input("%s: the model is nil", s.Use)
	}
	i, err := core.HeadIndex(name)
	if err != nil {
		return head{}, err
	}
	h := head{core, i, &core.Program().Heads[i]}
	if !slices.Contains(tasks, h.Task) {
		var want []string
		for _, t := range tasks {
			want = append(want, string(t))
		}
		return head{}, input("head %q of this model is for %s; %s needs one for %s", h.Name, h.Task, s.Use, strings.Join(want, " or "))
	}
	return h, nil
}

// cutting sets which text of a pair is cut, and names the kept text and the other one for messages.
type cutting struct {
	engine.Cutting
	kept, cut string
}

func (c cutting) set(b *engine.Batcher) { b.Cutting, b.Kept, b.Cuttable = c.Cutting, c.kept, c.cut }

// stream describes how a call runs texts through a head.
type stream struct {
	spans   bool // the places of tokens are needed
	cutting cutting
	// take receives each window of a text with its outputs. Both change afterwards.
	take func(w *engine.Window, e *engine.Encoded, out []float32) error
	// vectors receives the vectors of each window before take, as engine.Batcher.Vectors does. It may be nil.
	vectors func(w *engine.Window, e *engine.Encoded, rows map[string][]float32) error
}

// run computes texts. The tokens of all texts are kept until the call ends.
func (h *head) run(ctx context.Context, texts []runtime.Text, s stream) ([]runtime.Seen, error) {
	encoded := make([]*engine.Encoded, len(texts))
	b, err := engine.NewBatcher(h.core, h.index, s.spans, func(w *engine.Window, out []float32) error {
		if h.Task != tasktable.Hidden { // for hidden states the pooled vectors are checked, not the rows
			if err := engine.CheckNumbers(w.Text, out); err != nil {
				return err
			}
		}
		return s.take(w, encoded[w.Text], out)
	})
	if err != nil {
		return nil, err
	}
	s.cutting.set(b)
	if s.vectors != nil {
		b.Vectors = func(w *engine.Window, rows map[string][]float32) error { return s.vectors(w, encoded[w.Text], rows) }
	}
	if err := b.Begin(ctx, slices.ContainsFunc(texts, func(t runtime.Text) bool { return t.Pair })); err != nil {
		return nil, err
	}
	seen := make([]runtime.Seen, len(texts))
	for i, t := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		encoded[i] = new(engine.Encoded)
		if err := b.Encode(encoded[i], i, t); err != nil {
			return nil, err
		}
		if seen[i], err = b.Add(ctx, i, encoded[i]); err != nil {
			return nil, err
		}
	}
	return seen, b.Flush(ctx)
}

// singles and pairs turn texts into inputs.
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

// unit is what a head computes one row for: the tokens [lo, hi) of a text, which are one token or the tokens of one word.
type unit struct{ lo, hi int }

// units returns the tokens of a text, or its words as the tokenizer numbers them.
func units(e *engine.Encoded, words bool) []unit {
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

// margin returns how far items [lo, hi) lie from the edges of a window [from, to). Edges of the window that are also edges
// of the whole [begin, end) do not count.
func margin(lo, hi, from, to, begin, end int) int {
	m := end - begin // farther than any edge
	if from > begin {
		m = lo - from
	}
	if to < end {
		m = min(m, to-hi)
	}
	return m
}

// joined computes one number per text: what value returns for the outputs of its window. For several windows it is the
// mean of these numbers, or with runtime.JoinMax the highest.
func (h *head) joined(ctx context.Context, texts []runtime.Text, cutting cutting, value func(out []float32) float64) ([]float64, []runtime.Seen,
	error) {
	best := h.core.Options().Join == runtime.JoinMax
	values := make([]float64, len(texts))
	seen, err := h.run(ctx, texts, stream{cutting: cutting, take: func(w *engine.Window, _ *engine.Encoded, out []float32) error {
		v := value(out)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return engine.NoNumbers(w.Text)
		}
		x := &values[w.Text]
		switch {
		case w.Index == 0:
			*x = v
		case best:
			*x = max(*x, v)
		default:
			*x += v
		}
		if !best && w.Index == w.Count-1 {
			*x /= float64(w.Count)
		}
		return nil
	}})
	return values, seen, err
}

// rows collects one row of outputs for each token, or word, of a single text over its windows. If two windows hold the same
// unit, the row counts from the window in which it lies farther from an edge; ties: the first window. A whole word counts
// before a cut one. The text's own ends are not edges.
type rows struct {
	c      int
	tokens int // tokens of the text
	units  []unit
	words  bool
	values []float32 // [units, C]
	margin []int     // margin of each unit's row; -1: no row yet
}

// newRows returns rows with room for a text's tokens or words.
func newRows(e *engine.Encoded, c int, words bool) *rows {
	r := &rows{c: c, tokens: e.Split, units: units(e, words), words: words}
	r.values, r.margin = make([]float32, len(r.units)*c), make([]int, len(r.units))
	for i := range r.margin {
		r.margin[i] = -1
	}
	return r
}

// take reads a window. out has one row for each row of the window, or for each of its words.
func (r *rows) take(w *engine.Window, out []float32) {
	word := 0
	for i, u := range r.units {
		lo, hi := max(u.lo, w.First), min(u.hi, w.FirstEnd)
		if lo >= hi {
			continue
		}
		row := word
		if word++; !r.words {
			row = w.FirstRow + lo - w.First
		}
		m := margin(lo, hi, w.First, w.FirstEnd, 0, r.tokens)
		if lo == u.lo && hi == u.hi {
			m++
		}
		if m > r.margin[i] {
			r.margin[i] = m
			copy(r.values[i*r.c:], out[row*r.c:(row+1)*r.c])
		}
	}
}

// row returns the row of unit i; ok is false if no window held it.
func (r *rows) row(i int) (row []float32, ok bool) {
	return r.values[i*r.c : (i+1)*r.c], r.margin[i] >= 0
}

// seen returns the number of units that some window held. The others were cut off the end.
func (r *rows) seen() int {
	n := len(r.margin)
	for n > 0 && r.margin[n-1] < 0 {
		n--
	}
	return n
}

// validUTF8 checks that the texts of a setting are valid UTF-8. what is the name of one such text for messages.
func validUTF8(what string, texts ...string) error {
	for i, t := range texts {
		if err := engine.CheckUTF8(fmt.Sprintf("%s %d", what, i+1), t); err != nil {
			return err
		}
	}
	return nil
}

// distinct returns an error if labels are empty, repeated or not valid UTF-8. use is what the labels are for, for messages.
func distinct(labels []string, use string) error {
	if len(labels) == 0 {
		return input("there are no labels to %s", use)
	}
	for i, l := range labels {
		if err := engine.CheckUTF8(fmt.Sprintf("label %d", i+1), l); err != nil {
			return err
		}
		switch {
		case strings.TrimSpace(l) == "":
			return input("label %d is empty", i+1)
		case slices.Contains(labels[:i], l):
			return input("label %q is given twice", l)
		}
	}
	return nil
}
