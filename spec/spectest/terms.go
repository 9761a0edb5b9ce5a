package spectest

import (
	"fmt"
	"slices"
	"strings"
)

// drawn holds an attention's projections and score.
type drawn struct {
	text     string
	relative bool
	rows     bool // a projection reads the rows of the table of offsets
}

// offset returns the index of a lookup.
func (s *draft) offset() string { return s.one("i-j", "j-i") }

// terms draws a sum of terms, of which at least one is a product, and the projections that the terms need. Most specs have at most one term of each kind, the
// others can have several.
func (s *draft) terms() drawn {
	var score []string
	need := map[string]bool{"v": true}
	use := func(term string, names ...string) {
		if slices.Contains(score, term) {
			return
		}
		score = append(score, term)
		for _, n := range names {
			need[n] = true
		}
	}
	kinds := s.IntN(31) + 1 // a set of the five kinds
	if kinds == 16 {
		kinds = 17
	}
	if kinds&1 != 0 {
		use("q[i]·k[j]", "q", "k")
	}
	if kinds&2 != 0 {
		use(fmt.Sprintf("q[i]·kr[%s]", s.offset()), "q", "kr")
	}
	if kinds&4 != 0 {
		use(fmt.Sprintf("qr[%s]·k[j]", s.offset()), "k", "qr")
	}
	if kinds&8 != 0 {
		use(fmt.Sprintf("qr[%s]·kr[%s]", s.offset(), s.offset()), "qr", "kr")
	}
	if kinds&16 != 0 {
		use(fmt.Sprintf("b[%s]", s.offset()), "b")
	}
	if s.yes(3) {
		for range 1 + s.IntN(4) {
			s.more(use)
		}
	}
	return s.projections(score, need)
}

// more draws one more term.
func (s *draft) more(use func(term string, names ...string)) {
	switch s.IntN(6) {
	case 0:
		x, y := s.one("q", "k", "p"), s.one("q", "k", "p", "v")
		use(fmt.Sprintf("%s[i]·%s[j]", x, y), x, y)
	case 1, 2:
		x, y := s.one("q", "p", "v"), s.one("kr", "qr", "sr")
		use(fmt.Sprintf("%s[i]·%s[%s]", x, y, s.offset()), x, y)
	case 3:
		x, y := s.one("k", "p"), s.one("kr", "qr", "sr")
		use(fmt.Sprintf("%s[%s]·%s[j]", y, s.offset(), x), x, y)
	case 4:
		y := s.one("kr", "sr")
		use(fmt.Sprintf("qr[%s]·%s[%s]", s.offset(), y, s.offset()), "qr", y)
	case 5:
		y := s.one("b", "c")
		use(fmt.Sprintf("%s[%s]", y, s.offset()), y)
	}
}

// projections draws the projections that the terms of a score need, and writes the score after them.
func (s *draft) projections(score []string, need map[string]bool) drawn {
	var b strings.Builder
	for _, n := range []string{"q", "k", "v", "p"} {
		if need[n] {
			fmt.Fprintf(&b, "%s = linear(x%s)\n", n, s.one("", "", ", bias: no"))
		}
	}
	relative := false
	for _, n := range []string{"kr", "qr", "sr"} {
		if !need[n] {
			continue
		}
		relative = true
		shared := n[:1]
		if need[shared] && s.yes(2) {
			fmt.Fprintf(&b, "%s = %s(rel)\n", n, shared)
		} else {
			fmt.Fprintf(&b, "%s = linear(rel%s)\n", n, s.one("", ", bias: no"))
		}
	}
	rows := relative
	for _, n := range []string{"b", "c"} {
		if need[n] {
			relative = true
			fmt.Fprintf(&b, "%s = scalar(rel)\n", n)
		}
	}
	fmt.Fprintf(&b, "score %s\n", strings.Join(score, " + "))
	fmt.Fprintf(&b, "scale 1 / sqrt(head * %s)\n", s.one("terms", "terms", "3"))
	return drawn{b.String(), relative, rows}
}

// mask draws the mask, and whether heads are mixed.
func (s *draft) mask() {
	s.line("mask %s", s.one("j", "j", "j", "j <= i", "j <= i or prefix[j]"))
	if s.yes(6) {
		s.line("mix score")
	}
	if s.yes(6) {
		s.line("mix weight")
	}
}
