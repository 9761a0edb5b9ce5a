package metrics

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// punctuation holds the characters that NormalizeAnswer removes: string.punctuation of Python.
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// NormalizeAnswer returns an answer as the scripts of SQuAD compare it: in lower case, without the punctuation of ASCII, without the words a, an and the, and
// with single spaces. Lower case, words and white space are those of Python's str.lower, of \b in its package re, and of str.split.
func NormalizeAnswer(answer string) string {
	text := strings.Map(func(r rune) rune {
		if strings.ContainsRune(punctuation, r) {
			return -1
		}
		return r
	}, lower(answer))
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !isWord(r) {
			b.WriteString(text[i : i+n])
			i += n
			continue
		}
		end := i
		for end < len(text) {
			r, n := utf8.DecodeRuneInString(text[end:])
			if !isWord(r) {
				break
			}
			end += n
		}
		if w := text[i:end]; w == "a" || w == "an" || w == "the" {
			b.WriteByte(' ')
		} else {
			b.WriteString(w)
		}
		i = end
	}
	return strings.Join(strings.FieldsFunc(b.String(), isSpace), " ")
}

// isWord reports whether \w matches r. It matches neither combining marks nor bytes that are not UTF-8.
func isWord(r rune) bool {
	return r != utf8.RuneError && (r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r))
}

// isSpace reports whether str.split cuts at r: at white space, and at four separators (0x1c to 0x1f).
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// lower returns str.lower of Python. It differs from strings.ToLower in two places: a capital sigma at the end of a word has another small form, and the
// capital I with a dot becomes an i and a combining dot.
func lower(text string) string {
	if !strings.ContainsAny(text, "Σİ") {
		return strings.ToLower(text)
	}
	var b strings.Builder
	for i, r := range text {
		switch r {
		case 'İ':
			b.WriteString("i̇")
		case 'Σ':
			if casedBefore(text[:i]) && !casedAfter(text[i+utf8.RuneLen(r):]) {
				b.WriteRune('ς')
			} else {
				b.WriteRune('σ')
			}
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// casedBefore reports whether the last character of a text that counts for the case of its neighbours is a letter with a case. casedAfter does so for the
// first.
func casedBefore(text string) bool {
	for text != "" {
		r, n := utf8.DecodeLastRuneInString(text)
		if !ignored(r) {
			return cased(r)
		}
		text = text[:len(text)-n]
	}
	return false
}

func casedAfter(text string) bool {
	for _, r := range text {
		if !ignored(r) {
			return cased(r)
		}
	}
	return false
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Upper, unicode.Lower, unicode.Title, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// ignored reports whether a character is between letters without an effect on their case: marks, formats, modifiers, and the punctuation that Unicode counts
// as the middle of a word.
func ignored(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:··՟״‘’․‧︓﹒﹕'.:", r)
}
