package metrics

import (
	"strings"
	"unicode/utf8"
)

// Span is an entity: a label for the words, tokens or bytes from Start to below End.
type Span struct {
	Label      string
	Start, End int
}

// TagSpans returns the entities of a list of tags as seqeval finds them in its default mode, which is that of conlleval: the first letter of a tag is its
// place (B, I, E, S, or O), what follows the first hyphen its label. An entity begins at B and S, at I and E after O, E or S, and wherever the label
// changes. So it finds entities in lists that no scheme allows. A tag without a hyphen has what follows its first letter as its label, or "_".
func TagSpans(tags []string) []Span {
	var spans []Span
	begin := 0
	last, lastLabel := byte('O'), ""
	for i := range len(tags) + 1 {
		place, label := byte('O'), "_"
		if i < len(tags) {
			place, label = splitTag(tags[i])
		}
		if ends(last, place, lastLabel != label) {
			spans = append(spans, Span{lastLabel, begin, i})
		}
		if starts(last, place, lastLabel != label) {
			begin = i
		}
		last, lastLabel = place, label
	}
	return spans
}

// splitTag returns the place and the label of a tag. An empty tag counts as O.
func splitTag(tag string) (place byte, label string) {
	if tag == "" {
		return 'O', "_"
	}
	_, size := utf8.DecodeRuneInString(tag)
	label = tag[size:]
	if _, after, found := strings.Cut(label, "-"); found {
		label = after
	}
	if label == "" {
		label = "_"
	}
	return tag[0], label
}

// ends reports whether an entity ends between two tags; other is set if their labels differ.
func ends(last, next byte, other bool) bool {
	switch last {
	case 'E', 'S':
		return true
	case 'B', 'I':
		if next == 'B' || next == 'S' || next == 'O' {
			return true
		}
	}
	return last != 'O' && last != '.' && other
}

// starts reports whether an entity starts at the second of two tags; other is set if their labels differ.
func starts(last, next byte, other bool) bool {
	switch next {
	case 'B', 'S':
		return true
	case 'E', 'I':
		if last == 'E' || last == 'S' || last == 'O' {
			return true
		}
	}
	return next != 'O' && next != '.' && other
}

// Matched counts the spans of one example that are in both lists, and those of each list: a span is right if its label and both of its ends are. Spans that
// are in a list twice count once. class returns the number of a label.
func (c *Classes) Matched(gold, predicted []Span, class func(label string) int) {
	expected := map[Span]bool{}
	for _, s := range gold {
		if !expected[s] {
			expected[s] = true
			c.Gold[class(s.Label)]++
		}
	}
	seen := map[Span]bool{}
	for _, s := range predicted {
		if seen[s] {
			continue
		}
		seen[s] = true
		i := class(s.Label)
		c.Predicted[i]++
		if expected[s] {
			c.Right[i]++
		}
	}
}
