package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
)

// notUTF8 is the message about a text in another encoding. The tokenizer would take its bytes for unknown characters, and the result would mean little.
const notUTF8 = "not valid UTF-8: convert it first, with iconv for instance"

// carriageReturns is the message about an input whose lines end in CR alone, as on old Macs. It would be taken for one line.
const carriageReturns = "its lines end in CR alone: convert it first, with tr '\\r' '\\n' for instance"

// maxRecord bounds one line or CSV record, in bytes, so that a file of another kind does not fill the memory.
const maxRecord = 64 << 20

// source returns records until io.EOF. A record that cannot be used has its fault set, and the next record can still be read. An error ends the
// input; it is an inputError that names the file.
type source interface{ next() (record, error) }

// arguments is the source of the texts of the command line.
type arguments struct {
	texts []string
	done  int
}

func (a *arguments) next() (record, error) {
	if a.done == len(a.texts) {
		return record{}, io.EOF
	}
	a.done++
	r := record{unit: unitArgument, line: a.done, text: runtime.Text{First: a.texts[a.done-1]}}
	if !utf8.ValidString(r.text.First) {
		r.fault = faultOf(kindEncoding, r.where(), notUTF8)
	}
	return r, nil
}

// lines reads one text per line.
type lines struct {
	file string
	unit unit
	line int
	r    *bufio.Reader
	buf  []byte
	rest bool // the rest of a line that is too long must still be read
}

// readLine returns the next line without its end; it is valid until the next call. tooLong reports that it is longer than a record may be.
func (l *lines) readLine() (line []byte, tooLong bool, err error) {
	if err := l.skipRest(); err != nil {
		return nil, false, err
	}
	l.buf = l.buf[:0]
	l.line++
	for {
		part, err := l.r.ReadSlice('\n')
		l.buf = append(l.buf, part...)
		full := errors.Is(err, bufio.ErrBufferFull)
		switch {
		case len(l.buf) > maxRecord:
			l.rest, l.buf = full, nil
			return nil, true, nil
		case full:
			continue
		case errors.Is(err, io.EOF) && len(l.buf) == 0:
			return nil, false, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			at := l.record()
			return nil, false, faulty(at.where(), "it cannot be read: %w", err)
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(l.buf, []byte("\n")), []byte("\r"))
		if err != nil && l.line == 1 && bytes.IndexByte(line, '\r') >= 0 { // the whole input is one line
			return nil, false, faulty(l.file, carriageReturns)
		}
		return line, false, nil
	}
}

// skipRest reads to the end of a line that is too long.
func (l *lines) skipRest() error {
	for l.rest {
		_, err := l.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			at := l.record()
			return faulty(at.where(), "it cannot be read: %w", err)
		}
		l.rest = false
	}
	return nil
}

// record returns a record for the current line, without a text.
func (l *lines) record() record { return record{file: l.file, unit: l.unit, line: l.line} }

// longLine returns the fault of a line that is longer than a record may be.
func longLine(r *record) error {
	return faultOf(kindLong, r.where(), "the line is longer than %d MiB", maxRecord>>20)
}

func (l *lines) next() (record, error) {
	b, tooLong, err := l.readLine()
	if err != nil {
		return record{}, err
	}
	r := l.record()
	switch {
	case tooLong:
		r.fault = longLine(&r)
	case !utf8.Valid(b):
		r.fault = faultOf(kindEncoding, r.where(), notUTF8)
	default:
		r.text.First = string(b)
	}
	return r, nil
}

// objects reads one JSON object per line and takes the fields that columns name. Other fields are not read, but no field may occur twice. Blank lines are
// skipped.
type objects struct {
	lines
	columns *columns
	hint    string // end of the message that a line is not JSON
}

func (o *objects) next() (record, error) {
	for {
		b, tooLong, err := o.readLine()
		if err != nil {
			return record{}, err
		}
		r := o.record()
		if tooLong {
			r.fault = longLine(&r)
			return r, nil
		}
		if b = bytes.TrimSpace(b); len(b) > 0 {
			r.fault = o.columns.parse(&r, b, o.hint)
			return r, nil
		}
	}
}

// parse reads a record from a JSON object.
func (c *columns) parse(r *record, b []byte, hint string) error {
	r.columns = c
	if !utf8.Valid(b) {
		return faultOf(kindEncoding, r.where(), notUTF8)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return faultOf(kindSyntax, r.where(), "not a JSON object: at byte %d: %w%s", syntax.Offset, err, hint)
		}
	}
	if fields == nil {
		return faultOf(kindType, r.where(), "not a JSON object with a text, such as {\"text\": \"…\"}%s", hint)
	}
	if name, ok := twice(b); ok {
		return faultOf(kindSyntax, r.where(), "the field %q stands twice", name)
	}
	r.unread = c.unread(maps.Keys(fields))
	return c.take(r, func(name string) json.RawMessage { return fields[name] }, func() string { return fieldNames(fields) })
}

