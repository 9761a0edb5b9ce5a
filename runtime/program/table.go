package program

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/command"
)

// table reads CSV or TSV. The header names the columns.
type table struct {
	file    string
	rows    rows
	bound   *boundReader
	quotes  string // end of the message about a quote
	columns *columns
	at      map[string]int // columns by their names
	header  string
	unread  []string // for the first record
}

// rows reads the rows of a table. If an error is a *csv.ParseError, the next row can still be read.
type rows interface {
	// Read returns the cells of the next row; they are valid until the next call.
	Read() ([]string, error)
	// FieldPos returns the line and column of a cell of the last row.
	FieldPos(field int) (line, column int)
}

func newTable(file string, b *bufio.Reader, separator rune, quoted bool, c *columns) (*table, error) {
	t := &table{file: file, bound: &boundReader{r: b, left: maxRecord}, columns: c, at: map[string]int{}}
	if quoted {
		r := csv.NewReader(t.bound)
		r.ReuseRecord, r.Comma = true, separator
		t.rows = r
		if separator == '\t' {
			t.quotes = " (--format tsv-plain takes quotes for characters like any others)"
		}
	} else {
		t.rows = &plainRows{lines: lines{file: file, unit: unitLine, r: b}, separator: string(separator)}
	}
	head, err := t.rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, faulty(file+":1", "a table needs a header line with a column %q; the file is empty", c.name[c.subject])
	}
	if err != nil {
		return nil, t.fault(err)
	}
	head = slices.Clone(head)
	if slices.ContainsFunc(head, func(name string) bool { return strings.Contains(strings.TrimSpace(name), "\r") }) {
		return nil, faulty(file, carriageReturns)
	}
	for i := range head {
		if !utf8.ValidString(head[i]) {
			return nil, faulty(file+":1", notUTF8)
		}
		head[i] = strings.TrimSpace(head[i])
	}
	t.header = command.Shorten(strings.Join(head, ", "), 100)
	t.unread = c.unread(slices.Values(head))
	wanted := c.all()
	for i, name := range head {
		if !slices.Contains(wanted, name) {
			continue
		}
		if _, ok := t.at[name]; ok {
			return nil, faulty(file+":1", "two columns are named %q", name)
		}
		t.at[name] = i
	}
	_, hasText := t.at[c.name["text"]]
	_, hasQuestion := t.at[c.name["question"]]
	if !hasText && (!hasQuestion || !c.asks || c.wanted["text"]) {
		return nil, faulty(file+":1", "no column %q in the header (its columns: %s); --%s names another", c.name[c.subject], t.header, flagOf(c.subject))
	}
	for what := range c.wanted {
		if _, ok := t.at[c.name[what]]; !ok {
			return nil, faulty(file+":1", "no column %q, which --%s names, in the header (its columns: %s)", c.name[what], flagOf(what), t.header)
		}
	}
	for _, name := range c.echo {
		if _, ok := t.at[name]; !ok {
			return nil, faulty(file+":1", "no column %q, which --echo names, in the header (its columns: %s)", name, t.header)
		}
	}
	return t, nil
}

func (t *table) next() (record, error) {
	t.bound.left = maxRecord
	row, err := t.rows.Read()
	if errors.Is(err, io.EOF) {
		return record{}, io.EOF
	}
	r := record{file: t.file, unit: unitLine, cells: true, columns: t.columns}
	var parse *csv.ParseError
	switch {
	case errors.As(err, &parse):
		r.line = max(parse.StartLine, 1)
		r.fault = t.fault(err)
		return r, nil
	case err != nil:
		return record{}, t.fault(err)
	}
	r.line, _ = t.rows.FieldPos(0)
	for _, s := range row {
		if !utf8.ValidString(s) {
			r.fault = faultOf(kindEncoding, r.where(), notUTF8)
			return r, nil
		}
	}
	r.unread, t.unread = t.unread, nil
	r.fault = t.columns.take(&r, func(name string) json.RawMessage { return t.cell(row, name) }, func() string { return t.header })
	return r, nil
}

// cell returns a cell as JSON, or nil if there is no such column. An empty label counts as missing.
func (t *table) cell(row []string, name string) json.RawMessage {
	i, ok := t.at[name]
	if !ok {
		return nil
	}
	if row[i] == "" && name == t.columns.name["label"] {
		return json.RawMessage("null")
	}
	raw, err := command.JSONLine(row[i])
	if err != nil { // cannot happen: every string can be encoded
		return nil
	}
	return raw[:len(raw)-1]
}

func (t *table) fault(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.As(err, &parse):
		at := record{file: t.file, unit: unitLine, line: max(parse.StartLine, 1)} // the row's first line: a missing quote may have joined further lines to it
		if errors.Is(parse.Err, errTooLong) {
			return longLine(&at)
		}
		if errors.Is(parse.Err, csv.ErrQuote) && parse.Line > parse.StartLine {
			return faultOf(kindSyntax, at.where(), "%w in a row that goes on to line %d%s", parse.Err, parse.Line, t.quotes)
		}
		if errors.Is(parse.Err, csv.ErrQuote) || errors.Is(parse.Err, csv.ErrBareQuote) {
			return faultOf(kindSyntax, at.where(), "%w%s", parse.Err, t.quotes)
		}
		return faultOf(kindSyntax, at.where(), "%w", parse.Err)
	}
	if errors.Is(err, errTooLong) { // the start of the next record is not known
		return faulty(t.file, "a CSV record is longer than %d MiB: is a quote missing?", maxRecord>>20)
	}
	var input *inputError
	if errors.As(err, &input) {
		return err
	}
	return faulty(t.file, "it cannot be read: %w", err)
}

// plainRows reads rows whose cells are separated by a character; quotes have no meaning. Blank lines are skipped.
type plainRows struct {
	lines
	separator string
	cells     int // number of cells of the header
}

// Read returns the cells of the next row.
func (p *plainRows) Read() ([]string, error) {
	for {
		b, tooLong, err := p.readLine()
		switch {
		case err != nil:
			return nil, err
		case tooLong:
			return nil, &csv.ParseError{StartLine: p.line, Line: p.line, Err: errTooLong}
		case len(b) == 0:
			continue
		}
		row := strings.Split(string(b), p.separator)
		if p.cells == 0 {
			p.cells = len(row)
		}
		if len(row) != p.cells {
			return nil, &csv.ParseError{StartLine: p.line, Line: p.line, Err: csv.ErrFieldCount}
		}
		return row, nil
	}
}

// FieldPos returns the line of the last row.
func (p *plainRows) FieldPos(int) (line, column int) { return p.line, 1 }

var errTooLong = errors.New("too long")

// boundReader returns at most left bytes between two records.
type boundReader struct {
	r    io.Reader
	left int
}

func (b *boundReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}
