package token

import (
	"strings"
	"unicode/utf8"
)

// Byte-level tokenizers write each byte of a text as one printable character, so that a vocabulary of characters covers
// all texts (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2; the alphabet and
// the pattern are those published with it). Here words stay bytes; only the texts of the vocabulary use the alphabet.

// byteChars is the alphabet: printable bytes of Latin-1 stand for themselves, the others are written as U+0100 and up.
var byteChars = func() (chars [256]rune) {
	next := rune(256)
	for b := range rune(256) {
		if '!' <= b && b <= '~' || 0xa1 <= b && b <= 0xac || 0xae <= b && b <= 0xff {
			chars[b] = b
		} else {
			chars[b] = next
			next++
		}
	}
	return chars
}()

// charBytesOf is the inverse of byteChars: 1 + the byte, or 0 for characters outside the alphabet.
var charBytesOf = func() (bytes [256 + 68]uint16) {
	for b, r := range byteChars {
		bytes[r] = uint16(b) + 1
	}
	return bytes
}()

// fromByteChars appends the bytes that s stands for. ok is false if a character is not in the alphabet.
func fromByteChars(dst []byte, s string) (out []byte, ok bool) {
	for _, r := range s {
		if int(r) >= len(charBytesOf) || charBytesOf[r] == 0 {
			return dst, false
		}
		dst = append(dst, byte(charBytesOf[r]-1))
	}
	return dst, true
}

// wordPattern is the pattern that cuts texts into words. nextWord matches it.
const wordPattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// byteLevel puts a space before texts that do not begin with one (prefix) and cuts by wordPattern, unless pattern is
// unset.
type byteLevel struct{ prefix, pattern bool }

func (p *byteLevel) split(c chunk, b *buffer, emit func(c chunk)) {
	if len(c.text) == 0 {
		return
	}
	if p.prefix && c.text[0] != ' ' {
		b.reset(c.span != nil)
		var at Span
		if c.span != nil {
			at = c.span[0]
		}
		b.add(" ", at)
		// The space stands for the bytes of the first character.
		b.copy(c, 0, len(c.text))
		c = b.chunk(c.start)
	}
	if !p.pattern {
		emit(c)
		return
	}
	wordSplit{}.split(c, b, emit)
}

// wordSplit cuts by wordPattern.
type wordSplit struct{}

func (wordSplit) split(c chunk, _ *buffer, emit func(c chunk)) {
	table := classes()
	for i := 0; i < len(c.text); {
		n := nextWord(c.text[i:], table)
		emit(c.slice(i, i+n))
		i += n
	}
}

// wordKind is the kind of a character in the pattern. Runs of one kind are words, except for white space.
type wordKind uint8

const (
	wordOther wordKind = iota
	wordLetter
	wordNumber
	wordSpace
)

var asciiKinds = func() (kinds [utf8.RuneSelf]wordKind) {
	for b := range kinds {
		switch c := rune(b); {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			kinds[b] = wordLetter
		case '0' <= c && c <= '9':
			kinds[b] = wordNumber
		case c == ' ' || '\t' <= c && c <= '\r':
			kinds[b] = wordSpace
		}
	}
	return kinds
}()

// kindAt returns the kind and the length of the character at the start of text.
func kindAt(text []byte, table *charPages) (wordKind, int) {
	if c := text[0]; c < utf8.RuneSelf {
		return asciiKinds[c], 1
	}
	r, n := utf8.DecodeRune(text)
	switch c := table.of(r); {
	case c&classLetter != 0:
		return wordLetter, n
	case c&classNumber != 0:
		return wordNumber, n
	case c&classSpace != 0:
		return wordSpace, n
	}
	return wordOther, n
}

// nextWord returns the length of the pattern's match at the start of text, which is not empty. After the match it looks
// at no more than the next character; only a run of white space leaves its last character to the next match. So cutting
// takes time linear in the text.
func nextWord(text []byte, table *charPages) int {
	if text[0] == '\'' {
		if n := contraction(text); n > 0 {
			return n
		}
	}
	kind, n := kindAt(text, table)
	if kind == wordSpace {
		if text[0] == ' ' && len(text) > 1 {
			if k, w := kindAt(text[1:], table); k != wordSpace {
				return 1 + w + runOf(text[1+w:], k, table)
			}
		}
		last := 0 // where the last character of the run begins
		for n < len(text) {
			k, w := kindAt(text[n:], table)
			if k != wordSpace {
				if last > 0 {
					return last
				}
				return n
			}
			last, n = n, n+w
		}
		return n
	}
	return n + runOf(text[n:], kind, table)
}

