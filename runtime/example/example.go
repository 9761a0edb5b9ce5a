// Package example defines what models are trained and evaluated on: a text with its label, a question with its answers, and so on. Readers of data files make
// examples, and programs take them as lines of JSON.
package example

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Example is one example of a data set. Which fields are set depends on the task; fields that are not set have their zero values. As JSON it is an object
// without the fields that are not set.
type Example struct {
	ID    string `json:"id,omitempty"`
	At    int64  `json:"at,omitempty"`    // its number in the file that it comes from: a line, a row or an element, from 1
	File  string `json:"-"`               // that it comes from, for messages; "": not known
	Unit  string `json:"-"`               // in which At counts: line, row, element, question or article; "": line
	Where string `json:"where,omitempty"` // its place, for the messages of a program that does not know the file; "": not known

	Text string  `json:"text,omitempty"`
	Pair *string `json:"pair,omitempty"` // the second text of a pair; nil: there is no pair

	Label  string    `json:"label,omitempty"`  // the name of a class, or its number; of choices: the number of the right option, from 0
	Labels *[]string `json:"labels,omitempty"` // the classes of a text that may have several, or none; nil: not known
	Score  *float64  `json:"score,omitempty"`  // a number to predict
	Group  string    `json:"group,omitempty"`  // examples with one group belong together: the answers to a question, the documents of a query

	Words    []string `json:"words,omitempty"`    // the words of a text that is given as words; Text is then empty
	Tags     []string `json:"tags,omitempty"`     // one for each word
	Entities []Entity `json:"entities,omitempty"` // in words if there are words, else in bytes of Text

	Question string   `json:"question,omitempty"`
	Context  string   `json:"context,omitempty"`
	Answers  []Answer `json:"answers,omitempty"`  // the right answers; none: the context does not answer the question, if Answered
	Answered bool     `json:"answered,omitempty"` // the right answers are known, be there some or none
	Options  []string `json:"options,omitempty"`  // of a question, or of a text that has a continuation to choose

	Candidate string `json:"candidate,omitempty"` // the answer that Text and Pair propose, which is one of those of the group

	Query     string    `json:"query,omitempty"`
	Documents []string  `json:"documents,omitempty"` // of the query, or answers to the text, the better ones first if there are no scores
	Scores    []float64 `json:"scores,omitempty"`    // one for each document, higher is better

	Positive  string   `json:"positive,omitempty"`  // a text that means what Text means
	Negatives []string `json:"negatives,omitempty"` // texts that do not

	Target string `json:"target,omitempty"` // the text that a model is to write after Text
}

// Place returns where the example is in its file, for messages: "file:line", or the file with the number of the row, element or question.
func (e *Example) Place() string { return Place(e.File, e.Unit, e.At) }

// Place returns where something is in a file, for messages. unit is what number counts, from 1; "" is line.
func Place(file, unit string, number int64) string {
	if unit == "" || unit == "line" {
		return fmt.Sprintf("%s:%d", file, number)
	}
	return fmt.Sprintf("%s: %s %d", file, unit, number)
}

// Entity is a part of a text with a label.
type Entity struct {
	Label string `json:"label"`
	Start int    `json:"start"` // first byte or word
	End   int    `json:"end"`   // after the last byte or word
}

// Answer is a right answer to a question.
type Answer struct {
	Text  string `json:"text"`
	Start int    `json:"start"` // its first byte in the context; -1: not known
}

// maxLine bounds a line of JSON, in bytes.
const maxLine = 128 << 20

// Reader reads examples that Encode has written.
type Reader struct {
	Trusted bool // whether a field stands twice is not checked

	r    *bufio.Reader
	line int
}

// NewReader returns a reader of the examples of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 1<<16)} }

// Next reads the next example. At the end it returns io.EOF. The error of a line that is not an example names the line.
func (r *Reader) Next() (*Example, error) {
	line, _, err := r.Line()
	if err != nil {
		return nil, err
	}
	e := &Example{}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(e); err != nil {
		return nil, fmt.Errorf("line %d: it is not an example: %w", r.line, err)
	}
	if d.More() {
		return nil, fmt.Errorf("line %d: there is text after the example", r.line)
	}
	if r.Trusted {
		return e, nil
	}
	if name, ok := Twice(line); ok {
		return nil, fmt.Errorf("line %d: the field %q stands twice", r.line, name)
	}
	return e, nil
}

// Line reads the next line as it is, and returns its number, from 1. At the end it returns io.EOF.
func (r *Reader) Line() (line []byte, number int, err error) {
	r.line++
	for {
		part, err := r.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, r.line, fmt.Errorf("line %d is longer than %d MiB", r.line, maxLine>>20)
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return line, r.line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, r.line, err
		}
	}
}

// Encode writes an example as a line of JSON.
func Encode(w io.Writer, e *Example) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}
