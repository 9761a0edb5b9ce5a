package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// jnode is a value inside a JSON document with its path, so that every error names its place.
type jnode struct {
	path string
	raw  json.RawMessage
}

// parseJSON checks that b is one JSON value in valid UTF-8, without half surrogate pairs and without deep nesting.
func parseJSON(name string, b []byte) (jnode, error) {
	if !utf8.Valid(b) {
		return jnode{}, fmt.Errorf("%s is not valid UTF-8", name)
	}
	if err := checkEscapes(b); err != nil {
		return jnode{}, fmt.Errorf("%s: %w", name, err)
	}
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return jnode{}, fmt.Errorf("%s, byte %d: nested more than %d deep", name, i, maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return jnode{}, fmt.Errorf("%s is cut short or empty", name)
		}
		return jnode{}, fmt.Errorf("%s, byte %d: %v", name, d.InputOffset(), err)
	}
	if _, err := d.Token(); err != io.EOF {
		return jnode{}, fmt.Errorf("%s, byte %d: something follows the document", name, d.InputOffset())
	}
	return jnode{raw: raw}, nil
}

const maxDepth = 32

// checkEscapes returns an error for \u escapes of half a surrogate pair, which the standard library would silently
// replace.
func checkEscapes(b []byte) error {
	hex := func(i int) (v int) {
		for _, c := range b[i:min(i+4, len(b))] {
			if c >= 'a' {
				c -= 'a' - 'A'
			}
			d, ok := hexDigit(c)
			if !ok {
				return -1 // the parser reports what is wrong
			}
			v = v<<4 | int(d)
		}
		return v
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if i++; i+5 > len(b) || b[i] != 'u' {
			continue
		}
		v := hex(i + 1)
		if v < 0xd800 || v > 0xdfff {
			continue
		}
		if v < 0xdc00 && i+11 <= len(b) && b[i+5] == '\\' && b[i+6] == 'u' {
			if w := hex(i + 7); 0xdc00 <= w && w <= 0xdfff {
				i += 10
				continue
			}
		}
		return fmt.Errorf("byte %d: \\u%04x is half of a surrogate pair", i-1, v)
	}
	return nil
}

func (n jnode) errorf(format string, args ...any) error {
	path := n.path
	if path == "" {
		path = "the document"
	}
	return &nodeError{path, fmt.Sprintf(format, args...), false}
}

// nodeError is a fault of one value. unknown means that the value itself can be left out, because nothing reads it.
type nodeError struct {
	path, text string
	unknown    bool
}

func (e *nodeError) Error() string { return e.path + ": " + e.text }

func (n jnode) null() bool { return len(n.raw) == 0 || string(n.raw) == "null" }

func (n jnode) at(key string) jnode {
	if n.path == "" {
		return jnode{path: key}
	}
	return jnode{path: n.path + "." + key}
}

// object reads an object whose keys must all be among known. A key that is missing is null.
func (n jnode) object(known ...string) (map[string]jnode, error) {
	all, order, err := n.members()
	if err != nil {
		return nil, err
	}
	for _, k := range order {
		if !slices.Contains(known, k) {
			return nil, all[k].errorf("unknown (supported here: %s)", strings.Join(known, ", "))
		}
	}
	for _, k := range known {
		if _, ok := all[k]; !ok {
			all[k] = n.at(k)
		}
	}
	return all, nil
}

// members reads an object with any keys.
func (n jnode) members() (map[string]jnode, []string, error) {
	all := map[string]jnode{}
	order, err := n.eachMember(func(k string, raw json.RawMessage) error {
		m := n.at(k)
		if _, ok := all[k]; ok {
			return m.errorf("given twice")
		}
		m.raw = raw
		all[k] = m
		return nil
	})
	return all, order, err
}

// eachMember calls f for each member of an object and returns the keys in their order.
func (n jnode) eachMember(f func(k string, raw json.RawMessage) error) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(n.raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, n.errorf("want an object")
	}
	var order []string
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, n.errorf("%v", err)
		}
		k, _ := t.(string)
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, n.at(k).errorf("%v", err)
		}
		if err := f(k, raw); err != nil {
			return nil, err
		}
		order = append(order, k)
	}
	return order, nil
}

func (n jnode) array() ([]jnode, error) {
	var raw []json.RawMessage
	if n.null() || json.Unmarshal(n.raw, &raw) != nil {
		return nil, n.errorf("want an array")
	}
	out := make([]jnode, len(raw))
	for i, r := range raw {
		out[i] = jnode{fmt.Sprintf("%s[%d]", n.path, i), r}
	}
	return out, nil
}

func (n jnode) str() (string, error) {
	var s string
	if n.null() || json.Unmarshal(n.raw, &s) != nil {
		return "", n.errorf("want a string")
	}
	return s, nil
}

// flag reads a boolean. A missing one is def.
func (n jnode) flag(def bool) (bool, error) {
	var v bool
	if n.null() {
		return def, nil
	}
	if json.Unmarshal(n.raw, &v) != nil {
		return false, n.errorf("want true or false")
	}
	return v, nil
}

// integer reads a whole number from 0 to limit-1.
func (n jnode) integer(limit int) (int, error) {
	var v int64
	if n.null() || json.Unmarshal(n.raw, &v) != nil || v < 0 || v >= int64(limit) {
		return 0, n.errorf("want a whole number from 0 to %d", limit-1)
	}
	return int(v), nil
}

// one reads a string that must be among values and returns its index.
func (n jnode) one(values ...string) (int, error) {
	s, err := n.str()
	if err != nil {
		return 0, err
	}
	i := slices.Index(values, s)
	if i < 0 {
		return 0, n.errorf("%q is not supported (supported: %s)", s, strings.Join(values, ", "))
	}
	return i, nil
}

// kind reads the member "type" of an object.
func (n jnode) kind() (string, error) {
	all, _, err := n.members()
	if err != nil {
		return "", err
	}
	t, ok := all["type"]
	if !ok {
		return "", n.at("type").errorf("missing")
	}
	return t.str()
}
