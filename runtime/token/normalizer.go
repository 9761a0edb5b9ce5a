package token

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// normalizer is one step of the json form's normalizer. It returns c, a part of c, or a new text in b.
type normalizer interface {
	normalize(c chunk, b *buffer, s *scratch) chunk
}

// normalize applies steps to c, using two buffers in turn. Steps may stop early if the text is longer than s.limit.
func (s *scratch) normalize(steps []normalizer, c chunk) chunk {
	b, other := &s.norm[0], &s.norm[1]
	for _, n := range steps {
		b.reset(c.span != nil)
		c = n.normalize(c, b, s)
		if len(b.text) > s.limit {
			s.over = true
			return chunk{start: c.start}
		}
		if len(b.text) > 0 {
			b, other = other, b
		}
	}
	return c
}

// strip removes White_Space at the ends.
type strip struct{ left, right bool }

func (n strip) normalize(c chunk, _ *buffer, _ *scratch) chunk {
	lo, hi := 0, len(c.text)
	if n.left {
		lo = hi - len(bytes.TrimLeftFunc(c.text, unicode.IsSpace))
	}
	if n.right {
		hi = lo + len(bytes.TrimRightFunc(c.text[lo:], unicode.IsSpace))
	}
	d := c.slice(lo, hi)
	d.start = c.start // the part keeps its place: only cutting into words changes it
	return d
}

// lowercase maps each character to its own lower case form, without the final sigma and without rules of a language.
type lowercase struct{}

func (lowercase) normalize(c chunk, b *buffer, s *scratch) chunk {
	if c.span == nil {
		for i := 0; i < len(c.text); {
			if a := c.text[i]; a < utf8.RuneSelf {
				if 'A' <= a && a <= 'Z' {
					a += 'a' - 'A'
				}
				b.text = append(b.text, a)
				i++
				continue
			}
			r, n := utf8.DecodeRune(c.text[i:])
			b.text = appendLower(b.text, r)
			i += n
		}
		return b.chunk(c.start)
	}
	s.edits = s.edits[:0]
	for _, r := range bytesView(c.text) {
		if r == dottedI {
			s.edits = append(s.edits, edit{'i', 0}, edit{'\u0307', 1})
		} else {
			s.edits = append(s.edits, edit{lower(r), 0})
		}
	}
	return b.apply(c, s.edits)
}

// dottedI is the one character whose lower case form is two characters in every language.
const dottedI = '\u0130'

func appendLower(b []byte, r rune) []byte {
	if r == dottedI {
		return append(b, "i\u0307"...)
	}
	return utf8.AppendRune(b, lower(r))
}

func lower(r rune) rune {
	if r >= 0x1c89 {
		for _, x := range lateCases {
			if x.lo <= r && r <= x.hi {
				return r + x.delta
			}
		}
	}
	return unicode.ToLower(r)
}

// lateCases holds capital letters of Unicode 16 and 17, which the standard library's tables may lack.
var lateCases = [...]struct {
	lo, hi rune
	delta  rune
}{
	{0x1c89, 0x1c89, 1}, {0xa7cb, 0xa7cb, 0x264 - 0xa7cb}, {0xa7cc, 0xa7cc, 1}, {0xa7ce, 0xa7ce, 1}, {0xa7d2, 0xa7d2, 1},
	{0xa7d4, 0xa7d4, 1}, {0xa7da, 0xa7da, 1}, {0xa7dc, 0xa7dc, 0x19b - 0xa7dc}, {0x10d50, 0x10d65, 0x20}, {0x16ea0, 0x16eb8, 0x1b},
}

// replace replaces every match by content. The content stands for the same bytes as the match's last byte.
type replace struct {
	find    *pattern
	content string
}

