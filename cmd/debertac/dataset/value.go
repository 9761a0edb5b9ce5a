package dataset

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/program"
)

// value is a field of a row: valid JSON, or the cell of a table. A field that a row does not have has no bytes.
type value struct {
	json []byte
	cell string
	has  bool // the row has the field, and it is not null; an empty cell counts as missing
	// empty is set for an empty cell.
	empty bool
}

// jsonValue returns the value of a field of a JSON object.
func jsonValue(raw []byte) value { return value{json: raw, has: len(raw) > 0 && string(raw) != "null"} }

// cellValue returns the value of a cell.
func cellValue(cell string) value { return value{cell: cell, has: cell != "", empty: cell == ""} }

// String returns the value in messages.
func (v value) String() string {
	if v.json == nil {
		return strconv.Quote(command.Shorten(v.cell, 40))
	}
	return command.Shorten(string(v.json), 40)
}

// text returns a string.
func (v value) text() (string, error) {
	switch {
	case v.json == nil:
		return v.cell, nil
	case v.json[0] != '"':
		return "", fmt.Errorf("it is %v, it must be a string", v)
	}
	return unquote(v.json)
}

// name returns a string; numbers and truth values are taken as they are written.
func (v value) name() (string, error) {
	if v.json == nil || v.json[0] == '"' {
		return v.text()
	}
	if v.json[0] == '{' || v.json[0] == '[' {
		return "", fmt.Errorf("it is %v, it must be a string or a number", v)
	}
	return string(v.json), nil
}

// number returns a finite number.
func (v value) number() (float64, error) {
	text := strings.TrimSpace(v.cell)
	if v.json != nil {
		if text = string(v.json); v.json[0] == '"' {
			return 0, fmt.Errorf("it is %v, it must be a finite number", v)
		}
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || strings.ContainsAny(text, "_xXpP") {
		return 0, fmt.Errorf("it is %v, it must be a finite number", v)
	}
	return x, nil
}

// integer returns a whole number.
func (v value) integer() (int, error) {
	text := strings.TrimSpace(v.cell)
	if v.json != nil {
		text = string(v.json)
	}
	n, err := strconv.Atoi(text)
	if err != nil || strings.HasPrefix(text, "+") {
		return 0, fmt.Errorf("it is %v, it must be a whole number", v)
	}
	return n, nil
}

// truth returns true or false.
func (v value) truth() (bool, error) {
	text := strings.ToLower(v.cell)
	if v.json != nil {
		text = string(v.json)
	}
	switch text {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("it is %v, it must be true or false", v)
}

// list returns the elements of a list as values. In a cell a list is written as on the command line: parts between commas, or a JSON array.
func (v value) list() ([]value, error) {
	if v.json == nil {
		if strings.HasPrefix(strings.TrimSpace(v.cell), "[") {
			return v.structure().list()
		}
		parts, err := program.List(v.cell)
		if err != nil {
			return nil, fmt.Errorf("it is %v: %w", v, err)
		}
		var all []value
		for _, p := range parts {
			all = append(all, cellValue(p))
		}
		return all, nil
	}
	list, ok := elements(v.json)
	if !ok {
		return nil, fmt.Errorf("it is %v, it must be a list", v)
	}
	if len(list) > maxElements {
		return nil, fmt.Errorf("the list has more than %d elements", maxElements)
	}
	all := make([]value, len(list))
	for i, raw := range list {
		all[i] = jsonValue(raw)
	}
	return all, nil
}

// structure returns a cell that holds JSON as this JSON. Other values are returned as they are.
func (v value) structure() value {
	trimmed := strings.TrimSpace(v.cell)
	if v.json != nil || trimmed == "" || trimmed[0] != '[' && trimmed[0] != '{' {
		return v
	}
	s := scanner{b: []byte(trimmed)}
	if raw, err := s.value(0); err == nil && s.i == len(trimmed) && s.twice == "" {
		return jsonValue(raw)
	}
	return v
}

// list returns the elements of a list, each by a function. The error names the element, from 1.
func list[T any](v value, one func(value) (T, error)) ([]T, error) {
	all, err := v.list()
	if err != nil {
		return nil, err
	}
	out := make([]T, len(all))
	for i, e := range all {
		if !e.has && e.json != nil {
			return nil, fmt.Errorf("element %d is null", i+1)
		}
		if out[i], err = one(e); err != nil {
			return nil, fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	return out, nil
}

// listOf returns a function that returns the elements of a list, each by a function.
func listOf[T any](one func(value) (T, error)) func(value) ([]T, error) {
	return func(v value) ([]T, error) { return list(v, one) }
}
