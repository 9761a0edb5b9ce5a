package token

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeForm is one of the four Unicode normalisation forms (UAX 15). The tables are golang.org/x/text's; the
// algorithm is here because offsets are needed, and because that package breaks runs of over 30 marks apart.
type unicodeForm struct{ form norm.Form }

// mark is a decomposed character on its way to its canonical place.
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
	starter := 0 // where the run of marks behind the last starter begins
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

// decompose calls f for the full decomposition of the character in text.
func decompose(text []byte, compat bool, f func(r rune, class uint8)) {
	r, _ := utf8.DecodeRune(text)
	if r < utf8.RuneSelf {
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
	for len(d) > 0 {
		r, w := utf8.DecodeRune(d)
		f(r, form.Properties(d).CCC())
		d = d[w:]
	}
}

// recompose joins each starter with the marks behind it that are not blocked, and writes the result to s.edits. A
// composite stands for as many characters as went into it.
func (s *scratch) recompose() {
	starter, last := -1, -1 // index in s.edits; class of the last mark kept behind it
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

// compose returns the primary composite of two characters, if there is one.
func compose(a, b rune) (rune, bool) {
	var in, out [3 * utf8.UTFMax]byte
	pair := utf8.AppendRune(utf8.AppendRune(in[:0], a), b)
	joined := norm.NFC.Append(out[:0], pair...)
	r, w := utf8.DecodeRune(joined)
	return r, w == len(joined) && !bytes.Equal(joined, pair)
}
