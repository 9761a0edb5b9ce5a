package task

import (
	"fmt"

	"github.com/debertac/debertac/runtime"
)

// extraction is a text while its windows are computed.
type extraction struct {
	words   []wordSpan // of the text, without words that have no tokens
	windows []frameOf
	found   []found
}

// frameOf is a window of a text: words [lo, hi).
type frameOf struct{ lo, hi int }

// tooLong returns the error for a text that is too long for the model.
func tooLong(text int, format string, args ...any) error {
	return &runtime.TextError{Text: text, What: fmt.Sprintf(format, args...), Err: runtime.ErrTooLong}
}

// cutBy returns the windows of a text whose word w has the tokens first[w] … first[w+1]-1. room is how many tokens of the text a window may hold
// besides the fixed ones.
func (x *Extractor) cutBy(text int, first []int, room, fixed int, policy runtime.LongPolicy) ([]frameOf, error) {
	words := len(first) - 1
	behind := func(lo int) int { // returns the end of the longest window that begins at word lo
		hi := lo
		for hi < words && first[hi+1]-first[lo] <= room && (x.maxWords == 0 || hi-lo < x.maxWords) {
			hi++
		}
		return hi
	}
	hi := behind(0)
	switch {
	case hi == words:
		return []frameOf{{0, words}}, nil
	case policy == runtime.Reject && x.maxWords != 0 && words > x.maxWords:
		return nil, tooLong(text, "%d words are too long, the limit is %d (choose Truncate or Windows)", words, x.maxWords)
	case policy == runtime.Reject:
		return nil, tooLong(text, "%d tokens are too long, the limit is %d (choose Truncate or Windows, or raise MaxTokens)", first[words]+fixed, room+fixed)
	case hi == 0:
		return nil, fault(text, "its first word has %d tokens, beside the labels there is room for %d", first[1], room)
	case policy == runtime.Truncate:
		return []frameOf{{0, hi}}, nil
	}
	list := []frameOf{{0, hi}}
	for hi < words {
		lo := hi
		for lo > 0 && first[hi]-first[lo] < policy.Stride() {
			lo--
		}
		if last := list[len(list)-1]; lo <= last.lo || behind(lo) <= hi {
			if policy.Stride() == 0 || behind(hi) == hi {
				return nil, fault(text, "word %d has %d tokens, beside the labels there is room for %d", hi+1, first[hi+1]-first[hi], room)
			}
			return nil, fault(text, "windows of %d tokens beside the labels cannot overlap by %d: choose a smaller stride", room, policy.Stride())
		}
		hi = behind(lo)
		list = append(list, frameOf{lo, hi})
	}
	return list, nil
}

// margin returns how far words [first, last] lie from those edges of window n that are not the text's ends; below 0: not inside the window.
func (j *extraction) margin(n, first, last int) int {
	f := j.windows[n]
	if first < f.lo || last >= f.hi {
		return -1
	}
	return margin(first, last+1, f.lo, f.hi, 0, j.windows[len(j.windows)-1].hi)
}

// take reads a window's scores. It keeps the spans that lie farther from an edge in this window than in all others. threshold has one number per
// label.
func (j *extraction) take(n int, logits []float32, widths int, threshold []float32) {
	f := j.windows[n]
	var list []found
	if widths > 0 {
		list = appendSpans(nil, logits, f.hi-f.lo, widths, threshold)
	} else {
		list = appendTokenSpans(nil, logits, f.hi-f.lo, threshold)
	}
	for _, x := range list {
		x.first, x.last = x.first+f.lo, x.last+f.lo
		own := j.margin(n, x.first, x.last)
		better := false
		for k := n - 1; k >= 0 && !better && j.margin(k, x.first, x.last) >= 0; k-- {
			better = j.margin(k, x.first, x.last) >= own // ties: the first window
		}
		for k := n + 1; k < len(j.windows) && !better && j.margin(k, x.first, x.last) >= 0; k++ {
			better = j.margin(k, x.first, x.last) > own
		}
		if !better {
			j.found = append(j.found, x)
		}
	}
}

// entities chooses among the spans that all windows of a text have found.
func (j *extraction) entities(text string, labels []string, o EntityOptions) []Entity {
	at := places{text: text}
	list := []Entity{}
	for _, f := range choose(j.found, o.Nested, o.MultiLabel) {
		list = append(list, Entity{Part: at.part(j.words[f.first].start, j.words[f.last].end), Label: labels[f.label], Score: float64(f.score)})
	}
	return list
}
