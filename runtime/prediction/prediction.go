// Package prediction holds what models predict for examples, beside what is right, as lines of JSON, and computes the metrics of a task from such lines. The
// programs that debertac builds write them, and debertac reads them again, so a metric does not depend on who made a prediction.
package prediction

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/debertac/debertac/runtime/example"
)

// Prediction is what was predicted for one example. Which fields a task reads is in the table of tasks, see Tasks. Other fields of a line are not read.
type Prediction struct {
	ID    string `json:"id,omitempty"`
	At    int64  `json:"at,omitempty"`    // the number of the example in its file
	Group string `json:"group,omitempty"` // predictions with one group belong together, such as the answers to a question of MultiRC

	// Label is the prediction and Gold what is right. They are classes (a text, a whole number, true or false), lists of classes, numbers, lists of tags, or
	// lists of entities.
	Label any `json:"label,omitempty"`
	Gold  any `json:"gold,omitempty"`
	// Score is the number that was predicted, or the probability of Label.
	Score *float64 `json:"score,omitempty"`
	// Scores holds the probabilities of all classes, or the scores of all documents of a list.
	Scores   []float64 `json:"scores,omitempty"`
	Positive string    `json:"positive,omitempty"` // the class of two for which precision, recall and F1 are computed

	Answer  *string  `json:"answer,omitempty"`  // to a question; "": there is no answer
	Answers *Answers `json:"answers,omitempty"` // the right answers; empty: there is no answer
	// Span is the best answer if there must be one. NoAnswer is how sure the model is that there is no answer; a higher number is surer.
	Span     *string  `json:"span,omitempty"`
	NoAnswer *float64 `json:"no_answer,omitempty"`

	LogProbability *float64 `json:"log_probability,omitempty"` // the sum over the tokens that were predicted, natural logarithm
	Counted        *float64 `json:"counted,omitempty"`         // the number of tokens that were predicted
	Right          *float64 `json:"right,omitempty"`           // the number of tokens for which the likeliest token was right

	Loss  *float64 `json:"loss,omitempty"`  // the sum of the terms of the loss
	Terms *float64 `json:"terms,omitempty"` // the number of these terms; without it, 1

	Truncated int `json:"truncated,omitempty"`  // tokens that were cut off the example
	CutLabels int `json:"cut_labels,omitempty"` // right labels of words that were cut off, which cannot be found
}

// Answers holds answers. As JSON they are a list of texts, or of objects with a text, or the object that the hub's data sets have: {"text": [...]}.
type Answers []string

// UnmarshalJSON reads a list of answers.
func (a *Answers) UnmarshalJSON(text []byte) error {
	*a = Answers{}
	type withText struct {
		Text *string `json:"text"`
	}
	var object struct {
		Text *[]string `json:"text"`
	}
	if json.Unmarshal(text, &object) == nil && object.Text != nil {
		*a = *object.Text
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return errors.New(`"answers" must be a list of texts`)
	}
	for _, raw := range list {
		var s string
		var o withText
		switch {
		case json.Unmarshal(raw, &s) == nil:
		case json.Unmarshal(raw, &o) == nil && o.Text != nil:
			s = *o.Text
		default:
			return fmt.Errorf(`"answers" must be a list of texts, and %s is not a text`, shorten(string(raw)))
		}
		*a = append(*a, s)
	}
	return nil
}

// shorten returns the beginning of a text for a message.
func shorten(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}

// Encode writes a prediction as a line of JSON. Numbers that JSON does not have, NaN and Inf, are an error.
func Encode(w io.Writer, p *Prediction) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(p)
}

// Reader reads predictions.
type Reader struct{ lines *example.Reader }

// NewReader returns a reader of the predictions of r.
func NewReader(r io.Reader) *Reader { return &Reader{example.NewReader(r)} }

// Next reads the next prediction and returns the number of its line. At the end it returns io.EOF. The error of a line that is not a prediction names the
// line.
func (r *Reader) Next() (*Prediction, int, error) {
	text, line, err := r.lines.Line()
	if err != nil {
		return nil, line, err
	}
	p, err := decode(text)
	if err != nil {
		return nil, line, fmt.Errorf("line %d: it is not a prediction: %w", line, err)
	}
	return p, line, nil
}

// decode reads a line.
func decode(text []byte) (*Prediction, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("the line is empty")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	p := &Prediction{}
	if err := d.Decode(p); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the object")
	}
	if name, ok := example.Twice(text); ok {
		return nil, fmt.Errorf("the field %q stands twice", name)
	}
	return p, nil
}

// className returns the name of a class: a text as it is, a number or truth value as JSON writes it.
func className(v any) (name string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// classNames returns the names of a list of classes.
func classNames(v any) (names []string, ok bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	for _, x := range list {
		name, ok := className(x)
		if !ok {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

// realOf returns a number.
func realOf(v any) (x float64, ok bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	x, err := n.Float64()
	return x, err == nil
}

// realsOf returns a list of numbers.
func realsOf(v any) (list []float64, ok bool) {
	all, ok := v.([]any)
	if !ok {
		return nil, false
	}
	for _, x := range all {
		f, ok := realOf(x)
		if !ok {
			return nil, false
		}
		list = append(list, f)
	}
	return list, true
}
