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

// Snippet is a part with what stands around it: up to runes code points on each side, cut
// at white space where there is some, with "…" where the text goes on. White space inside
// becomes single spaces. Offsets that do not fit the text give an empty snippet.
func Snippet(text string, p Part, runes int) string {
	if p.Start < 0 || p.End < p.Start || p.End > len(text) || runes < 0 {
		return ""
	}
	from, to := p.Start, p.End
	for i := 0; i < runes && from > 0; i++ {
		_, n := utf8.DecodeLastRuneInString(text[:from])
		from -= n
	}
	for i := 0; i < runes && to < len(text); i++ {
		_, n := utf8.DecodeRuneInString(text[to:])
		to += n
	}
	before, after := text[from:p.Start], text[p.End:to]
	if from > 0 && !spaceBefore(text, from) {
		// The first word is cut: leave it out if another one remains.
		if i := strings.IndexFunc(before, unicode.IsSpace); i >= 0 {
			before = before[i:]
		}
	}
	if r, _ := utf8.DecodeRuneInString(text[to:]); to < len(text) && !unicode.IsSpace(r) {
		if i := strings.LastIndexFunc(after, unicode.IsSpace); i >= 0 {
			after = after[:i]
		}
	}
	s := strings.Join(strings.Fields(before+text[p.Start:p.End]+after), " ")
	if strings.TrimSpace(text[:p.Start-len(before)]) != "" {
		s = "…" + s
	}
	if strings.TrimSpace(text[p.End+len(after):]) != "" {
		s += "…"
	}
	return s
}

// spaceBefore reports whether white space stands before byte at.
func spaceBefore(text string, at int) bool {
	r, _ := utf8.DecodeLastRuneInString(text[:at])
	return unicode.IsSpace(r)
}
