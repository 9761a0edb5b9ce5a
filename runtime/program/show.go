package program

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
)

const (
	barCells    = 20
	excerptSize = 64 // runes of a text
)

// bar returns a bar for v in [0, 1], drawn in eighths of a cell.
func bar(v float32) string {
	eighths := int(min(max(v, 0), 1)*barCells*8 + 0.5)
	s := strings.Repeat("█", eighths/8)
	if r := eighths % 8; r > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[r-1])
	}
	return s
}

// printable replaces, in text for one line of a terminal, control characters, which could control the terminal, and broken UTF-8.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError || unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, s)
}

// shower prints results for people.
type shower struct {
	w      io.Writer
	labels []string
	width  int // width of the longest label in runes
	top    int // labels shown per text
	order  []int
}

func newShower(w io.Writer, labels []string, top int) *shower {
	s := &shower{w: w, top: min(top, len(labels))}
	for _, l := range labels {
		l = printable(l)
		s.labels = append(s.labels, l)
		s.width = max(s.width, utf8.RuneCountInString(l))
	}
	return s
}

// show prints one text and its best labels. If chosen is not nil, it prints the labels with these indices instead.
func (s *shower) show(r *record, c *runtime.Classification, chosen []int) {
	head := printable(command.Shorten(r.text.First, excerptSize))
	if r.text.Pair {
		head += " | " + printable(command.Shorten(r.text.Second, excerptSize))
	}
	cut := ""
	if c.Truncated > 0 {
		cut = fmt.Sprintf(", %d cut", c.Truncated)
	}
	fmt.Fprintf(s.w, "%s  (%d tokens%s)\n", head, c.Tokens, cut)
	s.order = s.order[:0]
	for i := range c.Scores {
		s.order = append(s.order, i)
	}
	slices.SortStableFunc(s.order, func(a, b int) int {
		switch x, y := c.Scores[a], c.Scores[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	if chosen != nil {
		s.order = append(s.order[:0], chosen...)
	}
	if len(s.order) == 0 {
		fmt.Fprintln(s.w, "  no label reaches its threshold")
	}
	top := min(s.top, len(s.order))
	for _, i := range s.order[:top] {
		label := s.labels[i]
		pad := strings.Repeat(" ", s.width-utf8.RuneCountInString(label))
		fmt.Fprintln(s.w, strings.TrimRight(fmt.Sprintf("  %s%s  %.4f  %s", label, pad, c.Scores[i], bar(c.Scores[i])), " "))
	}
	if left := len(s.order) - top; left > 0 {
		fmt.Fprintf(s.w, "  … %d more (--top N shows them)\n", left)
	}
}
