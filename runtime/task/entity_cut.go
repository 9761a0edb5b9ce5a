package task

import (
	"slices"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// entitySearch is a text while its windows are computed.
type entitySearch struct {
	words   []wordSpan // words of the text, without words that have no tokens
	windows []frameOf
	found   []found

	threshold []float32 // what the entities of each label must exceed

	judged bool // the right entities are known, for a loss
	right  []rightSpan
	loss   float64
	terms  int

	vectors *spanVectors           // nil: the model computes no vectors
	rows    []map[string][]float32 // of each window: what the vectors of its spans follow from
	tokens  tokenVectors
	encoded *engine.Encoded
	wordOf  []int // the word of each token
}

// place returns the bytes of a token's word.
func (j *entitySearch) place(t int) (start, end int) {
	w := &j.words[j.wordOf[t]]
	return w.start, w.end
}

// takeVectors reads the vectors of a window.
func (j *entitySearch) takeVectors(x *Extractor, w *engine.Window, labels []string, rows map[string][]float32, r *Extraction) error {
	if w.Index == 0 {
		for i, l := range labels {
			r.Vectors.Labels = append(r.Vectors.Labels, LabelVector{Label: l, Vector: x.row(rows, tasktable.LabelVectors, i)})
		}
	}
	j.rows = append(j.rows, x.vectors.keep(rows))
	return j.tokens.take(&x.head, w, j.encoded, rows)
}

// vector returns the vector of words [first, last], from the window that owns them; nil if there are no vectors.
func (j *entitySearch) vector(first, last int) []float32 {
	for n := range j.rows {
		if f := j.windows[n]; j.margin(n, first, last) >= 0 && j.owns(n, first, last) {
			return j.vectors.of(j.rows[n], first-f.lo, last-f.lo)
		}
	}
	return nil
}

// frameOf is a window of a text: words [lo, hi).
type frameOf struct{ lo, hi int }

// wordsOf returns the words of a window. first holds the first token of each word of the text.
func wordsOf(w *engine.Window, first []int) frameOf {
	lo, _ := slices.BinarySearch(first, w.First)
	hi, _ := slices.BinarySearch(first, w.FirstEnd)
	return frameOf{lo, hi}
}

// margin returns how far words [first, last] lie from those edges of window n that are not the text's ends; below 0: not inside the window.
func (j *entitySearch) margin(n, first, last int) int {
	f := j.windows[n]
	if first < f.lo || last >= f.hi {
		return -1
	}
	return margin(first, last+1, f.lo, f.hi, 0, j.windows[len(j.windows)-1].hi)
}

// owns reports whether words [first, last] lie farther from an edge in window n than in all others; ties: the first window.
func (j *entitySearch) owns(n, first, last int) bool {
	own := j.margin(n, first, last)
	for k := n - 1; k >= 0 && j.margin(k, first, last) >= 0; k-- {
		if j.margin(k, first, last) >= own {
			return false
		}
	}
	for k := n + 1; k < len(j.windows) && j.margin(k, first, last) >= 0; k++ {
		if j.margin(k, first, last) > own {
			return false
		}
	}
	return true
}

// take reads a window's scores. It keeps the spans that lie farther from an edge in this window than in all others.
func (j *entitySearch) take(n int, logits []float32, widths int) {
	f := j.windows[n]
	var list []found
	if widths > 0 {
		list = appendSpans(nil, logits, f.hi-f.lo, widths, j.threshold)
	} else {
		list = appendTokenSpans(nil, logits, f.hi-f.lo, j.threshold)
	}
	if j.judged {
		j.judge(n, logits, widths, len(j.threshold))
	}
	for _, x := range list {
		x.first, x.last = x.first+f.lo, x.last+f.lo
		if j.owns(n, x.first, x.last) {
			j.found = append(j.found, x)
		}
	}
}

// entities chooses among the spans that all windows of a text have found.
func (j *entitySearch) entities(text string, labels []string, o *EntityOptions) []Entity {
	at := places{text: text}
	list := []Entity{}
	for _, f := range choose(j.found, o.Nested, o.MultiLabel) {
		list = append(list, Entity{Part: at.part(j.words[f.first].start, j.words[f.last].end), Label: labels[f.label], Score: float64(f.score),
			Vector: j.vector(f.first, f.last)})
	}
	return list
}
