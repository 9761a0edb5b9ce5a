package dataset

import (
	"errors"
	"fmt"
	"io"

	"github.com/debertac/debertac/cmd/debertac/fault"
)

// extent finds where JSON values end in a file, without keeping values that are too long. It does not check the values.
type extent struct{ w *window }

// value returns the value that begins at the next byte, which is not white space. A value that is longer than maxRow is read to its end and is errTooLong.
func (x extent) value() ([]byte, error) {
	var depth, n int
	var quoted, escaped, dropped bool
	scalar := true
	for {
		rest := x.w.rest()
		for ; n < len(rest); n++ {
			c := rest[n]
			switch {
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted, scalar = !quoted, false
			case quoted:
				continue
			case c == '{' || c == '[':
				depth, scalar = depth+1, false
			case c == '}' || c == ']':
				if depth == 0 { // it belongs to what is around the value
					return x.done(n, dropped)
				}
				depth--
			case scalar && depth == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r'):
				return x.done(n, dropped)
			default:
				continue
			}
			if depth == 0 && !quoted && !scalar {
				return x.done(n+1, dropped)
			}
		}
		if n > maxRow {
			dropped = true
			x.w.take(n)
			n = 0
		}
		if err := x.w.fill(); errors.Is(err, io.EOF) {
			if scalar && depth == 0 && n > 0 {
				return x.done(n, dropped)
			}
			return nil, errCut
		} else if err != nil {
			return nil, err
		}
	}
}

// done takes a value of n bytes.
func (x extent) done(n int, dropped bool) ([]byte, error) {
	value := x.w.rest()[:n]
	x.w.take(n)
	if dropped || n > maxRow {
		return nil, errTooLong
	}
	return value, nil
}

// errCut is the error of a file that ends inside a JSON value.
var errCut = errors.New("it ends inside a JSON value: is the file cut short?")

// elementList reads the elements of a JSON array that has a file for itself, or that is the field "data" of an object.
type elementList struct {
	x      extent
	o      *object
	inside bool // the array is the field of an object
	begun  bool
	done   int64
}

// next returns the next element as a row.
func (l *elementList) next() (*row, error) {
	raw, err := l.element()
	switch {
	case errors.Is(err, errTooLong):
		return l.o.tooLong(l.done), nil
	case err != nil:
		return nil, err
	}
	return l.o.parse(raw, l.done), nil
}

// element returns the next element.
func (l *elementList) element() ([]byte, error) {
	if !l.begun {
		if err := l.begin(); err != nil {
			return nil, l.broken(err)
		}
	}
	c, err := l.x.w.space()
	if err != nil {
		return nil, l.broken(err)
	}
	switch {
	case c == ']':
		l.x.w.take(1)
		return nil, l.end()
	case l.done > 0 && c != ',':
		return nil, l.broken(fmt.Errorf(`a "," or "]" is expected, and %q is there`, c))
	case l.done > 0:
		l.x.w.take(1)
		if _, err = l.x.w.space(); err != nil {
			return nil, l.broken(err)
		}
	}
	raw, err := l.x.value()
	if err == nil && len(raw) == 0 {
		err = errors.New("an element is expected")
	}
	l.done++
	if err != nil && !errors.Is(err, errTooLong) {
		l.done--
		return nil, l.broken(err)
	}
	return raw, err
}

// begin reads up to the first element.
func (l *elementList) begin() error {
	l.begun = true
	c, err := l.x.w.space()
	if err != nil {
		return err
	}
	l.x.w.take(1)
	if c == '[' {
		return nil
	}
	if c != '{' {
		return fault.Input(l.o.row.file, `it must be a JSON array of objects, or an object with a field "data" that is one: it begins with %q`, c)
	}
	l.inside = true
	return l.fields()
}

// fields reads the fields of an object up to the elements of the field "data".
func (l *elementList) fields() error {
	for first := true; ; first = false {
		c, err := l.x.w.space()
		switch {
		case err != nil:
			return err
		case c == '}':
			return fault.Input(l.o.row.file, `the object has no field "data" with a list of rows`)
		case !first && c != ',':
			return fmt.Errorf(`a "," or "}" is expected, and %q is there`, c)
		case !first:
			l.x.w.take(1)
			if c, err = l.x.w.space(); err != nil {
				return err
			}
		}
		if c != '"' {
			return fmt.Errorf("a name in quotes is expected, and %q is there", c)
		}
		name, err := l.x.value()
		if err != nil {
			return err
		}
		data := string(name) == `"data"`
		if c, err = l.x.w.space(); err != nil {
			return err
		}
		if c != ':' {
			return fmt.Errorf(`a ":" is expected, and %q is there`, c)
		}
		l.x.w.take(1)
		if c, err = l.x.w.space(); err != nil {
			return err
		}
		if data && c == '[' {
			l.x.w.take(1)
			return nil
		}
		if _, err := l.x.value(); err != nil && !errors.Is(err, errTooLong) {
			return err
		}
	}
}

// end checks what follows the array, and returns io.EOF.
func (l *elementList) end() error {
	if l.inside { // further fields of the object
		for named := false; ; {
			c, err := l.x.w.space()
			if err != nil {
				return l.broken(err)
			}
			if c == '}' {
				l.x.w.take(1)
				break
			}
			if c == ',' || c == ':' {
				l.x.w.take(1)
				named = c == ','
				continue
			}
			switch raw, err := l.x.value(); {
			case err != nil && !errors.Is(err, errTooLong):
				return l.broken(err)
			case err == nil && len(raw) == 0:
				return l.broken(fmt.Errorf("%q is there", c))
			case named && string(raw) == `"data"`:
				return fault.Input(l.o.row.file, `the field "data" stands twice, in line %d too`, l.x.w.lines+1)
			}
		}
	}
	c, err := l.x.w.space()
	if err == nil {
		return fault.Input(l.o.row.file, "something follows the end of the list, in line %d: %q", l.x.w.lines+1, c)
	}
	return err
}

// broken returns the error for a file that cannot be read further, because the start of the next element is not known.
func (l *elementList) broken(err error) error {
	var input *fault.Error
	switch {
	case errors.As(err, &input):
		return err
	case errors.Is(err, io.EOF):
		err = errCut
	case errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return fault.Input(l.o.row.file, "it is not JSON after element %d, in line %d: %v", l.done, l.x.w.lines+1, err)
}
