package extraction

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lower returns s in lower case by the full rules of Unicode that do not depend on a language: unlike strings.ToLower, it writes İ as two code points, and
// Σ at the end of a word as ς.
func Lower(s string) string {
	plain := true
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] < utf8.RuneSelf
	}
	if plain {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		switch r {
		case 'İ':
			b.WriteString("i\u0307")
		case 'Σ':
			if finalSigma(s[:i], s[i+len("Σ"):]) {
				b.WriteRune('ς')
			} else {
				b.WriteRune('σ')
			}
		case utf8.RuneError:
			_, n := utf8.DecodeRuneInString(s[i:])
			b.WriteString(s[i : i+n]) // a byte that is not UTF-8 stays
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// finalSigma reports whether a Σ between two texts ends a word: a letter with a case stands before it and none after it. Marks and the like count as neither
// (Unicode, section 3.13, condition Final_Sigma).
func finalSigma(before, after string) bool {
	for before != "" {
		r, n := utf8.DecodeLastRuneInString(before)
		if ignoresCase(r) {
			before = before[:len(before)-n]
			continue
		}
		if !hasCase(r) {
			return false
		}
		break
	}
	if before == "" {
		return false
	}
	for _, r := range after {
		if !ignoresCase(r) {
			return !hasCase(r)
		}
	}
	return true
}

// hasCase reports whether a code point has the property Cased.
func hasCase(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// ignoresCase reports whether a code point has the property Case_Ignorable.
func ignoresCase(r rune) bool {
	switch r { // Word_Break is MidLetter, MidNumLet or Single_Quote
	case '\'', '.', ':', '·', '\u0387', '\u055f', '\u05f4', '‘', '’', '\u2024', '\u2027', '\ufe13', '\ufe52', '\ufe55', '\uff07', '\uff0e', '\uff1a':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
