// Package diag holds the faults of the user's input that the stages of debertac report. A fault has a place, a code, a message in the user's words, notes that
// point at related places, and a hint that can be typed.
package diag

import (
	"cmp"
	"strconv"
)

// Span is a range of columns on one line of a file. The zero Span means "no place".
type Span struct {
	File   string // as the user named it; zoo models are "zoo/NAME.dspec"
	Line   int    // from 1
	Col    int    // first column, from 1, counted in code points
	EndCol int    // the column after the last; an empty span has EndCol = Col
}

// IsZero reports whether the span names no place.
func (s Span) IsZero() bool { return s.Line == 0 }

// String returns the place in the form that editors understand: file:line:col.
func (s Span) String() string {
	if s.IsZero() {
		return s.File
	}
	return s.File + ":" + strconv.Itoa(s.Line) + ":" + strconv.Itoa(s.Col)
}

// Compare orders spans by file, line, column, then length.
func (s Span) Compare(o Span) int {
	return cmp.Or(cmp.Compare(s.File, o.File), cmp.Compare(s.Line, o.Line), cmp.Compare(s.Col, o.Col), cmp.Compare(s.EndCol, o.EndCol))
}
