package token

import (
	"unicode"
	"unicode/utf8"
)

// preTokenizer is one step that cuts a chunk into smaller ones. It calls emit for each part that is not empty, in
// order. b is memory for a text that the step changes.
type preTokenizer interface {
	split(c chunk, b *buffer, emit func(c chunk))
}

// behavior is what happens to delimiters.
type behavior uint8

const (
	isolated   behavior = iota // each delimiter is a part of its own
	removed                    // delimiters are dropped
	contiguous                 // a run of delimiters is one part
	mergedPrevious
	mergedNext
)

var behaviors = [...]string{"Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"}

// cut splits c at the characters for which `is` returns true.
func (b behavior) cut(c chunk, is func(r rune) bool, emit func(c chunk)) {
	put := func(lo, hi int) {
		if lo < hi {
			emit(c.slice(lo, hi))
		}
	}
	from, open := 0, false // from: start of the current part; open: it consists only of delimiters
	for i := 0; i < len(c.text); {
		r, w := rune(c.text[i]), 1
		if r >= utf8.RuneSelf {
			r, w = utf8.DecodeRune(c.text[i:])
		}
		d := is(r)
		switch b {
		case isolated, removed:
			if d {
				put(from, i)
				if b == isolated {
					put(i, i+w)
				}
				from = i + w
			}
		case contiguous:
			if d != open {
				put(from, i)
				from = i
			}
		case mergedPrevious:
			// A delimiter joins what is before it, unless that ends in a delimiter.
			if d && open {
				put(i, i+w)
				from = i + w
			} else if d {
				put(from, i+w)
				from = i + w
			}
		case mergedNext:
			if d {
				put(from, i)
				from = i
			}
		}
		open = d
		i += w
	}
	put(from, len(c.text))
}

type punctuation struct{ behavior behavior }

func (p punctuation) split(c chunk, _ *buffer, emit func(c chunk)) {
	p.behavior.cut(c, isOldPunctuation, emit)
}

// isPunctuation reports whether r is ASCII punctuation or an ASCII symbol, or is in one of Unicode's categories P.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return unicode.IsPunct(r)
}

// isOldPunctuation is isPunctuation by the tables of Unicode 7, which the json form's reference still uses.
func isOldPunctuation(r rune) bool {
	if r < 0x61d {
		return isPunctuation(r)
	}
	return (unicode.IsPunct(r) || r == 0x166d || r == 0x111c9) && !unicode.Is(laterPunctuation, r)
}

// laterPunctuation holds the characters that became punctuation after Unicode 7.
var laterPunctuation = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x61d, 0x61d, 1}, {0x9fd, 0x9fd, 1}, {0xa76, 0xa76, 1}, {0xc77, 0xc77, 1}, {0xc84, 0xc84, 1}, {0x1b4e, 0x1b4f, 1},
		{0x1b7d, 0x1b7f, 1}, {0x2e43, 0x2e4f, 1}, {0x2e52, 0x2e5d, 1},
	},
	R32: []unicode.Range32{
		{0x10d6e, 0x10d6e, 1}, {0x10ead, 0x10ead, 1}, {0x10f55, 0x10f59, 1}, {0x10f86, 0x10f89, 1}, {0x113d4, 0x113d5, 1},
		{0x113d7, 0x113d8, 1}, {0x1144b, 0x1144f, 1}, {0x1145a, 0x1145b, 1}, {0x1145d, 0x1145d, 1}, {0x11660, 0x1166c, 1},
		{0x116b9, 0x116b9, 1}, {0x1183b, 0x1183b, 1}, {0x11944, 0x11946, 1}, {0x119e2, 0x119e2, 1}, {0x11a3f, 0x11a46, 1},
		{0x11a9a, 0x11a9c, 1}, {0x11a9e, 0x11aa2, 1}, {0x11b00, 0x11b09, 1}, {0x11be1, 0x11be1, 1}, {0x11c41, 0x11c45, 1},
		{0x11c70, 0x11c71, 1}, {0x11ef7, 0x11ef8, 1}, {0x11f43, 0x11f4f, 1}, {0x11fff, 0x11fff, 1}, {0x12ff1, 0x12ff2, 1},
		{0x16d6d, 0x16d6f, 1}, {0x16e97, 0x16e9a, 1}, {0x16fe2, 0x16fe2, 1}, {0x1e5ff, 0x1e5ff, 1}, {0x1e95e, 0x1e95f, 1},
	},
}

type prependScheme uint8

const (
	prependAlways prependScheme = iota
	prependFirst
	prependNever
)

var prependSchemes = [...]string{"always", "first", "never"}

// metaspace writes spaces as mark, puts one mark before the text, and cuts before each mark, unless cut is unset.
type metaspace struct {
	mark   string
	scheme prependScheme
	cut    bool
}

func (m *metaspace) split(c chunk, b *buffer, emit func(c chunk)) {
	n := len(m.mark)
	track := c.span != nil
	front := func(c chunk) bool {
		if m.scheme == prependNever || m.scheme == prependFirst && c.start != 0 {
			return false
		}
		first := len(c.text) > 0 && c.text[0] == ' '
		return len(c.text) > 0 && !first && !(len(c.text) >= n && string(c.text[:n]) == m.mark)
	}
	b.reset(track)
	if front(c) {
		var at Span
		if track {
			at = c.span[0]
		}
		b.add(m.mark, at)
	}
	put := func() {
		if len(b.text) > 0 {
			d := b.chunk(c.start)
			emit(d.slice(0, len(d.text)))
			b.reset(track)
		}
	}
	for i := 0; i < len(c.text); {
		j := i
		for j < len(c.text) && c.text[j] != ' ' && c.text[j] != m.mark[0] {
			j++
		}
		b.copy(c, i, j)
		if i = j; i == len(c.text) {
			break
		}
		w := 1
		if c.text[i] != ' ' {
			if len(c.text)-i < n || string(c.text[i:i+n]) != m.mark {
				b.copy(c, i, i+1)
				i++
				continue
			}
			w = n
		}
		// A mark begins a new word.
		if m.cut {
			put()
		}
		var at Span
		if track {
			at = c.span[i]
		}
		b.add(m.mark, at)
		i += w
	}
	put()
}
