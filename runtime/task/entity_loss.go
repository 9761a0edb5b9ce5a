package task

import (
	"math"
	"slices"
)

// RightEntity is an entity that a text has, with its place in bytes.
type RightEntity struct {
	Label      string
	Start, End int
}

// rightSpan is a right entity in words: words [first, last], both included.
type rightSpan struct{ first, last, label int }

// rightOf returns the right entities of a text in the words that the head scores. Each has the words that it overlaps with, as in trainings. Entities of
// labels that are not looked for are left out.
func (j *entitySearch) rightOf(list []RightEntity, labels []string) []rightSpan {
	var spans []rightSpan
	for _, x := range list {
		s := rightSpan{first: -1, label: slices.Index(labels, x.Label)}
		for i, w := range j.words {
			if w.end > x.Start && w.start < x.End {
				if s.last = i; s.first < 0 {
					s.first = i
				}
			}
		}
		if s.first >= 0 && s.label >= 0 {
			spans = append(spans, s)
		}
	}
	return spans
}

// known notes the right entities of a text, for a loss.
func (j *entitySearch) known(list []RightEntity, labels []string) {
	j.right, j.judged = j.rightOf(list, labels), true
}

// judge adds the binary cross entropies of a window's numbers to the loss. A number that several windows have counts in the window that owns its words. Spans
// that would end after the window have no number, as in trainings.
func (j *entitySearch) judge(n int, logits []float32, widths, labels int) {
	f := j.windows[n]
	columns := max(widths, 1)
	if widths == 0 {
		columns = tokenColumns
	}
	for w := f.lo; w < f.hi; w++ {
		for k := range columns {
			last := w
			if widths > 0 {
				last = w + k
			}
			if last >= f.hi || !j.owns(n, w, last) {
				continue
			}
			for c := range labels {
				z := float64(logits[((w-f.lo)*labels+c)*columns+k])
				j.loss += math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
				if j.terms++; j.target(w, k, c, widths) {
					j.loss -= z
				}
			}
		}
	}
}

// target reports whether the number of a word, a column and a label is to be 1.
func (j *entitySearch) target(word, column, label, widths int) bool {
	return slices.ContainsFunc(j.right, func(s rightSpan) bool {
		switch {
		case s.label != label:
			return false
		case widths > 0:
			return s.first == word && s.last == word+column
		case column == 0:
			return s.first == word
		case column == 1:
			return s.last == word
		}
		return s.first <= word && word <= s.last
	})
}
