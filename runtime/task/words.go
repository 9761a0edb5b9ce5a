package task

import (
	"unicode"
	"unicode/utf8"
)

// wordSpan is a word of a text by its bytes.
type wordSpan struct{ start, end int }

// appendWords appends the words of a text as GLiNER's splitter cuts them, which are the matches of \w+(?:[-_]\w+)*|\S in Python's re. A word is a
// run of letters, numbers and underscores, which single hyphens may join, or a single other character that is not white space. Combining marks are
// such other characters, and so is a byte that is not valid UTF-8. appendWords takes linear time.
func appendWords(dst []wordSpan, text string) []wordSpan {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case isSpace(r):
			i += n
			continue
		case !isWord(r, n):
			dst = append(dst, wordSpan{i, i + n})
			i += n
			continue
		}
		end := wordEnd(text, i)
		for end < len(text) && text[end] == '-' {
			r, n := utf8.DecodeRuneInString(text[end+1:])
			if !isWord(r, n) {
				break
			}
			end = wordEnd(text, end+1)
		}
		dst = append(dst, wordSpan{i, end})
		i = end
	}
	return dst
}

// wordEnd returns the end of the run of word characters that begins at i.
func wordEnd(text string, i int) int {
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !isWord(r, n) {
			break
		}
		i += n
	}
	return i
}

// isWord reports whether Python's \w matches r, a code point of n bytes.
func isWord(r rune, n int) bool {
	if r == utf8.RuneError && n <= 1 {
		return false
	}
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

// isSpace reports whether Python's \s matches r. It matches four separators (0x1c to 0x1f) that Go's unicode.IsSpace does not.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }
