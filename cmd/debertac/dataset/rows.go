package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/command"
)

// notUTF8 is the message about text in another encoding.
const notUTF8 = "it is not valid UTF-8: convert it first, with iconv for instance"

// row is a row of a file whose rows have fields.
type row struct {
	file, unit string
	number     int64
	values     []value       // of the fields that the caller wants, in that order
	names      func() string // the names of all its fields, for messages
	fault      string        // why it cannot be read; "": it can
}

// faulty returns the fault of the row.
func (r *row) faulty(reason string) result {
	return result{fault: &RowError{File: r.file, Unit: r.unit, Number: r.number, Reason: reason}}
}

// rows reads the rows of a file. A row is valid until the next call. At the end next returns io.EOF.
type rows interface {
	next() (*row, error)
}

// wanted finds the fields that are wanted by their names.
type wanted struct {
	places map[string][]int
	n      int
}

func newWanted(names []string) *wanted {
	w := &wanted{places: map[string][]int{}, n: len(names)}
	for i, name := range names {
		if name != "" {
			w.places[name] = append(w.places[name], i)
		}
	}
	return w
}

// object reads the fields of a JSON object.
type object struct {
	*wanted
	row  row
	set  []int           // the places of the values that the row has set
	seen [][]byte        // the names of the fields
	many map[string]bool // the same, if there are many
	hint string          // the end of the message that a row is not an object
	// plain is the place of the value that a row sets which is a string and not an object; -1: such a row is a fault.
	plain int
}

func newObject(file, unit string, names []string, hint string) *object {
	o := &object{wanted: newWanted(names), hint: hint, plain: -1}
	o.row = row{file: file, unit: unit, values: make([]value, len(names)), names: o.all}
	return o
}

// parse reads the fields of a row, which is valid until the bytes of raw change.
func (o *object) parse(raw []byte, number int64) *row {
	o.row.number, o.row.fault, o.seen, o.many = number, "", o.seen[:0], nil
	for _, i := range o.set {
		o.row.values[i] = value{}
	}
	o.set = o.set[:0]
	o.row.fault = o.fields(raw)
	return &o.row
}

// tooLong returns a row that is longer than it may be.
func (o *object) tooLong(number int64) *row {
	o.row.number, o.row.fault = number, "it is longer than "+strconv.Itoa(maxRow>>20)+" MiB"
	return &o.row
}

// fields reads the fields, and returns what is wrong with them.
func (o *object) fields(raw []byte) string {
	if !utf8.Valid(raw) {
		return notUTF8
	}
	s := scanner{b: raw}
	if s.space(); o.plain >= 0 && s.i < len(raw) && raw[s.i] == '"' {
		v, err := s.value(0)
		if err != nil {
			return fmt.Sprintf("it is not JSON: %v", err)
		}
		o.row.values[o.plain] = jsonValue(v)
		o.set = append(o.set, o.plain)
		return ""
	}
	if s.i < len(raw) && raw[s.i] != '{' {
		return fmt.Sprintf(`it is %s, it must be a JSON object such as {"text": "…"}%s`, command.Shorten(string(raw[s.i:min(len(raw), s.i+200)]), 40), o.hint)
	}
	twice := ""
	err := s.object(0, func(name, v []byte) {
		if name = name[1 : len(name)-1]; bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(nameOf(append(append([]byte{'"'}, name...), '"')))
		}
		if o.again(name) {
			twice = string(name)
		}
		for _, i := range o.places[string(name)] {
			o.row.values[i] = jsonValue(v)
			o.set = append(o.set, i)
		}
	})
	if s.space(); err == nil && s.i < len(raw) {
		err = s.fault(fmt.Sprintf("there is %s after the object", s.next()))
	}
	switch {
	case err != nil:
		return fmt.Sprintf("it is not JSON: %v%s", err, o.hint)
	case len(o.seen) > maxFields:
		return fmt.Sprintf("it has more than %d fields", maxFields)
	case twice != "":
		return fmt.Sprintf("the field %q stands twice", twice)
	case s.twice != "":
		return fmt.Sprintf("the field %q stands twice in an object", s.twice)
	}
	return ""
}

// maxFields bounds the fields of a row.
const maxFields = 10_000

// fewFields is the number of fields up to which comparing names one by one is faster than a map.
const fewFields = 16

// again reports whether the object has had a field before.
func (o *object) again(name []byte) bool {
	if len(o.seen) > maxFields {
		return false
	}
	if len(o.seen) < fewFields {
		for _, s := range o.seen {
			if bytes.Equal(s, name) {
				return true
			}
		}
		o.seen = append(o.seen, name)
		return false
	}
	if o.many == nil {
		o.many = map[string]bool{}
		for _, s := range o.seen {
			o.many[string(s)] = true
		}
	}
	if o.many[string(name)] {
		return true
	}
	o.many[string(name)] = true
	o.seen = append(o.seen, name)
	return false
}

// all returns the names of the fields of the row.
func (o *object) all() string {
	var names []string
	for _, s := range o.seen {
		names = append(names, string(s))
	}
	return nameList(names)
}

// nameList joins the names of fields for messages.
func nameList(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return command.Shorten(strings.Join(names, ", "), 200)
}

// objectLines reads one JSON object per line. Blank lines hold no row.
type objectLines struct {
	w *window
	o *object
}

func (l *objectLines) next() (*row, error) {
	for {
		line, number, err := l.w.line()
		switch {
		case errors.Is(err, errTooLong):
			return l.o.tooLong(number), nil
		case err != nil:
			return nil, err
		case len(bytes.TrimSpace(line)) > 0:
			return l.o.parse(line, number), nil
		}
	}
}
