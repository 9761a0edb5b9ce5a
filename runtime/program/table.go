package program

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table reads CSV whose header names the columns text, and if there are any, pair and label.
type table struct {
	file              string
	r                 *csv.Reader
	bound             *boundReader
	text, pair, label int // columns, -1 if missing
	question, context int
}

func newTable(file string, b *bufio.Reader) (*table, error) {
	t := &table{file: file, bound: &boundReader{r: b, left: maxRecord}, text: -1, pair: -1, label: -1, question: -1, context: -1}
	t.r = csv.NewReader(t.bound)
	t.r.ReuseRecord = true
	head, err := t.r.Read()
	if errors.Is(err, io.EOF) {
		return nil, faulty(file+":1", "a CSV file needs a header line with a column \"text\"; the file is empty")
	}
	if err != nil {
		return nil, t.fault(err)
	}
	for i, name := range head {
		for want, at := range map[string]*int{"text": &t.text, "pair": &t.pair, "label": &t.label, "question": &t.question, "context": &t.context} {
			if strings.TrimSpace(name) != want {
				continue
			}
			if *at >= 0 {
				return nil, faulty(file+":1", "two columns are named %q", want)
			}
			*at = i
		}
	}
	if t.text < 0 && t.question < 0 {
		return nil, faulty(file+":1", "no column \"text\" in the header (its columns: %s)", shorten(strings.Join(head, ", "), 100))
	}
	return t, nil
}

func (t *table) next() (record, error) {
	t.bound.left = maxRecord
	row, err := t.r.Read()
	if errors.Is(err, io.EOF) {
		return record{}, io.EOF
	}
	if err != nil {
		return record{}, t.fault(err)
	}
	line, _ := t.r.FieldPos(0)
	r := record{file: t.file, line: line}
	for _, s := range row {
		if !utf8.ValidString(s) {
			return record{}, faulty(r.where(), notUTF8)
		}
	}
	if r.noText = t.text < 0; !r.noText {
		r.text.First = strings.Clone(row[t.text])
	}
	for name, column := range map[string]int{"question": t.question, "context": t.context} {
		if column < 0 {
			continue
		}
		raw, err := json.Marshal(row[column])
		if err != nil {
			return record{}, faulty(r.where(), "%w", err)
		}
		if r.extra == nil {
			r.extra = map[string]json.RawMessage{}
		}
		r.extra[name] = raw
	}
	if t.pair >= 0 {
		r.text.Pair, r.text.Second = true, strings.Clone(row[t.pair])
	}
	if t.label >= 0 && row[t.label] != "" {
		r.hasLabel, r.label = true, strings.Clone(row[t.label])
	}
	return r, nil
}

func (t *table) fault(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errTooLong):
		return faulty(t.file, "a CSV record is longer than %d MiB: is a quote missing?", maxRecord>>20)
	case errors.As(err, &parse):
		return faulty(t.file+":"+strconv.Itoa(parse.Line), "%w", parse.Err)
	}
	return faulty(t.file, "it cannot be read: %w", err)
}

var errTooLong = errors.New("too long")

// boundReader gives at most left bytes between two records.
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
