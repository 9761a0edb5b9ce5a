package corpus

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// list joins names for a message, and leaves most of a long list out.
func list(names []string) string {
	const most = 12
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", and " + strconv.Itoa(len(names)-most) + " more"
	}
	return strings.Join(names, ", ")
}

// target is the name of the target of a training's head.
const target = "target"

// judged reports whether each label is judged by itself, so that a text may have several.
func (e *Encoder) judged() bool {
	return slices.Contains([]string{tasktable.BinaryCrossEntropy, tasktable.Focal}, e.head.Loss)
}

// classes encodes a text with one label, or with any number of them if the loss judges each by itself.
func (w *worker) classes(e *example.Example) error {
	t, err := textOf(e)
	if err != nil {
		return err
	}
	labels := []string{e.Label}
	switch {
	case e.Labels != nil && w.judged():
		labels = *e.Labels
	case e.Labels != nil && len(*e.Labels) == 1:
		labels = *e.Labels
	case e.Labels != nil:
		return faulty("it has %d labels, and the loss %s takes one: write `loss binary_cross_entropy` in the spec", len(*e.Labels), w.head.Loss)
	case e.Label == "":
		return faulty("it has no label")
	}
	numbers := make([]float32, len(w.head.Labels))
	class := 0
	for _, name := range labels {
		if class, err = w.class(name); err != nil {
			return err
		}
		if numbers[class] == 1 {
			return faulty("it has the label %q twice", name)
		}
		numbers[class], w.out.labels = 1, append(w.out.labels, w.head.Labels[class])
	}
	s, err := w.whole(t)
	if err != nil {
		return err
	}
	if w.judged() {
		s.Floats = map[string][]float32{target: numbers}
	} else {
		s.Integers = map[string][]int32{target: {int32(class)}}
	}
	w.out.rows = append(w.out.rows, []prepared.Sequence{*s})
	return nil
}

// scores encodes a text with a number. For a loss that compares texts it encodes the documents of a query as one row.
func (w *worker) scores(e *example.Example) error {
	if slices.Contains([]string{tasktable.Pairwise, tasktable.Listwise}, w.head.Loss) {
		return w.ranking(e)
	}
	t, err := textOf(e)
	if err != nil {
		return err
	}
	v, err := number(e)
	if err != nil {
		return err
	}
	if w.head.Loss == tasktable.BinaryCrossEntropy && (v < 0 || v > 1) {
		return faulty("its number is %g, and the loss binary_cross_entropy takes numbers from 0 to 1", v)
	}
	s, err := w.whole(t)
	if err != nil {
		return err
	}
	s.Floats = map[string][]float32{target: {float32(v)}}
	w.out.rows = append(w.out.rows, []prepared.Sequence{*s})
	return nil
}

// number returns the number that an example asks for: its score, or its label if that is a number.
func number(e *example.Example) (float64, error) {
	if e.Score != nil {
		return *e.Score, inRange(*e.Score)
	}
	v, err := strconv.ParseFloat(e.Label, 64)
	switch {
	case e.Label == "":
		return 0, faulty("it has no score")
	case err != nil:
		return 0, faulty("its label %q is not a number", e.Label)
	}
	return v, inRange(v)
}

// mostScore bounds scores: the square of a larger one is beyond float32.
const mostScore = 1e15

// inRange refuses a score that a loss cannot work with.
func inRange(v float64) error {
	if math.IsNaN(v) || math.Abs(v) > mostScore {
		return faulty("its score is %v, it must be a number from %g to %g", v, -mostScore, mostScore)
	}
	return nil
}

// ranking encodes the documents of a query, or the answers to a text, as one row.
func (w *worker) ranking(e *example.Example) error {
	query := e.Query
	if query == "" {
		query = e.Text
	}
	switch n := len(e.Documents); {
	case n < 2:
		return faulty("it has %d documents, and the loss %s compares two at least", n, w.head.Loss)
	case e.Scores != nil && len(e.Scores) != n:
		return faulty("it has %d documents and %d scores", n, len(e.Scores))
	case alike(e.Documents):
		return faulty("its %d documents are the same text, so there is nothing to learn from their order", n)
	case w.head.Loss == tasktable.Pairwise && alike(e.Scores):
		return faulty("its %d documents have the same score, so no pair of them tells which one is better", n)
	}
	var row []prepared.Sequence
	for i, d := range e.Documents {
		t := runtime.Text{First: query, Second: d, Pair: query != ""}
		if query == "" {
			t.First = d
		}
		s, err := w.whole(t)
		if err != nil {
			return err
		}
		v := float64(len(e.Documents) - 1 - i) // the better ones come first
		if e.Scores != nil {
			v = e.Scores[i]
		}
		if err := inRange(v); err != nil {
			return err
		}
		if w.head.Loss == tasktable.Listwise && v < 0 {
			return faulty("score %d is %g, and the loss listwise takes numbers from 0 on", i+1, v)
		}
		s.Floats = map[string][]float32{target: {float32(v)}}
		row = append(row, *s)
	}
	w.out.rows = append(w.out.rows, row)
	return nil
}

// alike reports whether all values of a list are equal; it is false for an empty list.
func alike[T comparable](list []T) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(v T) bool { return v != list[0] })
}

