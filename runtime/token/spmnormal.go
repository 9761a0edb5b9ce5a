package token

import (
	"strings"
	"unicode/utf8"
)

const (
	space      = "\u2581" // stands for U+0020 inside pieces
	spaceBytes = len(space)
)

// spmNormalizer turns text into what SentencePiece segments: it maps characters, then collapses and escapes spaces.
type spmNormalizer struct {
	chars       *charsMap
	symbols     trie // user-defined pieces, which are copied as they are
	dummyPrefix bool
	removeExtra bool
	escape      bool
	suffix      bool
	class       [256]asciiClass
	space       string
}

func (n *spmNormalizer) prepare() {
	copy(n.class[:], n.chars.ascii[:])
	n.space = " "
	if n.escape {
		n.space = space
	}
	for c := range n.class {
		if len(n.symbols) > 0 {
			if _, ok := n.symbols.child(n.symbols[0], byte(c)); ok {
				n.class[c] = asciiWalk
			}
		}
	}
}

// prefix maps the characters at the start of text. It returns the width bytes of text that they take, and either these
// bytes or the text that they are mapped to.
func (n *spmNormalizer) prefix(text []byte) (s []byte, width int, mapped string) {
	if k, _ := n.symbols.longest(text); k > 0 {
		return text[:k], k, ""
	}
	if r, k := n.chars.longest(text); k > 0 {
		return nil, k, r
	}
	if r, k := utf8.DecodeRune(text); r == utf8.RuneError && k == 1 {
		return nil, 1, "\ufffd"
	} else {
		return text[:k], k, ""
	}
}

// normalize appends the normalized form of text to dst, which is empty. If at is not nil, normalize appends to it the
// byte of text that each byte of the normalized form came from, and one more entry for the end. ok is false if the text
// grows too much.
func (n *spmNormalizer) normalize(dst []byte, text []byte, at *[]int32) (out []byte, ok bool) {
	if len(text) == 0 {
		return dst, true
	}
	limit := growthLimit(len(text))
	i := n.leading(text)
	if i == len(text) {
		return dst, true
	}
	if n.dummyPrefix && !n.suffix {
		dst = append(dst, n.space...)
		dst = mark(dst, at, i)
	}
	spaced := n.removeExtra
	for i < len(text) {
		if c := text[i]; n.class[c] != asciiWalk && (i+1 == len(text) || text[i+1] < utf8.RuneSelf) {
			if n.class[c] == asciiSpace {
				if !spaced {
					dst = append(dst, n.space...)
					dst = mark(dst, at, i)
				}
				spaced = n.removeExtra
				i++
				continue
			}
			j := i + 1
			for j < len(text) && n.class[text[j]] == asciiKeep {
				j++
			}
			if j < len(text) && text[j] >= utf8.RuneSelf {
				j-- // the next character may combine with the last one
			}
			dst = append(dst, text[i:j]...)
			if at != nil {
				for ; i < j; i++ {
					*at = append(*at, int32(i))
				}
			}
			i, spaced = j, false
			continue
		}
		if len(dst) > limit {
			return dst[:0], false
		}
		s, k, r := n.prefix(text[i:])
		if r == "" && k > 0 && len(s) == 0 {
			i += k // mapped to nothing; what came before still decides about spaces
			if !n.removeExtra {
				spaced = false
			}
			continue
		}
		if r != "" {
			dst, spaced = n.appendMapped(dst, r, spaced)
		} else {
			for spaced && len(s) > 0 && s[0] == ' ' {
				s = s[1:]
			}
			if len(s) > 0 {
				spaced = s[len(s)-1] == ' '
			}
			for _, c := range s {
				if c == ' ' {
					dst = append(dst, n.space...)
				} else {
					dst = append(dst, c)
				}
			}
		}
		dst = mark(dst, at, i)
		i += k
		if !n.removeExtra {
			spaced = false
		}
	}
	return n.finish(dst, at, len(text)), true
}

// leading returns the number of bytes of white space before a text that are removed.
func (n *spmNormalizer) leading(text []byte) (i int) {
	for n.removeExtra && i < len(text) {
		s, k, r := n.prefix(text[i:])
		if r != " " && string(s) != " " {
			break
		}
		i += k
	}
	return i
}

// appendMapped appends the text r that the character map has for a character. spaced reports whether what came before ended in a space that further
// spaces join.
func (n *spmNormalizer) appendMapped(dst []byte, r string, spaced bool) ([]byte, bool) {
	for spaced && strings.HasPrefix(r, " ") {
		r = r[1:]
	}
	if r != "" {
		spaced = strings.HasSuffix(r, " ")
	}
	for len(r) > 0 {
		if p := strings.IndexByte(r, ' '); n.escape && p >= 0 {
			dst = append(append(dst, r[:p]...), n.space...)
			r = r[p+1:]
		} else {
			dst = append(dst, r...)
			r = ""
		}
	}
	return dst, spaced
}

// finish removes spaces at the end, and appends a space if the model puts its space marks after words. end is the byte of the text where dst ends.
func (n *spmNormalizer) finish(dst []byte, at *[]int32, end int) []byte {
	if n.removeExtra {
		for strings.HasSuffix(bytesView(dst), n.space) {
			dst = dst[:len(dst)-len(n.space)]
			if at != nil {
				end = int((*at)[len(dst)])
				*at = (*at)[:len(dst)]
			}
		}
	}
	if n.dummyPrefix && n.suffix {
		dst = append(dst, n.space...)
		dst = mark(dst, at, end)
	}
	if at != nil {
		*at = append(*at, int32(end))
	}
	return dst
}

// mark records that the bytes of dst without an origin come from byte i.
func mark(dst []byte, at *[]int32, i int) []byte {
	if at != nil {
		for len(*at) < len(dst) {
			*at = append(*at, int32(i))
		}
	}
	return dst
}
