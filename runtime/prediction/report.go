package prediction

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/debertac/debertac/runtime/metrics"
)

// Report holds the metrics of a set of predictions. As JSON it is one object: the metrics by name, each followed by its interval, then n, and what else
// there is.
type Report struct {
	N         int     // predictions
	Values    []Value // metrics
	Truncated int     // predictions for examples that were cut
	CutLabels int     // right labels of words that were cut off: they count as missed
	Positive  string  // the class of two whose precision, recall and F1 are given
	Classes   []Class // for classes and entities: each class
	Confusion *Confusion
}

// Value is a metric.
type Value struct {
	Name     string
	Value    float64           // NaN: it is not defined for these predictions. As JSON it is null
	Interval *metrics.Interval // nil: there is no interval
}

// Class holds the metrics of one class, or of the entities of one label.
type Class struct {
	Label string `json:"label"`
	metrics.Share
	N int `json:"n"` // how often it is right
}

// Confusion tells how often each class was predicted for the examples of each class.
type Confusion struct {
	Labels []string `json:"labels"`
	Counts [][]int  `json:"counts"` // a row per right class, a column per predicted one
}

// Get returns a metric. ok is false if it is missing or not defined.
func (r *Report) Get(name string) (value float64, ok bool) {
	for _, v := range r.Values {
		if v.Name == name {
			return v.Value, !math.IsNaN(v.Value)
		}
	}
	return 0, false
}

// Names returns the names of the metrics that are defined, in their order.
func (r *Report) Names() (names []string) {
	for _, v := range r.Values {
		if !math.IsNaN(v.Value) {
			names = append(names, v.Name)
		}
	}
	return names
}

// intervalEnding ends the names of intervals in JSON.
const intervalEnding = "_interval"

// real is a number as JSON: null if it is not finite.
type real float64

// MarshalJSON writes the number.
func (x real) MarshalJSON() ([]byte, error) {
	if f := float64(x); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return json.Marshal(f)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads the number.
func (x *real) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*x = real(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(x))
}

// MarshalJSON writes the report.
func (r *Report) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	add := func(name string, v any) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		b.WriteByte("{,"[min(b.Len(), 1)])
		fmt.Fprintf(&b, "%q:%s", name, text)
		return nil
	}
	for _, v := range r.Values {
		if err := add(v.Name, real(v.Value)); err != nil {
			return nil, err
		}
		if v.Interval != nil {
			if err := add(v.Name+intervalEnding, [2]real{real(v.Interval.Low), real(v.Interval.High)}); err != nil {
				return nil, err
			}
		}
	}
	rest := []struct {
		name  string
		value any
		given bool
	}{{"n", r.N, true}, {"truncated", r.Truncated, r.Truncated > 0}, {"cut_labels", r.CutLabels, r.CutLabels > 0},
		{"positive", r.Positive, r.Positive != ""}, {"classes", r.Classes, len(r.Classes) > 0},
		{"confusion", r.Confusion, r.Confusion != nil}}
	for _, f := range rest {
		if !f.given {
			continue
		}
		if err := add(f.name, f.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Report) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("a report of metrics must be an object: %w", err)
	}
	*r = Report{}
	fields := map[string]any{"n": &r.N, "truncated": &r.Truncated, "cut_labels": &r.CutLabels, "positive": &r.Positive,
		"classes": &r.Classes, "confusion": &r.Confusion}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name := fmt.Sprint(t)
		base, isInterval := strings.CutSuffix(name, intervalEnding)
		switch field := fields[name]; {
		case field != nil:
			err = d.Decode(field)
		case isInterval && len(r.Values) > 0 && r.Values[len(r.Values)-1].Name == base:
			var ends [2]real
			err = d.Decode(&ends)
			r.Values[len(r.Values)-1].Interval = &metrics.Interval{Low: float64(ends[0]), High: float64(ends[1])}
		default:
			var x real
			err = d.Decode(&x)
			r.Values = append(r.Values, Value{Name: name, Value: float64(x)})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
