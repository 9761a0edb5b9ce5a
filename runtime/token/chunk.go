package token

import (
	"unicode/utf8"
)

// Span is a range of bytes (or of code points, where stated) of the text that was encoded: [Start, End).
type Span struct{ Start, End int32 }

// chunk is a piece of text between the user's input and the input of the word model. span holds, for each byte of
// text, the bytes of the original that it stands for; it is nil if no offsets were asked for. start is where the chunk
// begins in the original.
type chunk struct {
	text  []byte
	span  []Span
	start int32
}

func (c chunk) slice(lo, hi int) chunk {
	d := chunk{text: c.text[lo:hi], start: c.start}
	if c.span != nil {
		d.span = c.span[lo:hi]
		if lo < hi {
			d.start = d.span[0].Start
		}
	}
	return d
}

// buffer is reused memory for a chunk.
type buffer struct {
	text  []byte
	span  []Span
	track bool
}

func (b *buffer) reset(track bool) {
	b.text, b.span, b.track = b.text[:0], b.span[:0], track
}

func (b *buffer) chunk(start int32) chunk {
	c := chunk{text: b.text, start: start}
	if b.track {
		c.span = b.span
		if c.span == nil {
			c.span = []Span{}
		}
	}
	return c
}

// copy appends bytes lo to hi of c.
func (b *buffer) copy(c chunk, lo, hi int) {
	b.text = append(b.text, c.text[lo:hi]...)
	if b.track {
		b.span = append(b.span, c.span[lo:hi]...)
	}
}

// add appends s, all of which stands for at.
func (b *buffer) add(s string, at Span) {
	b.text = append(b.text, s...)
	if b.track {
		for range len(s) {
			b.span = append(b.span, at)
		}
	}
}

// load fills b with text[lo:hi]. Each byte that is not valid UTF-8 becomes U+FFFD.
func (b *buffer) load(text string, lo, hi int, track bool) chunk {
	b.reset(track)
	for i := lo; i < hi; {
		if c := text[i]; c < utf8.RuneSelf {
			j := i + 1
			for j < hi && text[j] < utf8.RuneSelf {
				j++
			}
			b.text = append(b.text, text[i:j]...)
			for ; track && i < j; i++ {
				b.span = append(b.span, Span{int32(i), int32(i + 1)})
			}
			i = j
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:hi])
		at := Span{int32(i), int32(i + n)}
		if r == utf8.RuneError && n == 1 {
			b.add("\ufffd", at)
		} else {
			b.add(text[i:i+n], at)
		}
		i += n
	}
	return b.chunk(int32(lo))
}

// edit is one character of a new text. If change is 0, it replaces one character. If it is -n, it replaces one
// character and the n after it. If it is 1, the character is new and stands for the same bytes as the character before
// it.
type edit struct {
	r      rune
	change int32
}

// apply writes the edited text of c to b. The bookkeeping follows the json form's reference exactly, because offsets
// depend on it, even if an edit has no character left to replace (a removal before the first character).
func (b *buffer) apply(c chunk, edits []edit) chunk {
	b.reset(c.span != nil)
	at := 0 // the next byte of c to be replaced
	skip := func() {
		if at < len(c.text) {
			_, n := utf8.DecodeRune(c.text[at:])
			at += n
		}
	}
	for _, e := range edits {
		from := Span{c.start, c.start}
		if c.span != nil {
			if e.change > 0 && at > 0 {
				from = c.span[at-1]
			} else if e.change <= 0 && at < len(c.span) {
				from = c.span[at]
			} else if e.change <= 0 && len(c.span) > 0 {
				from = c.span[len(c.span)-1]
			}
		}
		for i := e.change; i <= 0; i++ {
			skip()
		}
		n := len(b.text)
		b.text = utf8.AppendRune(b.text, e.r)
		for ; b.track && n < len(b.text); n++ {
			b.span = append(b.span, from)
		}
	}
	return b.chunk(c.start)
}
