package task

import (
	"math"
	"strings"
)

// place is what a label's prefix says of a token's place in an entity.
type place uint8

const (
	outside place = iota // "O"
	begin                // B-: the first token
	inside               // I-: a further one. Labels without a prefix are taken as this, too
	end                  // E-, L-: the last of several
	single               // S-, U-: the only one
)

// tag is a label as a place in an entity of a kind.
type tag struct {
	place place
	kind  string
	free  bool // no prefix: it may stand anywhere
}

// scheme is how the labels of a head mark entities: B-I-O, or with E- and S- (BIOES), or
// L- and U- (BILOU), or no prefixes at all.
type scheme struct {
	tags []tag
	has  map[string]*[5]bool // places that a kind has labels for
}

// newScheme reads labels. E-, L-, S- and U- count as prefixes only beside a B- or I- of
// the same kind, so that a label such as "E-mail" is a kind.
func newScheme(labels []string) *scheme {
	s := &scheme{has: map[string]*[5]bool{}}
	known := map[string]bool{}
	for _, l := range labels {
		if kind, ok := strings.CutPrefix(l, "B-"); ok {
			known[kind] = true
		} else if kind, ok := strings.CutPrefix(l, "I-"); ok {
			known[kind] = true
		}
	}
	for _, l := range labels {
		t := tag{inside, l, true}
		prefix, kind, ok := strings.Cut(l, "-")
		switch {
		case l == "O":
			t = tag{outside, l, false}
		case ok && known[kind]:
			switch prefix {
			case "B":
				t = tag{begin, kind, false}
			case "I":
				t = tag{inside, kind, false}
			case "E", "L":
				t = tag{end, kind, false}
			case "S", "U":
				t = tag{single, kind, false}
			}
		}
		s.tags = append(s.tags, t)
		if s.has[t.kind] == nil {
			s.has[t.kind] = new([5]bool)
		}
		s.has[t.kind][t.place] = true
	}
	return s
}

// begins reports whether label i may be the first token of something. Where a kind has no
// B-, its other labels may begin it.
func (s *scheme) begins(i int) bool {
	t := s.tags[i]
	switch t.place {
	case inside, end:
		return t.free || !s.has[t.kind][begin]
	}
	return true
}

// ends reports whether label i may be the last token of something: I- only where the kind
// has no E-, B- where it has no E- or no S-.
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

// continues reports whether label j goes on with what label i is in.
func (s *scheme) continues(i, j int) bool {
	a, b := s.tags[i], s.tags[j]
	return a.kind == b.kind && (a.place == begin || a.place == inside) && (b.place == inside || b.place == end)
}

// constrain forbids, in a chain, what the prefixes do not allow. Some path of every length
// always remains.
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

// joins reports whether a token of label j belongs to the same entity as the one of label
// i before it, as the transformers library groups: the same kind, and j is no B-. Behind
// an E- or S- nothing goes on.
func (s *scheme) joins(i, j int) bool {
	a, b := s.tags[i], s.tags[j]
	return a.kind == b.kind && b.place != begin && b.place != single && a.place != end && a.place != single
}
