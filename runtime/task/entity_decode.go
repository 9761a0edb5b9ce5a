package task

import (
	"cmp"
	"slices"
	"sort"
)

// found is a span of words that may be an entity: words [first, last], both included.
type found struct {
	first, last int
	label       int
	score       float32
}

// rounded returns sigmoid(z) rounded to float32, because the reference implementation ranks entities by float32 scores.
func rounded(z float32) float32 { return float32(sigmoid(float64(z))) }

// appendSpans appends the spans whose scores exceed the threshold. logits are the outputs of a span head [words, labels, widths]; width k stands for
// k+1 words. threshold has one number per label.
func appendSpans(dst []found, logits []float32, words, widths int, threshold []float32) []found {
	labels := len(threshold)
	for w := range words {
		for k := range min(widths, words-w) {
			for c, least := range threshold {
				if p := rounded(logits[(w*labels+c)*widths+k]); p > least {
					dst = append(dst, found{w, w + k, c, p})
				}
			}
		}
	}
	return dst
}

// tokenColumns is the number of columns of a token head: start, end and inside.
const tokenColumns = 3

// appendTokenSpans appends the spans that a token head finds. logits are its outputs [words, labels, 3]: start, end and inside of each word. Each
// start is combined with the ends from its own word on, until the inside score of a word falls below the label's threshold. A span's score is the
// lowest probability in it.
func appendTokenSpans(dst []found, logits []float32, words int, threshold []float32) []found {
	labels := len(threshold)
	p := make([]float32, len(logits))
	for i, z := range logits {
		p[i] = rounded(z)
	}
	at := func(w, c, part int) float32 { return p[(w*labels+c)*tokenColumns+part] }
	for w := range words {
		for c, least := range threshold {
			start := at(w, c, 0)
			if !(start > least) {
				continue
			}
			lowest := start
			for e := w; e < words; e++ {
				inside := at(e, c, 2)
				if inside < least {
					break
				}
				lowest = min(lowest, inside)
				if end := at(e, c, 1); end > least {
					dst = append(dst, found{w, e, c, min(lowest, end)})
				}
			}
		}
	}
	return dst
}

// choose keeps spans greedily, highest score first; ties: in the order of the list. Without nested, it drops spans that overlap with a kept one. With
// nested, it drops spans that overlap with a kept one unless one of the two contains the other. The same words keep one label, or with multi all of
// theirs. The result is ordered by the first word.
func choose(list []found, nested, multi bool) []found {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(b.score, a.score) })
	var kept []found
	var spans [][2]int // places of kept, sorted, without duplicates; without nested they do not overlap
	for _, f := range list {
		at := sort.Search(len(spans), func(i int) bool {
			return cmp.Or(cmp.Compare(spans[i][0], f.first), cmp.Compare(spans[i][1], f.last)) >= 0
		})
		same := at < len(spans) && spans[at] == [2]int{f.first, f.last}
		switch {
		case same && !multi:
			continue
		case !same && !nested && (at > 0 && spans[at-1][1] >= f.first || at < len(spans) && spans[at][0] <= f.last):
			continue
		case !same && nested && slices.ContainsFunc(spans, f.crosses):
			continue
		}
		if !same {
			spans = slices.Insert(spans, at, [2]int{f.first, f.last})
		}
		kept = append(kept, f)
	}
	slices.SortStableFunc(kept, func(a, b found) int { return cmp.Compare(a.first, b.first) })
	return kept
}

// crosses reports whether a span overlaps with f while neither contains the other.
func (f found) crosses(s [2]int) bool {
	if s[0] > f.last || s[1] < f.first {
		return false
	}
	return !(s[0] <= f.first && s[1] >= f.last || f.first <= s[0] && f.last >= s[1])
}