func (n *replace) normalize(c chunk, b *buffer, s *scratch) chunk {
	from := 0
	for {
		lo, hi := n.find.next(c.text, from)
		if hi == 0 || len(b.text) > s.limit {
			break
		}
		b.copy(c, from, lo)
		var at Span
		if c.span != nil {
			at = c.span[hi-1]
		}
		b.add(n.content, at)
		from = hi
	}
	if from == 0 {
		return c
	}
	b.copy(c, from, len(c.text))
	return b.chunk(c.start)
}

// prepend puts text before every chunk that is not empty.
type prepend struct{ text string }

func (n prepend) normalize(c chunk, b *buffer, _ *scratch) chunk {
	if len(c.text) == 0 {
		return c
	}
	var at Span
	if c.span != nil {
		at = c.span[0]
	}
	b.add(n.text, at)
	b.copy(c, 0, len(c.text))
	return b.chunk(c.start)
}

// precompiled applies a character map per grapheme cluster. A cluster below 6 bytes is looked up as a whole; if it
// begins with a mapped character, all of it becomes that character's replacement. Longer clusters are mapped
// character by character.
type precompiled struct{ chars *charsMap }

func (n *precompiled) normalize(c chunk, b *buffer, s *scratch) chunk {
	if c.span != nil {
		return n.tracked(c, b, s)
	}
	text, pages := c.text, graphemes()
	for i := 0; i < len(text) && len(b.text) <= s.limit; {
		if j := n.plain(text, i); j > i {
			b.text = append(b.text, text[i:j]...)
			i = j
			continue
		}
		k := pages.cluster(text[i:])
		n.each(text[i:i+k], func(part []byte, r string, ok bool) {
			if ok {
				b.text = append(b.text, r...)
			} else {
				b.text = append(b.text, part...)
			}
		})
		i += k
	}
	return b.chunk(c.start)
}

// plain returns the end of the run of ASCII at i that no cluster and no mapping affects.
func (n *precompiled) plain(text []byte, i int) int {
	j := i
	for j < len(text) && text[j] < utf8.RuneSelf && n.chars.ascii[text[j]] != asciiWalk && text[j] != '\r' {
		j++
	}
	if j > i && j < len(text) && text[j] >= utf8.RuneSelf {
		j-- // it may carry a combining mark
	}
	return j
}

// each calls f for the parts of a cluster that are looked up together.
func (n *precompiled) each(cluster []byte, f func(part []byte, r string, ok bool)) {
	if len(cluster) < 6 {
		if r, ok := n.chars.shortest(cluster); ok {
			f(cluster, r, true)
			return
		}
	}
	for i := 0; i < len(cluster); {
		_, w := utf8.DecodeRune(cluster[i:])
		r, ok := n.chars.shortest(cluster[i : i+w])
		f(cluster[i:i+w], r, ok)
		i += w
	}
}

func (n *precompiled) tracked(c chunk, b *buffer, s *scratch) chunk {
	text, pages, changed := c.text, graphemes(), false
	s.edits = s.edits[:0]
	for i := 0; i < len(text) && len(s.edits) <= s.limit; {
		if j := n.plain(text, i); j > i {
			for ; i < j; i++ {
				s.edits = append(s.edits, edit{rune(text[i]), 0})
			}
			continue
		}
		k := pages.cluster(text[i:])
		n.each(text[i:i+k], func(part []byte, r string, ok bool) {
			if !ok {
				x, _ := utf8.DecodeRune(part)
				s.edits = append(s.edits, edit{x, 0})
				return
			}
			changed = true
			grow := 0
			for _, x := range r {
				s.edits = append(s.edits, edit{x, 0})
				grow++
			}
			grow -= utf8.RuneCount(part)
			for j := range max(grow, 0) {
				s.edits[len(s.edits)-1-j].change = 1
			}
			if grow < 0 && len(s.edits) > 0 {
				s.edits[len(s.edits)-1].change += int32(grow)
			}
		})
		i += k
	}
	if !changed {
		return c
	}
	return b.apply(c, s.edits)
}
