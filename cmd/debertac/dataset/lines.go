package dataset

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/example"
)

// lines reads one text per line. Blank lines hold no text.
type lines struct {
	file string
	w    *window
}

func (l *lines) read(q []result) ([]result, error) {
	for {
		line, number, err := l.w.line()
		switch {
		case errors.Is(err, errTooLong):
			return append(q, faulty(l.file, number, tooLongRow)), nil
		case err != nil:
			return q, err
		case !utf8.Valid(line):
			return append(q, faulty(l.file, number, notUTF8)), nil
		case len(bytes.TrimSpace(line)) > 0:
			return append(q, result{example: &example.Example{At: number, Text: string(line)}}), nil
		}
	}
}

// tooLongRow is the reason of a row that is longer than maxRow.
var tooLongRow = "it is longer than " + strconv.Itoa(maxRow>>20) + " MiB"

// faulty returns the fault of a line.
func faulty(file string, line int64, reason string) result {
	return result{fault: &RowError{File: file, Unit: unitLine, Number: line, Reason: reason}}
}

// documents reads texts of several lines. Blank lines stand between them.
type documents struct {
	file string
	w    *window
	text []byte
}

func (d *documents) read(q []result) ([]result, error) {
	d.text = d.text[:0]
	var first int64
	why, whyLine := "", int64(0)
	for {
		line, number, err := d.w.line()
		blank := err == nil && len(bytes.TrimSpace(line)) == 0
		switch {
		case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong) || errors.Is(err, io.ErrUnexpectedEOF):
			return q, err
		case blank && first == 0:
			continue
		case blank || errors.Is(err, io.EOF):
			if first == 0 {
				return q, err
			}
			if why != "" {
				return append(q, faulty(d.file, whyLine, why)), nil
			}
			return append(q, result{example: &example.Example{At: first, Text: string(d.text)}}), nil
		}
		if first == 0 {
			first = number
		} else {
			d.text = append(d.text, '\n')
		}
		switch {
		case why != "":
		case errors.Is(err, errTooLong), len(d.text)+len(line) > maxRow:
			why, whyLine = "the document that begins in line "+strconv.FormatInt(first, 10)+" is longer than "+strconv.Itoa(maxRow>>20)+" MiB", number
		case !utf8.Valid(line):
			why, whyLine = notUTF8, number
		default:
			d.text = append(d.text, line...)
		}
		if why != "" {
			d.text = d.text[:0]
		}
	}
}
