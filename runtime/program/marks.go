package program

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/task"
)

// lineCells is the greatest length, in columns of a terminal, of the lines that marked texts are broken into.
const lineCells = 96

// mark is a part of a text that is marked: bytes [start, end).
type mark struct{ start, end int }

// cell is a character as it is printed.
type cell struct {
	r      rune
	width  int
	marked bool
}

// cellsOf returns the characters of a text as one line shows them.
func cellsOf(text string, marks []mark) []cell {
	var cells []cell
	rest := slices.SortedFunc(slices.Values(marks), func(a, b mark) int { return cmp.Compare(a.start, b.start) })
	end := 0 // the greatest end of the marks that have begun
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		c := cell{r: r, width: width(r)}
		switch {
		case unicode.IsSpace(r):
			c.r, c.width = ' ', 1
		case r != utf8.RuneError && !unicode.IsPrint(r):
			c.r, c.width = unicode.ReplacementChar, 1
		}
		for len(rest) > 0 && rest[0].start <= i {
			end = max(end, rest[0].end)
			rest = rest[1:]
		}
		c.marked = i < end
		cells = append(cells, c)
		i += n
	}
	return cells
}

// width returns the number of columns that a character takes on a terminal: 0 for combining marks, 2 for East Asian scripts and emoji, else 1
// (Unicode's annex 11, by block).
func width(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f,
		r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// marked prints a text with parts of it marked: underlined on a terminal, else with ^^^ in a line below. It breaks long texts at spaces and prints
// after at the end of the last line.
func (p *page) marked(text string, marks []mark, indent, after string) {
	cells := cellsOf(text, marks)
	for first := true; first || len(cells) > 0; first = false {
		n := breakAt(cells)
		line := cells[:n]
		cells = cells[n:]
		end := ""
		if len(cells) == 0 {
			end = after
		}
		p.line(line, indent, end)
	}
}

// breakAt returns the number of cells of the first line, which ends at a space if possible.
func breakAt(cells []cell) int {
	columns, space := 0, 0
	for i, c := range cells {
		if columns += c.width; columns > lineCells {
			if space > 0 {
				return space
			}
			return max(i, 1)
		}
		if c.r == ' ' {
			space = i + 1
		}
	}
	return len(cells)
}

func (p *page) line(cells []cell, indent, after string) {
	var text, below strings.Builder
	text.WriteString(indent)
	below.WriteString(indent)
	on := false
	for _, c := range cells {
		if c.marked != on && p.terminal {
			text.WriteString(map[bool]string{true: "\x1b[4m", false: "\x1b[24m"}[c.marked])
		}
		on = c.marked
		text.WriteRune(c.r)
		below.WriteString(strings.Repeat(map[bool]string{true: "^", false: " "}[on], c.width))
	}
	if on && p.terminal {
		text.WriteString("\x1b[24m")
	}
	fmt.Fprintln(p, strings.TrimRight(text.String()+after, " "))
	if marks := strings.TrimRight(below.String(), " "); marks != "" && !p.terminal {
		fmt.Fprintln(p, marks)
	}
}

// around prints a part of a text with the text around it.
func (p *page) around(text string, part task.Part, indent string) {
	const runes = 40
	from, to := part.Start, part.End
	for i := 0; i < runes && from > 0; i++ {
		_, n := utf8.DecodeLastRuneInString(text[:from])
		from -= n
	}
	for i := 0; i < runes && to < len(text); i++ {
		_, n := utf8.DecodeRuneInString(text[to:])
		to += n
	}
	before, after := "", ""
	if from > 0 {
		before = "…"
	}
	if to < len(text) {
		after = "…"
	}
	shift := len(before) - from
	p.marked(before+text[from:to]+after, []mark{{part.Start + shift, part.End + shift}}, indent, "")
}

// row is a line of a table of scores.
type row struct {
	name  string
	score float64 // from 0 to 1
	rest  string  // what follows the bar
}

// rows prints one line per score: the name, the score and a bar. The names are aligned.
func (p *page) rows(list []row) {
	wide := 0
	for i := range list {
		list[i].name = printable(command.Shorten(list[i].name, excerptSize))
		wide = max(wide, utf8.RuneCountInString(list[i].name))
	}
	for _, r := range list {
		pad := strings.Repeat(" ", wide-utf8.RuneCountInString(r.name))
		text := fmt.Sprintf("  %s%s  %.4f  %s", r.name, pad, r.score, bar(float32(r.score)))
		if r.rest != "" {
			text += "  " + printable(command.Shorten(r.rest, excerptSize))
		}
		fmt.Fprintln(p, strings.TrimRight(text, " "))
	}
}

// tail returns a text that describes how much of a text the model saw.
func tail(tokens, truncated int) string {
	if truncated > 0 {
		return fmt.Sprintf("  (%d tokens, %d cut)", tokens, truncated)
	}
	return fmt.Sprintf("  (%d tokens)", tokens)
}

// title prints a record's text, or pair, and how much of it was seen.
func (p *page) title(r *record, tokens, truncated int) {
	head := printable(command.Shorten(r.text.First, excerptSize))
	if r.text.Pair {
		head += " | " + printable(command.Shorten(r.text.Second, excerptSize))
	}
	fmt.Fprintln(p, head+tail(tokens, truncated))
}
