package extraction

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/ragged"
)

// Place is a part of a text.
type Place struct {
	Start, End         int // bytes [Start, End)
	RuneStart, RuneEnd int // the same in code points
}

// Word is a word of a text, in lower case, with its place.
type Word struct {
	Text string
	Place
}

// Splitter is a way to divide a text into words.
type Splitter string

// The ways to divide a text into words. The zero value is SplitWords.
const (
	SplitWords Splitter = "whitespace" // addresses, words with their hyphens, and single characters that are not white space
	SplitChars Splitter = "char"       // runs of ASCII letters, digits and @ . _ - +, and single characters that are not white space
)

// ParseSplitter returns the splitter of a name; the empty name stands for SplitWords.
func ParseSplitter(name string) (Splitter, error) {
	switch s := Splitter(name); s {
	case "", SplitWords:
		return SplitWords, nil
	case SplitChars:
		return s, nil
	}
	return "", ragged.Errorf("word_splitter is %q: it must be %q or %q", name, SplitWords, SplitChars)
}

// Text is a text as a model reads it.
type Text struct {
	// Model is the text with the full stop that is added if it does not end in ".", "!" or "?". Places of words are places in it.
	Model string
	Words []Word
	Cut   int // number of words after the last one, which the limit cut off
}

// Read adds the full stop to a text and divides it into words. It keeps the first maxWords words; 0: all.
func Read(text string, s Splitter, maxWords int) *Text {
	t := &Text{Model: text}
	if text == "" || !strings.ContainsAny(text[len(text)-1:], ".!?") {
		t.Model += "."
	}
	t.Words = Split(t.Model, s)
	if maxWords > 0 && len(t.Words) > maxWords {
		t.Cut = len(t.Words) - maxWords
		t.Words = t.Words[:maxWords]
	}
	return t
}

// Split divides a text into words.
func Split(text string, s Splitter) []Word {
	var words []Word
	c := cutter{text: text, local: -1, domain: -1}
	runes := 0
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRuneInString(text[at:])
		if isSpace(r) {
			at += n
			runes++
			continue
		}
		end := 0
		if s == SplitChars {
			end = run(text, at, isCharWord)
		} else {
			end = c.word(at)
		}
		if end == at {
			end = at + n
		}
		w := Word{Lower(text[at:end]), Place{Start: at, End: end, RuneStart: runes}}
		runes += utf8.RuneCountInString(text[at:end])
		w.RuneEnd = runes
		words = append(words, w)
		at = end
	}
	return words
}

// cutter finds words. It keeps what it found about e-mail addresses, so that the time does not grow with the square of a text of many dots.
type cutter struct {
	text   string
	local  int // the end of the run that the last look-up of a local part found
	domain int // the place of the @ for which end is known
	end    int // the end of the address, or -1
}

// word returns the end of the word at a byte, by the first of these that fits: an address of the web, an e-mail address, a @handle, word characters with
// single hyphens between them. It returns at if none fits.
func (c *cutter) word(at int) int {
	if end := webAddress(c.text, at); end > at {
		return end
	}
	if at >= c.local {
		c.local = run(c.text, at, isLocal)
	}
	if c.local > at && strings.HasPrefix(c.text[c.local:], "@") {
		if end := c.host(c.local); end > 0 {
			return end
		}
	}
	if c.text[at] == '@' {
		if end := run(c.text, at+1, isHandle); end > at+1 {
			return end
		}
		return at
	}
	end := run(c.text, at, isWord)
	for end > at && strings.HasPrefix(c.text[end:], "-") {
		next := run(c.text, end+1, isWord)
		if next == end+1 {
			break
		}
		end = next
	}
	return end
}

// host returns the end of an e-mail address whose @ stands at a byte, or -1: letters, digits, dots and hyphens, then a dot and two letters or more.
func (c *cutter) host(at int) int {
	if c.domain == at {
		return c.end
	}
	c.domain, c.end = at, -1
	first := at + 1
	last := run(c.text, first, isDomain)
	for dot := last; ; {
		dot = strings.LastIndexByte(c.text[first:dot], '.')
		if dot < 1 {
			return c.end
		}
		dot += first
		end := run(c.text, dot+1, isLatin)
		if utf8.RuneCountInString(c.text[dot+1:end]) >= 2 {
			c.end = end
			return end
		}
	}
}

// webAddress returns the end of an address of the web that begins at a byte, or at.
func webAddress(text string, at int) int {
	rest := text[at:]
	n := foldPrefix(rest, "www.")
	if n == 0 {
		if n = foldPrefix(rest, "https://"); n == 0 {
			n = foldPrefix(rest, "http://")
		}
	}
	if n == 0 {
		return at
	}
	end := run(text, at+n, func(r rune) bool { return !isSpace(r) })
	if end == at+n {
		return at
	}
	return end
}

// foldPrefix returns the length of the start of text that equals a prefix of ASCII characters, ignoring case, or 0. The long s and the sign for Kelvin equal
// s and k.
func foldPrefix(text, prefix string) int {
	n := 0
	for i := range len(prefix) {
		r, size := utf8.DecodeRuneInString(text[n:])
		switch {
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r == 'ſ':
			r = 's'
		case r == '\u212a':
			r = 'k'
		}
		if r != rune(prefix[i]) {
			return 0
		}
		n += size
	}
	return n
}

// run returns the byte after the characters from a byte on for which is holds.
func run(text string, at int, is func(rune) bool) int {
	for at < len(text) {
		r, n := utf8.DecodeRuneInString(text[at:])
		if !is(r) {
			break
		}
		at += n
	}
	return at
}

// isSpace reports whether a character is white space; the separators U+001C to U+001F are.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// isLatin reports whether a character is one of a to z, ignoring case. The dotted and the dotless i, the long s and the sign for Kelvin count as i, s and k.
func isLatin(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == 'İ' || r == 'ı' || r == 'ſ' || r == '\u212a'
}

func isDigit(r rune) bool  { return r >= '0' && r <= '9' }
func isHandle(r rune) bool { return isLatin(r) || isDigit(r) || r == '_' }
func isLocal(r rune) bool  { return isHandle(r) || r == '.' || r == '%' || r == '+' || r == '-' }
func isDomain(r rune) bool { return isLatin(r) || isDigit(r) || r == '.' || r == '-' }

// isWord reports whether a character is a part of a word: a letter, a number, a mark, a joiner or "_".
func isWord(r rune) bool {
	return r == '_' || r == '\u200c' || r == '\u200d' || unicode.In(r, unicode.L, unicode.N, unicode.M)
}

// isCharWord reports whether a character belongs to the runs of SplitChars.
func isCharWord(r rune) bool {
	return r < utf8.RuneSelf && (isHandle(r) || r == '@' || r == '.' || r == '-' || r == '+')
}
