package dataset

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep JSON values lie in one another.
const maxDepth = 100

// syntaxError is a place in JSON that is not JSON.
type syntaxError struct {
	at   int // the byte, from 0
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.at+1) }

// scanner checks JSON (RFC 8259) and finds the values in it. It does not copy them. The input must be UTF-8.
type scanner struct {
	b     []byte
	i     int
	twice string // a field that an object inside a value has more than once; "": no field is twice
}

func (s *scanner) fault(what string) error {
	if s.i >= len(s.b) {
		return &syntaxError{len(s.b), "it ends inside a value"}
	}
	return &syntaxError{s.i, what}
}

// space skips white space.
func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\n' || s.b[s.i] == '\r') {
		s.i++
	}
}

// take skips white space and the character c, if it is next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// value skips white space and returns the value that follows.
func (s *scanner) value(depth int) ([]byte, error) {
	s.space()
	start := s.i
	err := s.skip(depth)
	return s.b[start:s.i], err
}

// skip skips the value that begins here.
func (s *scanner) skip(depth int) error {
	if s.i >= len(s.b) {
		return s.fault("")
	}
	if depth > maxDepth {
		return s.fault(fmt.Sprintf("values inside values are more than %d deep", maxDepth))
	}
	switch c := s.b[s.i]; {
	case c == '"':
		return s.text()
	case c == '{':
		var seen fieldNames
		return s.object(depth, func(name, _ []byte) {
			if seen.again(name) {
				s.twice = nameOf(name)
			}
		})
	case c == '[':
		return s.array(depth, nil)
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if s.word(word) {
			return nil
		}
	}
	if s.word("NaN") || s.word("Infinity") {
		return s.fault("there is a number that is not finite, which JSON does not have,")
	}
	return s.fault(fmt.Sprintf("there is %s where a value is expected", s.next()))
}

// next describes the next character.
func (s *scanner) next() string {
	r, _ := utf8.DecodeRune(s.b[s.i:])
	return strconv.QuoteRune(r)
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i >= len(w) && string(s.b[s.i:s.i+len(w)]) == w {
		s.i += len(w)
		return true
	}
	return false
}

// plain lists the bytes that stand for themselves in a string.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return t
}()

// text skips a string.
func (s *scanner) text() error {
	b, i := s.b, s.i+1
	for {
		for i < len(b) && plain[b[i]] {
			i++
		}
		s.i = i
		switch {
		case i >= len(b):
			return &syntaxError{i, "it ends inside a string"}
		case b[i] == '"':
			s.i++
			return nil
		case b[i] != '\\':
			return s.fault(fmt.Sprintf("there is a control character (%#02x) in a string", b[i]))
		}
		if i++; i >= len(b) {
			continue
		}
		switch b[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i++
		case 'u':
			if len(b)-i < 5 || !hexadecimal(b[i+1:i+5]) {
				return s.fault(`there is an escape \u without four hexadecimal digits`)
			}
			i += 5
		default:
			return s.fault(fmt.Sprintf("there is an unknown escape (%q) in a string", b[i-1:i+1]))
		}
	}
}

