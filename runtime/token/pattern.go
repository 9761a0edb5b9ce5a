package token

import (
	"fmt"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// pattern is what a Replace step looks for: a literal string, or a small regular expression. Such an expression is
// alternatives, each one character or class with a repetition. This covers published tokenizer files (" {2,}",
// "\s{2,}|[\n\r\t]") and always takes time linear in the text.
type pattern struct {
	literal string
	alts    []repeat
	first   [256]bool // bytes that a match can begin with
}

type repeat struct {
	set    runeSet
	lo, hi int // hi 0: no limit
}

type runeSet struct {
	space  bool // White_Space
	ranges []runeRange
}

type runeRange struct{ lo, hi rune }

func (s *runeSet) has(r rune) bool {
	if s.space && unicode.IsSpace(r) {
		return true
	}
	return slices.ContainsFunc(s.ranges, func(x runeRange) bool { return x.lo <= r && r <= x.hi })
}

const maxRepeat = 64

func literalPattern(s string) (*pattern, error) {
	if s == "" {
		return nil, fmt.Errorf("an empty pattern matches everywhere (supported: at least one character)")
	}
	p := &pattern{literal: s}
	p.first[s[0]] = true
	return p, nil
}

func parsePattern(s string) (*pattern, error) {
	p := &pattern{}
	fail := func() (*pattern, error) {
		return nil, fmt.Errorf("the regular expression %q is not supported (supported: alternatives of one character, \\s or [class], each with +, {n}, "+
			"{n,} or {n,m} after it)", s)
	}
	rest := s
	for {
		alt := repeat{lo: 1, hi: 1}
		var ok bool
		if rest, ok = alt.set.parse(rest); !ok {
			return fail()
		}
		if rest, ok = alt.count(rest); !ok {
			return fail()
		}
		p.alts = append(p.alts, alt)
		if rest == "" {
			break
		}
		if rest[0] != '|' {
			return fail()
		}
		rest = rest[1:]
	}
	for b := range p.first {
		if b >= utf8.RuneSelf {
			p.first[b] = true
			continue
		}
		for i := range p.alts {
			p.first[b] = p.first[b] || p.alts[i].set.has(rune(b))
		}
	}
	return p, nil
}

// escape reads what follows a backslash.
func (s *runeSet) escape(rest string) (rune, string, bool) {
	if rest == "" {
		return 0, "", false
	}
	switch c := rest[0]; c {
	case 's':
		s.space = true
		return -1, rest[1:], true
	case 'n':
		return '\n', rest[1:], true
	case 'r':
		return '\r', rest[1:], true
	case 't':
		return '\t', rest[1:], true
	default:
		if c >= utf8.RuneSelf || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			return 0, "", false
		}
		return rune(c), rest[1:], true
	}
}

func (s *runeSet) parse(rest string) (string, bool) {
	r, n := utf8.DecodeRuneInString(rest)
	switch r {
	case '\\':
		r, rest, ok := s.escape(rest[1:])
		if ok && r >= 0 {
			s.ranges = append(s.ranges, runeRange{r, r})
		}
		return rest, ok
	case '[':
		rest = rest[1:]
		if rest == "" || rest[0] == '^' || rest[0] == ']' {
			return "", false
		}
		for rest != "" && rest[0] != ']' {
			lo, n := utf8.DecodeRuneInString(rest)
			if lo == '[' || lo == '&' || lo == '-' || lo == utf8.RuneError {
				return "", false
			}
			rest = rest[n:]
			if lo == '\\' {
				var ok bool
				if lo, rest, ok = s.escape(rest); !ok {
					return "", false
				}
				if lo < 0 {
					continue
				}
			}
			hi := lo
			if len(rest) > 1 && rest[0] == '-' {
				if hi, n = utf8.DecodeRuneInString(rest[1:]); hi == '\\' || hi == ']' || hi < lo || hi == utf8.RuneError {
					return "", false
				}
				rest = rest[1+n:]
			}
			s.ranges = append(s.ranges, runeRange{lo, hi})
		}
		if rest == "" {
			return "", false
		}
		return rest[1:], true
	case '^', '$', '.', '(', ')', '|', '*', '+', '?', '{', '}', ']', utf8.RuneError:
		return "", false
	}
	s.ranges = append(s.ranges, runeRange{r, r})
	return rest[n:], true
}

// count reads a repetition, if there is one.
func (a *repeat) count(rest string) (string, bool) {
	if rest == "" || rest[0] == '|' {
		return rest, true
	}
	if rest[0] == '+' {
		a.hi = 0
		return rest[1:], true
	}
	end, comma := 1, 0
	for ; end < len(rest) && rest[end] != '}'; end++ {
		if rest[end] == ',' {
			comma = end
		}
	}
	if rest[0] != '{' || end == len(rest) {
		return "", false
	}
	lo, hi := rest[1:end], ""
	if comma > 0 {
		lo, hi = rest[1:comma], rest[comma+1:end]
	}
	n, err := strconv.ParseUint(lo, 10, 8)
	if err != nil || n < 1 || n > maxRepeat {
		return "", false
	}
	a.lo, a.hi = int(n), int(n)
	switch {
	case comma > 0 && hi == "":
		a.hi = 0
	case comma > 0:
		m, err := strconv.ParseUint(hi, 10, 8)
		if err != nil || m < n || m > maxRepeat {
			return "", false
		}
		a.hi = int(m)
	}
	return rest[end+1:], true
}

// match returns the length of the match at the start of text, or 0.
func (p *pattern) match(text []byte) int {
	if p.literal != "" {
		if len(text) >= len(p.literal) && string(text[:len(p.literal)]) == p.literal {
			return len(p.literal)
		}
		return 0
	}
	for i := range p.alts {
		a := &p.alts[i]
		n, k := 0, 0
		for n < len(text) && (a.hi == 0 || k < a.hi) {
			r, w := rune(text[n]), 1
			if r >= utf8.RuneSelf {
				r, w = utf8.DecodeRune(text[n:])
			}
			if !a.set.has(r) {
				break
			}
			n, k = n+w, k+1
		}
		if k >= a.lo {
			return n
		}
	}
	return 0
}

// next finds the first match in text at or after from, which is the start of a character. hi is 0 if no match is found.
func (p *pattern) next(text []byte, from int) (lo, hi int) {
	for i := from; i < len(text); i++ {
		if c := text[i]; p.first[c] && utf8.RuneStart(c) {
			if n := p.match(text[i:]); n > 0 {
				return i, i + n
			}
		}
	}
	return 0, 0
}
