package extraction

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/ragged"
)

// node is a JSON value whose objects keep the order of their keys.
type node struct {
	value any // string, json.Number, bool, nil, or list for an array, or object for an object
}

type list []node

type object []member

type member struct {
	key  string
	node node
}

// parseJSON reads one JSON value. A key that stands twice in an object, text that is not UTF-8, and anything after the value are errors.
func parseJSON(data []byte) (node, error) {
	if !utf8.Valid(data) {
		return node{}, ragged.Errorf("schema: it is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	n, err := parseNode(d, "schema")
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return n, nil
		} else if err == nil {
			return n, ragged.Errorf("schema: there is more after its end")
		}
	}
	var fault *ragged.Error
	if errors.As(err, &fault) {
		return n, err
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, &ragged.Error{Text: fmt.Sprintf("schema: it is not valid JSON: %v", err), Cause: err}
}

func parseNode(d *json.Decoder, path string) (node, error) {
	token, err := d.Token()
	if err != nil {
		return node{}, err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return node{token}, nil
	}
	if open == '[' {
		items := list{}
		for d.More() {
			n, err := parseNode(d, fmt.Sprintf("%s[%d]", path, len(items)))
			if err != nil {
				return n, err
			}
			items = append(items, n)
		}
		_, err := d.Token()
		return node{items}, err
	}
	members := object{}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return node{}, err
		}
		key, _ := token.(string)
		at := fmt.Sprintf("%s[%q]", path, key)
		if seen[key] {
			return node{}, ragged.Errorf("%s: the key occurs twice", at)
		}
		seen[key] = true
		n, err := parseNode(d, at)
		if err != nil {
			return n, err
		}
		members = append(members, member{key, n})
	}
	_, err = d.Token()
	return node{members}, err
}

// kind returns what a JSON value is, for messages.
func (n node) kind() string {
	switch n.value.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case list:
		return "an array"
	}
	return "an object"
}

// reader reads values of a schema and keeps the first error.
type reader struct{ err error }

func (r *reader) fail(path, format string, args ...any) {
	if r.err == nil {
		r.err = ragged.Errorf("%s: %s", path, fmt.Sprintf(format, args...))
	}
}

func (r *reader) text(path string, n node) string {
	s, ok := n.value.(string)
	if !ok {
		r.fail(path, "it is %s and must be a string", n.kind())
	}
	return s
}

func (r *reader) flag(path string, n node) bool {
	b, ok := n.value.(bool)
	if !ok {
		r.fail(path, "it is %s and must be true or false", n.kind())
	}
	return b
}

// threshold reads a number from 0 to 1.
func (r *reader) threshold(path string, n node) *float64 {
	number, ok := n.value.(json.Number)
	if !ok {
		r.fail(path, "it is %s and must be a number from 0 to 1", n.kind())
		return nil
	}
	f, err := number.Float64()
	if err != nil || !(f >= 0 && f <= 1) {
		r.fail(path, "%s is not a number from 0 to 1", number)
		return nil
	}
	return &f
}

// count reads a whole number from 1 on.
func (r *reader) count(path string, n node) int {
	number, ok := n.value.(json.Number)
	if !ok {
		r.fail(path, "it is %s and must be a whole number", n.kind())
		return 0
	}
	i, err := number.Int64()
	if err != nil || i < 1 || i > 1<<31-1 {
		r.fail(path, "%s is not a whole number from 1 to %d", number, 1<<31-1)
	}
	return int(i)
}

func (r *reader) list(path string, n node) list {
	l, ok := n.value.(list)
	if !ok {
		r.fail(path, "it is %s and must be an array", n.kind())
	}
	return l
}

func (r *reader) texts(path string, n node) []string {
	out := []string{}
	for i, e := range r.list(path, n) {
		out = append(out, r.text(fmt.Sprintf("%s[%d]", path, i), e))
	}
	return out
}

func (r *reader) object(path string, n node) object {
	o, ok := n.value.(object)
	if !ok {
		r.fail(path, "it is %s and must be an object", n.kind())
	}
	return o
}

// fields calls the function of each key of an object. Null counts as a missing value. A key that is not in the map is an error.
func (r *reader) fields(path string, n node, known map[string]func(path string, n node)) {
	for _, m := range r.object(path, n) {
		at := m.key
		if path != "" {
			at = path + "." + m.key
		}
		read, ok := known[m.key]
		switch {
		case !ok:
			r.fail(at, "there is no such field (fields here: %s)", keys(known))
		case m.node.value != nil:
			read(at, m.node)
		}
	}
}
