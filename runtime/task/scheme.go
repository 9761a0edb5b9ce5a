package task

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// place is the place of a token in an entity that a label's prefix stands for.
type place uint8

const (
	outside place = iota // "O"
	begin                // B-: the first token
	inside               // I-: a further token. Labels without a prefix count as this too
	end                  // E-, L-: the last of several tokens
	single               // S-, U-: the only token
)

// tag is a label as a place in an entity of a kind.
type tag struct {
	place place
	kind  string
	free  bool // no prefix: it may stand anywhere
}

// name returns the name of an entity of this kind. As in the transformers library, it is what
// follows the label's first hyphen, even if no prefix stands before it: "b-per" becomes "per" and
// "PER-B" becomes "B".
func (t tag) name() string {
	if _, name, ok := strings.Cut(t.kind, "-"); ok && t.free {
		return name
	}
	return t.kind
}

// scheme describes how the labels of a head mark entities: B-, I- and O, or also E- and S- (BIOES),
// or L- and U- (BILOU), or no prefixes at all.
type scheme struct {
	tags []tag
	has  map[string]*[5]bool // the places that each kind has labels for
}

// prefixes holds the labels' prefixes besides "O".
var prefixes = map[string]place{"B": begin, "I": inside, "E": end, "L": end, "S": single, "U": single}

// newScheme reads labels. E-, L-, S- and U- count as prefixes only if a label of the same kind has
// B- or I-, so that a label such as "E-mail" is a kind. A prefix that counts for one kind counts for
// all kinds, so another kind may have S- alone.
func newScheme(labels []string) *scheme {
	s := &scheme{has: map[string]*[5]bool{}}
	var known []string // kinds with B- or I-
	for _, l := range labels {
		if prefix, kind, ok := strings.Cut(l, "-"); ok && (prefix == "B" || prefix == "I") {
			known = append(known, kind)
		}
	}
	marks := map[string]bool{"B": true, "I": true}
	for _, l := range labels {
		if prefix, kind, ok := strings.Cut(l, "-"); ok && slices.Contains(known, kind) {
			marks[prefix] = true
		}
	}
	for _, l := range labels {
		t := tag{inside, l, true}
		prefix, kind, hyphen := strings.Cut(l, "-")
		if l == "O" {
			t = tag{outside, l, false}
		} else if place, ok := prefixes[prefix]; ok && hyphen && marks[prefix] {
			t = tag{place, kind, false}
		}
		s.tags = append(s.tags, t)
		if s.has[t.kind] == nil {
			s.has[t.kind] = new([5]bool)
		}
		s.has[t.kind][t.place] = true
	}
	return s
}

// begins reports whether label i may be the first label of an entity. If a kind has no B-, its
// other labels may begin it.
func (s *scheme) begins(i int) bool {
	t := s.tags[i]
	switch t.place {
	case inside, end:
		return t.free || !s.has[t.kind][begin]
	}
	return true
}

// ends reports whether label i may be the last label of an entity: I- only if the kind has no E-,
// and B- only if it lacks E- or S-.
func (s *scheme) ends(i int) bool {
	t := s.tags[i]
	has := s.has[t.kind]
	switch t.place {
	case begin:
		return !has[end] || !has[single]
	case inside:
		return t.free || !has[end]
	}
	return true
}

// continues reports whether label j may continue the entity that label i is in.
func (s *scheme) continues(i, j int) bool {
	a, b := s.tags[i], s.tags[j]
	return a.kind == b.kind && (a.place == begin || a.place == inside) && (b.place == inside || b.place == end)
}

// constrain forbids in a chain what the prefixes do not allow. Some path of every length always
// remains.
func (s *scheme) constrain(k *Chain) {
	forbidden := math.Inf(-1)
	for i := range s.tags {
		if !s.begins(i) {
			k.Start[i] = forbidden
		}
		if !s.ends(i) {
			k.End[i] = forbidden
		}
		for j := range s.tags {
			if !(s.ends(i) && s.begins(j)) && !s.continues(i, j) {
				k.Transitions[i*k.C+j] = forbidden
			}
		}
	}
}

// joins reports whether a token with label j belongs to the same entity as the token with label i
// before it. If a kind has only B- and I-, tokens are grouped as in the transformers library: the
// kind is the same and j is not B-. If a kind also has labels for ends (E-, L-, S-, U-), tokens of
// one word stay together (within), and no word continues an entity after a word with such a label
// (closed).
func (s *scheme) joins(i, j int, within, closed bool) bool {
	a, b := s.tags[i], s.tags[j]
	switch {
	case a.kind != b.kind:
		return false
	case within && s.closing(a.kind):
		return true
	}
	return b.place != begin && b.place != single && !closed
}

// closing reports whether a kind has labels that mark the end of an entity.
func (s *scheme) closing(kind string) bool { return s.has[kind][end] || s.has[kind][single] }

// closes reports whether label i marks the last token of an entity.
func (s *scheme) closes(i int) bool {
	return s.tags[i].place == end || s.tags[i].place == single
}

// spaceless holds scripts that put no spaces between words. In these scripts, what a tokenizer numbers
// as one word may be several words.
var spaceless = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

// apart reports whether characters of such scripts stand on both sides of the boundary between two
// tokens of a text, of which one ends at end and the other begins at begin.
func apart(text string, end, begin int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:end])
	after, _ := utf8.DecodeRuneInString(text[begin:])
	return unicode.In(before, spaceless...) && unicode.In(after, spaceless...)
}
