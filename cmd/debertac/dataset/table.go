package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
)

// table reads rows of cells (RFC 4180). The first row names the columns, unless the reader knows their names.
type table struct {
	w         *window
	separator byte
	quoted    bool // cells may stand in quotes; otherwise a quote is a character like any other
	columns   []string
	places    [][]int // for each column: the wanted fields that it holds
	row       row
	cells     []string
}

// newTable reads the header. columns are the names of the columns of a file without a header.
func newTable(file string, w *window, separator byte, quoted bool, names, columns []string) (*table, error) {
	t := &table{w: w, separator: separator, quoted: quoted, columns: columns}
	t.row = row{file: file, unit: unitLine, values: make([]value, len(names)), names: func() string { return nameList(t.columns) }}
	if columns == nil {
		r, err := t.cellsOfRow()
		switch {
		case errors.Is(err, io.EOF):
			return nil, fault.Input(file, "a table needs a header line that names its columns, and the file has no line")
		case err != nil:
			return nil, err
		case r != "":
			return nil, fault.Input(file, "the header line: %s", r)
		}
		for _, c := range t.cells {
			t.columns = append(t.columns, strings.TrimSpace(c))
		}
	}
	want := newWanted(names)
	for i, name := range t.columns {
		places := want.places[name]
		if len(places) > 0 && slices.Contains(t.columns[:i], name) {
			return nil, fault.Input(file, "two columns are named %q (its columns: %s)", name, nameList(t.columns))
		}
		t.places = append(t.places, places)
	}
	return t, nil
}

// next returns the next row. Blank lines hold no row.
func (t *table) next() (*row, error) {
	var err error
	if t.row.fault, err = t.cellsOfRow(); err != nil {
		return nil, err
	}
	if t.row.fault != "" {
		return &t.row, nil
	}
	for i, places := range t.places {
		for _, p := range places {
			t.row.values[p] = cellValue(t.cells[i])
		}
	}
	return &t.row, nil
}

// cellsOfRow reads the cells of the next row. why is what is wrong with the row; then the row has been read, and if it cannot be told where the row ends,
// its first line.
func (t *table) cellsOfRow() (why string, err error) {
	first := 0 // the size of the row's first line
	for {
		first, err = t.w.end(0)
		t.row.number = t.w.lines + 1
		switch {
		case errors.Is(err, errTooLong):
			return tooLongRow, t.w.skip()
		case err != nil:
			return "", err
		}
		line := t.w.rest()[:first]
		if t.row.number == 1 && line[first-1] != '\n' && bytes.IndexByte(bytes.TrimRight(line, "\r"), '\r') >= 0 {
			return "", fault.Input(t.row.file, carriageReturns)
		}
		if len(bytes.Trim(line, "\r\n")) > 0 {
			break
		}
		t.w.take(first)
	}
	n := first
	why = t.split(t.w.rest()[:n])
	for why == openQuote {
		more, err := t.w.end(n)
		if errors.Is(err, errTooLong) || err == nil && more == n {
			break
		}
		if err != nil {
			return "", err
		}
		even := bytes.Count(t.w.rest()[n:more], []byte{'"'})%2 == 0
		if n = more; !even {
			why = t.split(t.w.rest()[:n])
		}
	}
	switch { // the rows that an open quote has joined to this one are read on their own
	case why == openQuote:
		why, n = openQuote+t.hint(), first
	case why != "" && n > first:
		why, n = why+", in a row that goes on for several lines: is a quote missing?", first
	}
	t.w.take(n)
	return why, nil
}

// openQuote is what is wrong with a row that ends inside quotes.
const openQuote = "a quote is not closed"

// split splits a row, without its line end, into cells.
func (t *table) split(b []byte) (why string) {
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte{'\n'}), []byte{'\r'})
	if !utf8.Valid(b) {
		return notUTF8
	}
	t.cells = t.cells[:0]
	text := string(b)
	if !t.quoted || strings.IndexByte(text, '"') < 0 {
		for {
			i := strings.IndexByte(text, t.separator)
			if i < 0 || len(t.cells) == maxFields {
				break
			}
			t.cells = append(t.cells, text[:i])
			text = text[i+1:]
		}
		t.cells = append(t.cells, text)
		return t.count()
	}
	for {
		cell, rest, why := t.cell(text)
		if why != "" {
			return why
		}
		t.cells = append(t.cells, cell)
		if rest == "" || len(t.cells) > maxFields {
			return t.count()
		}
		text = rest[1:]
	}
}

// cell returns the first cell of a text and what follows it, which is empty or begins with the separator.
func (t *table) cell(text string) (cell, rest, why string) {
	if !strings.HasPrefix(text, `"`) {
		i := strings.IndexByte(text, t.separator)
		if i < 0 {
			i = len(text)
		}
		if strings.IndexByte(text[:i], '"') >= 0 {
			return "", "", "there is a quote inside a cell that does not begin with one" + t.hint()
		}
		return text[:i], text[i:], ""
	}
	escaped := false
	for i := 1; ; i++ {
		n := strings.IndexByte(text[i:], '"')
		if n < 0 {
			return "", "", openQuote
		}
		if i += n; strings.HasPrefix(text[i+1:], `"`) {
			escaped = true
			i++
			continue
		}
		cell, rest = text[1:i], text[i+1:]
		if rest != "" && rest[0] != t.separator {
			return "", "", "there is text after the quote that ends a cell" + t.hint()
		}
		if escaped {
			cell = strings.ReplaceAll(cell, `""`, `"`)
		}
		return strings.ReplaceAll(cell, "\r\n", "\n"), rest, ""
	}
}

// hint returns the end of the messages about quotes.
func (t *table) hint() string {
	if t.separator == '\t' {
		return " (--format tsv-plain takes quotes for characters like any others)"
	}
	return ""
}

// count returns what is wrong with the number of cells.
func (t *table) count() string {
	if len(t.cells) > maxFields {
		return fmt.Sprintf("it has more than %d cells", maxFields)
	}
	if t.columns != nil && len(t.cells) != len(t.columns) {
		return fmt.Sprintf("it has %s, and there are %s", wording.Counted(len(t.cells), "cell", "cells"),
			wording.Counted(len(t.columns), "column", "columns"))
	}
	return ""
}
