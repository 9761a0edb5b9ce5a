package task

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Part is a part of a text. Its place is given in bytes, in code points and in UTF-16 code units,
// because these are the indices of strings in Go, in Python, and in JavaScript, Java and C#.
type Part struct {
	Text       string `json:"text"`        // the text from Start to End
	Start      int    `json:"start"`       // first byte
	End        int    `json:"end"`         // the byte after the last
	RuneStart  int    `json:"start_rune"`  // first code point
	RuneEnd    int    `json:"end_rune"`    // the code point after the last
	UTF16Start int    `json:"start_utf16"` // first UTF-16 code unit
	UTF16End   int    `json:"end_utf16"`   // the code unit after the last
}

// places turns byte offsets of tokens into parts. It counts code points and UTF-16 code units from
// the offset of the last call, because offsets mostly rise.
type places struct {
	text                string
	bytes, runes, units int
}

// part returns the part of the text at bytes [start, end), widened to whole code points and then
// trimmed of white space at both ends. It may be empty.
func (p *places) part(start, end int) Part {
	start, end = wholeRunes(p.text, start, end)
	inner := strings.TrimLeftFunc(p.text[start:end], unicode.IsSpace)
	start = end - len(inner)
	inner = strings.TrimRightFunc(inner, unicode.IsSpace)
	end = start + len(inner)
	return p.place(inner, start, end)
}

// place returns the part at exactly the bytes [start, end).
func (p *places) place(text string, start, end int) Part {
	part := Part{Text: text, Start: start, End: end}
	part.RuneStart, part.UTF16Start = p.count(start)
	part.RuneEnd, part.UTF16End = p.count(end)
	return part
}

// count returns the numbers of code points and of UTF-16 code units before byte at. A byte that is
// not valid UTF-8 counts as one of each.
func (p *places) count(at int) (runes, units int) {
	lo, hi, sign := p.bytes, at, 1
	if at < p.bytes {
		lo, hi, sign = at, p.bytes, -1
	}
	for _, r := range p.text[lo:hi] {
		p.runes += sign
		if p.units += sign; r > 0xffff { // a surrogate pair
			p.units += sign
		}
	}
	p.bytes = at
	return p.runes, p.units
}

// wholeRunes widens bytes [start, end) to whole code points and limits them to the text.
func wholeRunes(text string, start, end int) (int, int) {
	start = min(max(start, 0), len(text))
	end = min(max(end, start), len(text))
	from, _ := runeAround(text, start)
	if _, to := runeAround(text, end); end > start && to > end {
		end = to
	}
	if end == start { // an empty part stays empty
		return from, from
	}
	return from, end
}

// runeAround returns the start and end of the code point that byte offset at cuts in two. It
// returns at twice if it cuts none.
func runeAround(text string, at int) (from, to int) {
	if at == len(text) || utf8.RuneStart(text[at]) {
		return at, at
	}
	for from = at - 1; from >= 0 && from > at-utf8.UTFMax; from-- {
		if utf8.RuneStart(text[from]) {
			if _, n := utf8.DecodeRuneInString(text[from:]); from+n > at {
				return from, from + n
			}
			break
		}
	}
	return at, at
}