// choices encodes the options of a question as one row.
func (w *worker) choices(e *example.Example) error {
	q := task.ChoiceQuestion{Context: e.Context, Question: e.Question, Options: e.Options}
	if q.Context == "" && q.Question == "" {
		q.Question = e.Text
	}
	right, err := strconv.Atoi(e.Label)
	switch n := len(e.Options); {
	case n < 2:
		return faulty("it has %d options, and two at least are needed", n)
	case alike(e.Options):
		return faulty("its %d options are the same text, so there is nothing to learn from the right one", n)
	case e.Label == "":
		return faulty("it has no label, which is the number of the right option")
	case err != nil || right < 0 || right >= n:
		return faulty("its label %q is not the number of an option, from 0 to %d", e.Label, n-1)
	}
	var row []prepared.Sequence
	for i, o := range q.Options {
		s, err := w.whole(q.Pair(o))
		if err != nil {
			return err
		}
		chosen := int32(-1)
		if i == right {
			chosen = int32(i)
		}
		s.Integers = map[string][]int32{target: {chosen}}
		row = append(row, *s)
	}
	w.out.rows = append(w.out.rows, row)
	return nil
}

// vectors encodes a text, the text that means the same, and those that do not, as one row.
func (w *worker) vectors(e *example.Example) error {
	switch {
	case w.head.Loss == tasktable.CosineSimilarity:
		return w.similar(e)
	case w.head.Loss != tasktable.Contrastive:
		return faulty("no data can be prepared for the loss %s of vectors: feed the training by a program", w.head.Loss)
	}
	positive := e.Positive
	if positive == "" && e.Pair != nil {
		positive = *e.Pair
	}
	if e.Text == "" || positive == "" {
		return faulty("it needs a text and a positive, a text that means the same")
	}
	if i := slices.Index(e.Negatives, positive); i >= 0 {
		return faulty("its negative %d is its positive too, so it would be right and wrong at once", i+1)
	}
	var row []prepared.Sequence
	for _, text := range append([]string{e.Text, positive}, e.Negatives...) {
		s, err := w.whole(runtime.Text{First: text})
		if err != nil {
			return err
		}
		row = append(row, *s)
	}
	w.out.rows = append(w.out.rows, row)
	return nil
}

// similar encodes a pair of texts with the cosine that their vectors are to have.
func (w *worker) similar(e *example.Example) error {
	switch {
	case e.Text == "" || e.Pair == nil || *e.Pair == "":
		return faulty("it needs a text and a pair, the text to compare it with")
	case e.Score == nil:
		return faulty("it has no score, which the cosine of the two texts is compared with")
	case !(*e.Score >= -1 && *e.Score <= 1):
		return faulty("its score is %v, and a cosine is from -1 to 1: divide all scores by the largest one", *e.Score)
	}
	var row []prepared.Sequence
	for _, text := range []string{e.Text, *e.Pair} {
		s, err := w.whole(runtime.Text{First: text})
		if err != nil {
			return err
		}
		s.Floats = map[string][]float32{target: {float32(*e.Score)}}
		row = append(row, *s)
	}
	w.out.rows = append(w.out.rows, row)
	return nil
}

// answers encodes a question about a context. Each window is a row; one that does not hold the answer has the first token as its target.
func (w *worker) answers(e *example.Example) error {
	switch {
	case e.Question == "" || e.Context == "":
		return faulty("it needs a question and a context")
	case !e.Answered && len(e.Answers) == 0:
		return faulty("it has no answers")
	}
	from, to := -1, -1
	if len(e.Answers) > 0 {
		a := e.Answers[0]
		if from = a.Start; from < 0 {
			from = strings.Index(e.Context, a.Text)
		}
		if to = from + len(a.Text); from < 0 || to > len(e.Context) || e.Context[from:to] != a.Text {
			return faulty("its answer %q does not stand at byte %d of the context", a.Text, a.Start)
		}
	}
	seen := from < 0 // some window has the answer, or no answer is right
	err := w.text(runtime.Text{First: e.Question, Second: e.Context, Pair: true}, func(s *prepared.Sequence, at *engine.Window) error {
		start, end := int32(0), int32(0)
		if first, last, ok := w.tokensOf(from, to); ok {
			a, in := at.Row(first)
			b, too := at.Row(last)
			if in && too {
				start, end, seen = int32(a), int32(b), true
			}
		} else if from >= 0 {
			return faulty("its answer %q has no tokens", e.Answers[0].Text)
		}
		s.Integers = map[string][]int32{target + ".start": {start}, target + ".end": {end}}
		w.out.rows = append(w.out.rows, []prepared.Sequence{*s})
		return nil
	})
	if err == nil && !seen {
		return faulty("its answer %q is in no sequence: it is cut off, or longer than the overlap of windows", short(e.Answers[0].Text))
	}
	return err
}

// short returns the beginning of a text for a message.
func short(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// tokensOf returns the first and the last token of the second text that overlap the bytes from..to.
func (w *worker) tokensOf(from, to int) (first, last int, ok bool) {
	first, last = -1, -1
	for i := w.encoded.Split; i < len(w.encoded.Spans) && from >= 0; i++ {
		if t := w.encoded.Spans[i]; int(t.End) > from && int(t.Start) < to && t.End > t.Start {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	return first, last, first >= 0
}
