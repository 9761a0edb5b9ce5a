package token

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// LowerTexts makes the model's tokenizer lower-case each text before anything else, with the rules of Python's str.lower. sentence-transformers
// does this for models that ask for it. Places of tokens are still those in the original text. The setting is part of what Marshal writes.
// LowerTexts must be called before the tokenizer is used.
func (t *Tokenizer) LowerTexts() { t.lowerTexts = true }

// stretch is a character whose lower case has another length: bytes [at, end) of the lower-cased text stand for [from, to) of the original.
type stretch struct{ at, end, from, to int32 }

// lowerCase returns a text in lower case by Unicode's full mapping. Each character is mapped by itself, except İ, which becomes i and a
// combining dot, and Σ at the end of a word, which becomes ς. Bytes that are not valid UTF-8 stay as they are. stretches holds the characters
// whose length changed.
func lowerCase(text string) (string, []stretch) {
	if !changes(text) {
		return text, nil
	}
	var b strings.Builder
	b.Grow(len(text) + 8)
	var stretches []stretch
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		at := b.Len()
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteByte(text[i])
		case r == 'İ':
			b.WriteString("i\u0307")
		case r == 'Σ' && finalSigma(text[:i], text[i+n:]):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
		if b.Len()-at != n {
			stretches = append(stretches, stretch{int32(at), int32(b.Len()), int32(i), int32(i + n)})
		}
		i += n
	}
	return b.String(), stretches
}

// changes reports whether the lower case of a text may differ from the text. For ASCII the answer is exact.
func changes(text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}

// finalSigma reports whether Unicode's condition Final_Sigma holds (section 3.13): a cased letter comes before, no cased letter comes after. Characters that
// are ignored for case are skipped.
func finalSigma(before, after string) bool {
	for before != "" {
		r, n := utf8.DecodeLastRuneInString(before)
		if before = before[:len(before)-n]; caseIgnorable(r) {
			continue
		}
		if !cased(r) {
			return false
		}
		for after != "" {
			r, n := utf8.DecodeRuneInString(after)
			if after = after[n:]; !caseIgnorable(r) {
				return !cased(r)
			}
		}
		return true
	}
	return false
}

// cased reports whether r has Unicode's property Cased.
func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// caseIgnorable reports whether r has Unicode's property Case_Ignorable: marks, formats, modifiers, and punctuation inside words.
func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm,
		unicode.Sk) || strings.ContainsRune("'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", r)
}

// back returns the place in the original text of a place [start, end) in the lower-cased text. A place inside a character whose length changed
// becomes the place of the whole character.
func back(stretches []stretch, start, end int32) (int32, int32) {
	find := func(x int32) (s stretch, inside bool, shift int32) {
		i := sort.Search(len(stretches), func(i int) bool { return stretches[i].at >= x })
		if i == 0 {
			return s, false, 0
		}
		s = stretches[i-1]
		return s, x < s.end, s.to - s.end
	}
	s, inside, shift := find(start)
	from := start + shift
	if inside {
		from = s.from
	}
	s, inside, shift = find(end)
	to := end + shift
	if inside {
		to = s.to
	}
	return from, to
}