func hexadecimal(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

// number skips a number.
func (s *scanner) number() error {
	if s.b[s.i] == '-' {
		s.i++
	}
	first := s.i
	if s.word("Infinity") {
		return s.fault("there is a number that is not finite, which JSON does not have,")
	}
	if !s.digits() {
		return s.fault("there is a number without digits")
	}
	if s.i-first > 1 && s.b[first] == '0' {
		return s.fault("there is a number that begins with 0")
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		if s.i++; !s.digits() {
			return s.fault("there is a number without digits after its point")
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		if s.i++; s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return s.fault("there is a number without digits in its exponent")
		}
	}
	return nil
}

// fieldNames holds the names of an object's fields, in quotes.
type fieldNames struct {
	few  [][]byte
	many map[string]bool // nil: there are few
}

// again reports whether a name was there before. Of objects with more than maxFields fields it compares the first ones.
func (f *fieldNames) again(name []byte) bool {
	if bytes.IndexByte(name, '\\') >= 0 {
		name = strconv.AppendQuote(nil, nameOf(name))
	}
	switch {
	case f.many == nil && len(f.few) < fewFields:
		for _, s := range f.few {
			if bytes.Equal(s, name) {
				return true
			}
		}
		f.few = append(f.few, name)
		return false
	case f.many == nil:
		f.many = map[string]bool{}
		for _, s := range f.few {
			f.many[string(s)] = true
		}
	}
	if f.many[string(name)] {
		return true
	}
	if len(f.many) < maxFields {
		f.many[string(name)] = true
	}
	return false
}

// object skips an object. Unless visit is nil, it is called with each name, quoted, and value.
func (s *scanner) object(depth int, visit func(name, value []byte)) error {
	s.i++
	if s.take('}') {
		return nil
	}
	for {
		s.space()
		if s.i >= len(s.b) || s.b[s.i] != '"' {
			return s.fault("a name in quotes is expected")
		}
		start := s.i
		if err := s.text(); err != nil {
			return err
		}
		name := s.b[start:s.i]
		if !s.take(':') {
			return s.fault(`a ":" is expected`)
		}
		value, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		if visit != nil {
			visit(name, value)
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.fault(`a "," or "}" is expected`)
		}
	}
}

// array skips an array. Unless visit is nil, it is called with each element.
func (s *scanner) array(depth int, visit func(value []byte)) error {
	s.i++
	if s.take(']') {
		return nil
	}
	for {
		value, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		if visit != nil {
			visit(value)
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.fault(`a "," or "]" is expected`)
		}
	}
}

// maxElements bounds the elements of a list, because they take more memory than their text.
const maxElements = 1 << 20

// elements returns the elements of a valid array, at most maxElements + 1 of them; ok is false for a value that is not an array.
func elements(value []byte) (list [][]byte, ok bool) {
	if len(value) == 0 || value[0] != '[' {
		return nil, false
	}
	s := scanner{b: value}
	return list, s.array(0, func(v []byte) {
		if len(list) <= maxElements {
			list = append(list, v)
		}
	}) == nil
}

// member returns the value of a name in a valid object, or nil.
func member(object []byte, name string) (value []byte) {
	if len(object) == 0 || object[0] != '{' {
		return nil
	}
	s := scanner{b: object}
	if s.object(0, func(n, v []byte) {
		if nameOf(n) == name {
			value = v
		}
	}) != nil {
		return nil
	}
	return value
}

// nameOf returns a name of an object, which stands in quotes.
func nameOf(quoted []byte) string {
	text, err := unquote(quoted)
	if err != nil {
		return string(quoted)
	}
	return text
}

// unquote returns the text of a valid JSON string. An escape that is half of a pair of surrogates stands for no character and is an error.
func unquote(quoted []byte) (string, error) {
	b := quoted[1 : len(quoted)-1]
	i := 0
	for i < len(b) && b[i] != '\\' {
		i++
	}
	if i == len(b) {
		return string(b), nil
	}
	out := append(make([]byte, 0, len(b)), b[:i]...)
	for i < len(b) {
		if b[i] != '\\' {
			out = append(out, b[i])
			i++
			continue
		}
		c := b[i+1]
		if c != 'u' {
			out = append(out, escapes[c])
			i += 2
			continue
		}
		r := unit16(b[i:])
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if len(b)-i >= 12 && b[i+6] == '\\' && b[i+7] == 'u' {
				low = unit16(b[i+6:])
			}
			whole := utf16.DecodeRune(r, low)
			if whole == utf8.RuneError {
				return "", fmt.Errorf("it has %s, half of a character that takes two such escapes", b[i:i+6])
			}
			r = whole
			i += 6
		}
		out = utf8.AppendRune(out, r)
		i += 6
	}
	return string(out), nil
}

// escapes maps the letter of an escape to the character that it stands for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unit16 returns the UTF-16 unit of an escape such as \u00e9.
func unit16(b []byte) (r rune) {
	for _, c := range b[2:6] {
		r <<= 4
		switch {
		case c >= 'a':
			r |= rune(c - 'a' + 10)
		case c >= 'A':
			r |= rune(c - 'A' + 10)
		default:
			r |= rune(c - '0')
		}
	}
	return r
}