// runOf returns the length of the run of one kind at the start of text.
func runOf(text []byte, kind wordKind, table *charPages) int {
	n := 0
	for n < len(text) {
		if c := text[n]; c < utf8.RuneSelf {
			if asciiKinds[c] != kind {
				break
			}
			n++
			continue
		}
		k, w := kindAt(text[n:], table)
		if k != kind {
			break
		}
		n += w
	}
	return n
}

// contraction returns the length of 's, 't, 're, 've, 'm, 'll or 'd at the start of text, or 0.
func contraction(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(text) > 2 && text[2] == 'e' {
			return 3
		}
	case 'l':
		if len(text) > 2 && text[2] == 'l' {
			return 3
		}
	}
	return 0
}

// decode joins the bytes that the tokens stand for. A token with a character outside the alphabet stands for itself.
func (p *byteLevel) decode(tokens []string) []string {
	var all []byte
	for _, s := range tokens {
		var ok bool
		n := len(all)
		if all, ok = fromByteChars(all, s); !ok {
			all = append(all[:n], s...)
		}
	}
	return []string{replaceInvalid(all)}
}

// replaceInvalid replaces each maximal part of an ill-formed sequence by one U+FFFD, as the Unicode standard recommends
// (section 3.9). The standard library replaces each byte.
func replaceInvalid(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = illFormed(b)
		}
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String()
}

// illFormed returns the length of the maximal part at the start of b, which does not begin a character.
func illFormed(b []byte) int {
	lo, hi, want := byte(0x80), byte(0xbf), 0
	switch c := b[0]; {
	case 0xc2 <= c && c <= 0xdf:
		want = 1
	case 0xe0 <= c && c <= 0xef:
		want = 2
		if c == 0xe0 {
			lo = 0xa0
		} else if c == 0xed {
			hi = 0x9f
		}
	case 0xf0 <= c && c <= 0xf4:
		want = 3
		if c == 0xf0 {
			lo = 0x90
		} else if c == 0xf4 {
			hi = 0x8f
		}
	}
	n := 1
	for n <= want && n < len(b) && lo <= b[n] && b[n] <= hi {
		lo, hi = 0x80, 0xbf
		n++
	}
	return n
}

// edge counts the white space characters at a token's start and at its end. Trimmed offsets leave them out.
type edge struct{ lead, trail int32 }

// edgesOf counts the spaces at both ends of a token's bytes.
func edgesOf(surface []byte) (e edge) {
	for int(e.lead) < len(surface) && surface[e.lead] == ' ' {
		e.lead++
	}
	for int(e.trail) < len(surface) && surface[len(surface)-1-int(e.trail)] == ' ' {
		e.trail++
	}
	return e
}

// edgesOfAdded counts, at both ends of an added token, the white space, including the white space around it that the
// token takes, and the characters that stand for spaces.
func edgesOfAdded(surface []byte, table *charPages) (e edge) {
	blank := func(r rune) bool { return r == byteChars[' '] || table.of(r)&classSpace != 0 }
	for rest := surface; len(rest) > 0; e.lead++ {
		r, n := utf8.DecodeRune(rest)
		if !blank(r) {
			break
		}
		rest = rest[n:]
	}
	for rest := surface; len(rest) > 0; e.trail++ {
		r, n := utf8.DecodeLastRune(rest)
		if !blank(r) {
			break
		}
		rest = rest[:len(rest)-n]
	}
	return e
}

// trim removes the white space at a token's ends from its offsets. It counts characters of the text, as the reference
// does. first is set if the token is the first of its encoding; prefix is set if encoding puts a space before texts. Then
// a single space before a first token may be this one and stays in the offsets; several spaces must come from the text.
func (e edge) trim(text string, at Span, first, prefix bool) Span {
	lead := e.lead
	if lead == 1 && prefix && (first || at.Start == 0) {
		lead = 0
	}
	lo, hi := int(at.Start), int(at.End)
	for ; lead > 0 && lo < hi; lead-- {
		_, n := utf8.DecodeRuneInString(text[lo:])
		lo += n
	}
	end, trail := hi, e.trail
	for ; trail > 0 && end > 0; trail-- {
		_, n := utf8.DecodeLastRuneInString(text[:end])
		end -= n
	}
	if trail == 0 {
		hi = max(end, min(lo, hi))
	}
	return Span{int32(min(lo, hi)), int32(hi)}
}
