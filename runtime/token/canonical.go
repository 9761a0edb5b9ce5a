package token

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeForm is one of the four Unicode normalization forms (UAX 15). The tables are those of golang.org/x/text. The
// algorithm is implemented here because offsets are needed, and because that package breaks up runs of more than 30
// marks.
type unicodeForm struct{ form norm.Form }

// decomposed is a character that is to be put into canonical order.
type decomposed struct {
	edit
	class uint8
}

func (n unicodeForm) normalize(c chunk, b *buffer, s *scratch) chunk {
	if n.form.QuickSpan(c.text) == len(c.text) {
		return c
	}
	compat := n.form == norm.NFKC || n.form == norm.NFKD
	s.marks = s.marks[:0]
	starter := 0 // where the run of marks after the last starter begins
	settle := func() {
		slices.SortStableFunc(s.marks[starter:], func(a, b decomposed) int { return int(a.class) - int(b.class) })
	}
	for i := 0; i < len(c.text); {
		_, w := utf8.DecodeRune(c.text[i:])
		change := int32(0)
		decompose(c.text[i:i+w], compat, func(r rune, class uint8) {
			if class == 0 {
				settle()
				starter = len(s.marks) + 1
			}
			s.marks = append(s.marks, decomposed{edit{r, change}, class})
			change = 1
		})
		starter = min(starter, len(s.marks))
		i += w
	}
	settle()
	s.edits = s.edits[:0]
	if n.form == norm.NFD || n.form == norm.NFKD {
		for _, m := range s.marks {
			s.edits = append(s.edits, m.edit)
		}
	} else {
		s.recompose()
	}
	return b.apply(c, s.edits)
}

// decompose calls f for each character of the full decomposition of the character in text.
func decompose(text []byte, compat bool, f func(r rune, class uint8)) {
	r, _ := utf8.DecodeRune(text)
	if r < utf8.RuneSelf || unicode.Is(laterForms, r) {
		f(r, 0)
		return
	}
	if 0xac00 <= r && r <= 0xd7a3 { // Hangul syllables, by the standard's arithmetic (section 3.12)
		k := r - 0xac00
		f(0x1100+k/588, 0)
		f(0x1161+k%588/28, 0)
		if k%28 != 0 {
			f(0x11a7+k%28, 0)
		}
		return
	}
	form := norm.NFD
	if compat {
		form = norm.NFKD
	}
	p := form.Properties(text)
	d := p.Decomposition()
	if d == nil {
		f(r, p.CCC())
		return
	}
	for len(d) > 0 { // the table holds full decompositions
		r, w := utf8.DecodeRune(d)
		f(r, form.Properties(d).CCC())
		d = d[w:]
	}
}

// recompose joins each starter with the marks after it that are not blocked, and writes the result to s.edits. A
// composite stands for as many characters as were joined into it.
func (s *scratch) recompose() {
	starter, last := -1, -1 // index in s.edits; class of the last mark kept after it
	for _, m := range s.marks {
		if starter >= 0 && (last < 0 || last < int(m.class)) {
			if r, ok := compose(s.edits[starter].r, m.r); ok {
				s.edits[starter].r = r
				s.edits[starter].change += m.change - 1
				continue
			}
		}
		s.edits = append(s.edits, m.edit)
		if m.class == 0 {
			starter, last = len(s.edits)-1, -1
		} else if starter >= 0 {
			last = int(m.class)
		}
	}
}

// compose returns the primary composite of two characters; ok is false if they have no composite.
func compose(a, b rune) (rune, bool) {
	var in, out [3 * utf8.UTFMax]byte
	pair := utf8.AppendRune(utf8.AppendRune(in[:0], a), b)
	joined := norm.NFC.Append(out[:0], pair...)
	r, w := utf8.DecodeRune(joined)
	return r, w == len(joined) && !bytes.Equal(joined, pair) && !unicode.Is(laterForms, r)
}

// laterForms holds characters that were added, or got a mapping, after Unicode 9. The json form's reference uses the
// tables of Unicode 9, in which they are starters that do not decompose or compose.
var laterForms = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x7fd, 0x7fd, 1}, {0x898, 0x89f, 1}, {0x8ca, 0x8d3, 1}, {0x9fe, 0x9fe, 1}, {0xc3c, 0xc3c, 1}, {0xd3b, 0xd3c, 1},
		{0xeba, 0xeba, 1}, {0x1715, 0x1715, 1}, {0x1abf, 0x1ace, 1}, {0x1df6, 0x1dfa, 1}, {0x32ff, 0x32ff, 1},
		{0xa7f2, 0xa7f4, 1}, {0xa82c, 0xa82c, 1}, {0xab69, 0xab69, 1},
	},
	R32: []unicode.Range32{
		{0x10781, 0x10785, 1}, {0x10787, 0x107b0, 1}, {0x107b2, 0x107ba, 1}, {0x10d24, 0x10d27, 1}, {0x10eab, 0x10eac, 1},
		{0x10efd, 0x10eff, 1}, {0x10f46, 0x10f50, 1}, {0x10f82, 0x10f85, 1}, {0x11070, 0x11070, 1}, {0x1133b, 0x1133b, 1},
		{0x1145e, 0x1145e, 1}, {0x11839, 0x1183a, 1}, {0x11938, 0x11938, 1}, {0x1193d, 0x1193e, 1}, {0x11943, 0x11943, 1},
		{0x119e0, 0x119e0, 1}, {0x11a34, 0x11a34, 1}, {0x11a47, 0x11a47, 1}, {0x11a99, 0x11a99, 1}, {0x11d42, 0x11d42, 1},
		{0x11d44, 0x11d45, 1}, {0x11d97, 0x11d97, 1}, {0x11f41, 0x11f42, 1}, {0x16ff0, 0x16ff1, 1}, {0x1e030, 0x1e06d, 1},
		{0x1e08f, 0x1e08f, 1}, {0x1e130, 0x1e136, 1}, {0x1e2ae, 0x1e2ae, 1}, {0x1e2ec, 0x1e2ef, 1}, {0x1e4ec, 0x1e4ef, 1},
		{0x1f16c, 0x1f16c, 1}, {0x1fbf0, 0x1fbf9, 1},
	},
}
