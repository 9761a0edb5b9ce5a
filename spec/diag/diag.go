package diag

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Code names a kind of fault. The table Codes explains each code.
type Code string

// Severity tells whether a fault stops the compiler.
type Severity uint8

// The severities.
const (
	Error   Severity = iota // nothing is built
	Warning                 // the spec is compiled, but probably not as the user meant
)

// String returns the severity in words.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Note points at another place that belongs to the fault.
type Note struct {
	Span    Span
	Message string
}

// Diag is one fault of the user's input. Messages are in lower case and have no full stop.
type Diag struct {
	Code     Code
	Severity Severity
	Span     Span
	Message  string
	Notes    []Note
	Hint     string // something that the user can type; "" for no hint
}

// Errorf returns an error.
func Errorf(code Code, at Span, format string, args ...any) *Diag {
	return &Diag{Code: code, Span: at, Message: fmt.Sprintf(format, args...)}
}

// Warnf returns a warning.
func Warnf(code Code, at Span, format string, args ...any) *Diag {
	return &Diag{Code: code, Severity: Warning, Span: at, Message: fmt.Sprintf(format, args...)}
}

// Note adds a note and returns d.
func (d *Diag) Note(at Span, format string, args ...any) *Diag {
	d.Notes = append(d.Notes, Note{at, fmt.Sprintf(format, args...)})
	return d
}

// Hintf sets the hint and returns d.
func (d *Diag) Hintf(format string, args ...any) *Diag {
	d.Hint = fmt.Sprintf(format, args...)
	return d
}

// String returns the fault's first line: file:line:col: message [code].
func (d *Diag) String() string {
	var b strings.Builder
	if place := d.Span.String(); place != "" {
		b.WriteString(place + ": ")
	}
	if d.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(d.Message)
	if d.Code != "" {
		b.WriteString(" [" + string(d.Code) + "]")
	}
	return b.String()
}

// List holds all faults that a stage found.
type List []*Diag

// Sort sorts the list by position. Faults at the same place keep their order.
func (l List) Sort() {
	slices.SortStableFunc(l, func(a, b *Diag) int {
		return cmp.Or(cmp.Compare(a.Span.File, b.Span.File), cmp.Compare(a.Span.Line, b.Span.Line), cmp.Compare(a.Span.Col, b.Span.Col))
	})
}

// MaxFaults is the greatest number of faults that are shown. Later faults usually follow from earlier ones.
const MaxFaults = 200

// Limit sorts the list and cuts it after MaxFaults. It appends an entry with the number of faults that were cut.
func (l List) Limit() List {
	l.Sort()
	if len(l) <= MaxFaults {
		return l
	}
	rest := Errorf("too-large", l[MaxFaults].Span, "%d more faults are not shown", len(l)-MaxFaults)
	return append(l[:MaxFaults:MaxFaults], rest)
}

// HasErrors reports whether any fault is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d *Diag) bool { return d.Severity == Error })
}

// Err returns nil if the list has no error. Otherwise it returns an error with the first lines of all errors.
func (l List) Err() error {
	var lines []string
	for _, d := range l {
		if d.Severity == Error {
			lines = append(lines, d.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}
