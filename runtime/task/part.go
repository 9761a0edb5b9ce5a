package task

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Part is a part of a text.
type Part struct {
	Text      string `json:"text"`       // the text from Start to End
	Start     int    `json:"start"`      // first byte
	End       int    `json:"end"`        // the byte behind the last
	RuneStart int    `json:"start_rune"` // first code point; an invalid byte counts as one
	RuneEnd   int    `json:"end_rune"`   // the code point behind the last
}

// places turns byte offsets of tokens into parts. It counts code points from where it was
// asked last, as offsets mostly rise.
type places struct {
	text         string
	bytes, runes int
}

// part is the part of the text that bytes [start, end) stand for: widened to whole code
// points, then without white space at its ends. It may be empty.
func (p *places) part(start, end int) Part {
	start, end = wholeRunes(p.text, start, end)
	inner := strings.TrimLeftFunc(p.text[start:end], unicode.IsSpace)
	start = end - len(inner)
	inner = strings.TrimRightFunc(inner, unicode.IsSpace)
	end = start + len(inner)
	return Part{Text: inner, Start: start, End: end, RuneStart: p.count(start), RuneEnd: p.count(end)}
}

// count is the number of code points before byte at.
func (p *places) count(at int) int {
	if at >= p.bytes {
		p.runes += utf8.RuneCountInString(p.text[p.bytes:at])
	} else {
		p.runes -= utf8.RuneCountInString(p.text[at:p.bytes])
	}
	p.bytes = at
	return p.runes
}

// wholeRunes widens bytes [start, end) to whole code points and holds them to the text.
func wholeRunes(text string, start, end int) (int, int) {
	start = min(max(start, 0), len(text))
	end = min(max(end, start), len(text))
	from, _ := runeAround(text, start)
	if _, behind := runeAround(text, end); end > start && behind > end {
		end = behind
	}
	if end == start { // nothing stays nothing
		return from, from
	}
	return from, end
}

// runeAround gives the code point that byte offset at cuts in two, or at twice if it cuts
// none.
func runeAround(text string, at int) (from, behind int) {
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
