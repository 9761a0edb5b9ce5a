package task

import (
	"cmp"
	"slices"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/tasktable"
)

// schemaVectors collects the vectors of a text that is read with a schema.
type schemaVectors struct {
	*spanVectors
	steps  int // most instances of a structure or a relation
	labels []LabelVector
	tokens []schemaToken
}

// schemaToken is a token of a text in one of its windows.
type schemaToken struct {
	TokenVector
	window, margin int // margin is how far its word lies from an edge of the window
}

// take reads the vectors of a window, which is a place in the text, and sets those of what was found in it.
func (v *schemaVectors) take(text string, s *Schema, w *engine.Window, place extraction.Place, in *extraction.Input, found *extraction.Result,
	rows map[string][]float32) error {
	if err := engine.CheckNumbers(w.Text, rows[tasktable.TokenVectors]); err != nil {
		return err
	}
	if w.Index == 0 {
		v.setLabels(s, in, rows)
	}
	words, at, last := in.Text.Words, places{text: text}, 0
	from, to := 0, len(words) // beyond the window if the text is
	if w.Index > 0 {
		from--
	}
	if w.Index < w.Count-1 {
		to++
	}
	for i := range words {
		start, end := place.Start+words[i].Start, min(place.Start+words[i].End, place.End)
		if start >= place.End { // the full stop that is added
			break
		}
		lo, hi := int(in.Words[2*(len(in.Choices)+i)]), int(in.Words[2*(len(in.Choices)+i)+1])
		for row := max(lo, last); row < hi; row++ { // a word without tokens has the rows of another
			t := TokenVector{Part: at.part(start, end), ID: in.IDs[row], Vector: v.row(rows, tasktable.TokenVectors, row)}
			v.tokens = append(v.tokens, schemaToken{t, w.Index, margin(i, i+1, 0, len(words), from, to)})
		}
		last = max(last, hi)
	}
	found.EachSpan(func(s *extraction.Span) {
		first, _ := slices.BinarySearchFunc(words, s.Start, func(x extraction.Word, at int) int { return cmp.Compare(x.Start, at) })
		end, _ := slices.BinarySearchFunc(words, s.End, func(x extraction.Word, at int) int { return cmp.Compare(x.End, at) })
		s.Vector = v.of(rows, len(in.Choices)+first, len(in.Choices)+end)
	})
	return nil
}

// setLabels sets the vectors of labels: of what has spans, those that the spans are compared with in the first instance, else those of the markers.
func (v *schemaVectors) setLabels(s *Schema, in *extraction.Input, rows map[string][]float32) {
	_, fields := v.columns(tasktable.FieldVectors)
	first := make([]int, len(in.Tasks)) // query of each task
	for i := range in.Tasks[1:] {
		t := &in.Tasks[i]
		first[i+1] = first[i] + stepsOf(t, v.steps)*len(t.Labels)
	}
	for k := range in.Marks {
		m := &in.Marks[k]
		if m.Kind == extraction.MarkTask {
			continue
		}
		t := &in.Tasks[m.Task]
		l := LabelVector{Task: s.TaskName(t), Label: t.Labels[m.Label]}
		if fields && stepsOf(t, v.steps) > 0 {
			l.Vector = v.row(rows, tasktable.FieldVectors, first[m.Task]+m.Label)
		} else {
			l.Vector = v.row(rows, tasktable.LabelVectors, k)
		}
		v.labels = append(v.labels, l)
	}
}

// vectors returns the vectors of the whole text. Of a word in several windows, the tokens are those of the window in which it lies farthest from an edge; ties:
// the first window.
func (v *schemaVectors) vectors() *Vectors {
	best := map[int]*schemaToken{} // by the first byte of the word
	for i := range v.tokens {
		t := &v.tokens[i]
		if b := best[t.Start]; b == nil || t.margin > b.margin {
			best[t.Start] = t
		}
	}
	out := &Vectors{Labels: v.labels, Tokens: []TokenVector{}}
	for _, t := range v.tokens {
		if t.window == best[t.Start].window {
			out.Tokens = append(out.Tokens, t.TokenVector)
		}
	}
	slices.SortStableFunc(out.Tokens, func(a, b TokenVector) int { return cmp.Compare(a.Start, b.Start) })
	return out
}
