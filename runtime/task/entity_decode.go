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

// rounded is the probability of a logit as a float32, as those are by which the published decoding orders entities.
func rounded(z float32) float32 { return float32(sigmoid(float64(z))) }

// appendSpans appends what a span head finds in words words: logits are [words, labels, widths], a span's width counted from 0; threshold has one
// number per label.
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

// appendTokenSpans appends what a token head finds: logits are [words, labels, 3], a word's start, end and inside. Each start is followed by the ends
// behind it until the inside of a word falls below the label's threshold; a span's score is its lowest probability.
func appendTokenSpans(dst []found, logits []float32, words int, threshold []float32) []found {
	labels := len(threshold)
	p := make([]float32, len(logits))
	for i, z := range logits {
		p[i] = rounded(z)
	}
	at := func(w, c, part int) float32 { return p[(w*labels+c)*3+part] }
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

// choose keeps entities greedily, of high scores first and of equal ones in their order: flat drops what overlaps with a kept one, nested what
// overlaps without that one containing the other. The same words keep one label, or with multi all. The result is ordered by its first word.
func choose(list []found, nested, multi bool) []found {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(b.score, a.score) })
	var kept []found
	var spans [][2]int // of kept, sorted, each once; flat ones are apart from each other
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
