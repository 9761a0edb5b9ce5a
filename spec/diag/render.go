package diag

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Sources returns a file's text by the name that spans carry, or nil if it does not know the file. Then only the message is shown.
type Sources func(file string) []byte

// Style sets how Render prints.
type Style struct {
	Color bool // ANSI colours; for terminals only
}

// A source line of up to maxColumns is shown whole. A longer line is cut to margin columns on each side of the span's start.
const (
	maxColumns = 200
	margin     = 80
	tabWidth   = 4
)

// Render prints the list as the section "Messages" of the language page shows it: the first line, the source line, a row of carets, notes in the same form, the
// hint.
func Render(l List, src Sources, style Style) string {
	var b strings.Builder
	p := printer{b: &b, src: src, style: style}
	for _, d := range l {
		p.diag(d)
	}
	return b.String()
}

type printer struct {
	b     *strings.Builder
	src   Sources
	style Style
}

// The ANSI sequences of the colours in use.
const (
	bold   = "\x1b[1m"
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	blue   = "\x1b[34m"
	reset  = "\x1b[0m"
)

func (p printer) paint(color, text string) string {
	if !p.style.Color {
		return text
	}
	return color + text + reset
}

func (p printer) diag(d *Diag) {
	color := red
	if d.Severity == Warning {
		color = yellow
	}
	if place := d.Span.String(); place != "" {
		p.b.WriteString(p.paint(bold, visible(place)+":") + " ")
	}
	if d.Severity == Warning {
		p.b.WriteString(p.paint(yellow, "warning:") + " ")
	}
	p.b.WriteString(visible(d.Message))
	if d.Code != "" {
		p.b.WriteString(" " + p.paint(color, "["+string(d.Code)+"]"))
	}
	p.b.WriteByte('\n')
	p.excerpt(d.Span, color)
	for _, n := range d.Notes {
		if place := n.Span.String(); place != "" {
			p.b.WriteString(p.paint(bold, visible(place)+":") + " ")
		}
		p.b.WriteString(p.paint(blue, "note:") + " " + visible(n.Message) + "\n")
		p.excerpt(n.Span, blue)
	}
	if d.Hint != "" {
		p.b.WriteString("     " + p.paint(bold, "hint:") + " " + visible(d.Hint) + "\n")
	}
}

// excerpt prints the span's line and a row of carets under it.
func (p printer) excerpt(s Span, color string) {
	if s.IsZero() || p.src == nil {
		return
	}
	line, ok := lineOf(p.src(s.File), s.Line)
	if !ok {
		return
	}
	runes := []rune(line)
	from := min(max(s.Col-1, 0), len(runes))
	to := min(max(s.EndCol-1, from), len(runes))
	before, under, after := string(runes[:from]), string(runes[from:to]), string(runes[to:])
	head, tail := "", ""
	if len(runes) > maxColumns {
		before, head = cutLeft(before)
		var cutUnder string
		under, cutUnder = cutRight(under)
		if cutUnder != "" {
			after = ""
			tail = "…"
		} else {
			after, tail = cutRight(after)
		}
	}
	shown := strings.TrimRight(head+visible(before)+visible(under)+visible(after)+tail, " ")
	carets := max(columns(visible(under)), 1)
	fmt.Fprintf(p.b, "%4d | %s\n", s.Line, shown)
	gutter := strings.Repeat(" ", max(len(fmt.Sprint(s.Line)), 4))
	fmt.Fprintf(p.b, "%s | %s%s\n", gutter, strings.Repeat(" ", columns(head+visible(before))), p.paint(color, strings.Repeat("^", carets)))
}

func cutLeft(s string) (kept, mark string) {
	r := []rune(s)
	if len(r) <= margin {
		return s, ""
	}
	return string(r[len(r)-margin:]), "…"
}

func cutRight(s string) (kept, mark string) {
	r := []rune(s)
	if len(r) <= margin {
		return s, ""
	}
	return string(r[:margin]), "…"
}

// lineOf returns the n-th line of a text, from 1, without its end.
func lineOf(text []byte, n int) (string, bool) {
	if text == nil {
		return "", false
	}
	for ; n > 1; n-- {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return "", false
		}
		text = text[i+1:]
	}
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return strings.TrimSuffix(string(text), "\r"), true
}

// visible returns s with tabs expanded. It replaces everything that would move the cursor: control and formatting characters, and bytes that are not UTF-8.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t':
			b.WriteString(strings.Repeat(" ", tabWidth))
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// columns returns the width on a terminal. Wide characters take two columns, combining characters take no column.
func columns(s string) int { return uniseg.StringWidth(s) }