// array reads a JSON array of objects or strings, one element at a time.
type array struct {
	file    string
	d       *json.Decoder
	bound   *boundReader
	columns *columns
	done    int
	opened  bool
}

func newArray(file string, b *bufio.Reader, c *columns) *array {
	a := &array{file: file, bound: &boundReader{r: b, left: maxRecord}, columns: c}
	a.d = json.NewDecoder(a.bound)
	return a
}

func (a *array) next() (record, error) {
	a.bound.left = maxRecord
	if !a.opened {
		if _, err := a.d.Token(); err != nil { // the bracket
			return record{}, a.broken(err)
		}
		a.opened = true
	}
	if !a.d.More() {
		if _, err := a.d.Token(); err != nil { // the other bracket
			return record{}, a.broken(err)
		}
		if _, err := a.d.Token(); err == nil {
			return record{}, faulty(a.file, "something follows the end of the array, at byte %d", a.d.InputOffset())
		} else if !errors.Is(err, io.EOF) {
			return record{}, a.broken(err)
		}
		return record{}, io.EOF
	}
	var raw json.RawMessage
	if err := a.d.Decode(&raw); err != nil {
		return record{}, a.broken(err)
	}
	a.done++
	r := record{file: a.file, unit: unitElement, line: a.done}
	switch raw[0] {
	case '{':
		r.fault = a.columns.parse(&r, raw, "")
	case '"':
		r.fault = a.plain(&r, raw)
	default:
		r.fault = faultOf(kindType, r.where(), "it is %s, it must be an object with a text, or a string", command.Shorten(string(raw), 40))
	}
	return r, nil
}

// plain reads an element that is a string: a text without other fields.
func (a *array) plain(r *record, raw json.RawMessage) error {
	if !utf8.Valid(raw) {
		return faultOf(kindEncoding, r.where(), notUTF8)
	}
	for _, what := range slices.Sorted(maps.Keys(a.columns.wanted)) {
		return faultOf(kindMissing, r.where(), "it is a string, and has no field %q, which --%s names", a.columns.name[what], flagOf(what))
	}
	r.columns = a.columns
	for range a.columns.echo {
		r.echo = append(r.echo, json.RawMessage("null"))
	}
	text, err := jsonString("text", raw)
	if err != nil {
		return faultOf(kindType, r.where(), "%w", err)
	}
	r.text.First = text
	return nil
}

// broken returns the error for an array that cannot be read further, because the start of its next element is not known.
func (a *array) broken(err error) error {
	if errors.Is(err, errTooLong) {
		return faulty(a.file, "element %d is longer than %d MiB", a.done+1, maxRecord>>20)
	}
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return faulty(a.file, "the array of %d elements has no end: is the file cut short?", a.done)
	case errors.As(err, &syntax):
		return faulty(a.file, "not JSON after element %d, at byte %d: %w", a.done, syntax.Offset, err)
	}
	return faulty(a.file, "it cannot be read after element %d: %w", a.done, err)
}

// twice finds a field that a JSON object has more than once, because the decoder would silently keep the last one. The object must be valid JSON.
func twice(object []byte) (name string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	_, err := d.Token() // the brace
	seen := map[string]bool{}
	for err == nil && d.More() {
		var key json.Token
		if key, err = d.Token(); err != nil {
			break
		}
		if name, _ = key.(string); seen[name] {
			return name, true
		}
		seen[name] = true
		var value json.RawMessage
		err = d.Decode(&value)
	}
	return "", false
}

func jsonString(name string, raw json.RawMessage) (s string, err error) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", fmt.Errorf("%q is %s, it must be a string", name, command.Shorten(string(raw), 40))
	}
	if half := loneSurrogate(raw); half != "" {
		return "", fmt.Errorf("%q has %s, half of a character that takes two such escapes", name, half)
	}
	return s, nil
}

// loneSurrogate returns the first escape of a valid JSON string that is only half of a surrogate pair and so stands for no character. It returns "" if
// there is no such escape.
func loneSurrogate(raw []byte) string {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		first := escaped(raw[i-1:])
		switch {
		case !utf16.IsSurrogate(first):
		case utf16.DecodeRune(first, escaped(raw[i+5:])) == utf8.RuneError:
			return string(raw[i-1 : i+5])
		default:
			i += 6 // the second half
		}
		i += 4
	}
	return ""
}

// escaped returns the UTF-16 unit of the escape at the start of b, such as \u00e9, or 0 if no escape is there.
func escaped(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
}

func fieldNames(fields map[string]json.RawMessage) string {
	var names []string
	for n := range fields {
		names = append(names, strconv.Quote(n))
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "none"
	}
	return command.Shorten(strings.Join(names, " "), 100)
}
