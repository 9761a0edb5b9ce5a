package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/task"
)

// kind is the kind of a record's fault, as --on-error counts them.
type kind string

const (
	kindOther    kind = "not usable" // refused by the task, such as a text without a mask, or a pair if single texts are wanted
	kindLong     kind = "too long"
	kindEncoding kind = "not UTF-8"
	kindSyntax   kind = "malformed"
	kindMissing  kind = "field missing"
	kindType     kind = "wrong type"
)

// kinds lists the kinds in the order in which messages count them.
var kinds = []kind{kindLong, kindEncoding, kindSyntax, kindMissing, kindType, kindOther}

// The values of --on-error, for a record that cannot be computed.
const (
	errorStop   = "stop"   // the record ends the run
	errorSkip   = "skip"   // the record is left out and counted
	errorReport = "report" // the record's error is printed in place of its result
)

// leftOut counts the records that have no result.
type leftOut struct {
	mode  string
	total int
	count map[kind]int
	first error
}

func newLeftOut(mode string) *leftOut { return &leftOut{mode: mode, count: map[kind]int{}} }

// stops reports whether a record's fault ends the run.
func (l *leftOut) stops() bool { return l.mode == errorStop }

// refusal is the JSON of a record that has no result.
type refusal struct {
	Error    string `json:"error"`
	Kind     kind   `json:"kind"`
	Line     int    `json:"line,omitempty"`
	Element  int    `json:"element,omitempty"`
	Row      int    `json:"row,omitempty"`
	Argument int    `json:"argument,omitempty"`
}

// refuse handles a record that cannot be computed, as --on-error asks. It returns the errors that end the run: those that the record did not cause, and with
// stop all errors.
func (l *job) refuse(r *record, err error) error {
	var fault *inputError
	if l.left.stops() || !errors.As(err, &fault) || errors.Is(err, task.ErrNoNumbers) {
		return err
	}
	l.left.total++
	l.left.count[fault.kind]++
	if l.left.first == nil {
		l.left.first = err
	}
	if l.left.mode != errorReport || l.examples >= 0 && l.texts >= l.examples {
		return nil
	}
	if !l.asJSON {
		l.page.passed(r)
		fmt.Fprintf(l.page, "error: %s\n", printable(fault.Error()))
		return nil
	}
	row := refusal{Error: fault.text, Kind: fault.kind}
	switch r.unit {
	case unitElement:
		row.Element = r.line
	case unitRow:
		row.Row = r.line
	case unitArgument:
		row.Argument = r.line
	default:
		row.Line = r.line
	}
	text, err := command.JSONLine(row)
	if err != nil {
		return err
	}
	return l.page.object(r, text)
}

// end returns the error of the whole run. This is err if it is not nil, else an error if records have no result, or if no record has a field of --echo.
func (l *leftOut) end(s *session, texts int, err error, in *input) error {
	var counted error
	if l.total > 0 {
		var parts []string
		for _, k := range kinds {
			if n := l.count[k]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, k))
			}
		}
		what := "is left out"
		if l.total > 1 {
			what = "are left out"
		}
		if l.mode == errorReport {
			what = strings.Replace(strings.Replace(what, "is left out", "has an error in place of a result", 1), "are left out",
				"have an error in place of a result", 1)
		}
		counted = &inputError{text: fmt.Sprintf("%d of %s %s: %s; the first: %v", l.total, command.Plural(texts+l.total, "text"), what,
			strings.Join(parts, ", "), l.first)}
	}
	if err != nil {
		if counted != nil {
			fmt.Fprintf(s.Err, "%s: %v\n", s.name, counted)
		}
		return err
	}
	if counted != nil {
		return counted
	}
	if c := in.columns; c != nil && texts > 0 {
		for i, name := range c.echo {
			if !c.seen[i] {
				return faulty(in.name, "no object has a field %q, which --echo names", name)
			}
		}
	}
	return nil
}

// object prints a result's JSON line, with the record's id and the fields of --echo before the others.
func (p *page) object(r *record, line []byte) error {
	if r.id == nil && r.echo == nil {
		_, err := p.Write(line)
		return err
	}
	var front []string
	if r.id != nil {
		front = append(front, `"id":`+string(r.id))
	}
	if r.echo != nil {
		var fields []string
		for i, name := range r.columns.echo {
			quoted, err := json.Marshal(name)
			if err != nil {
				return err
			}
			fields = append(fields, string(quoted)+":"+string(r.echo[i]))
		}
		front = append(front, `"echo":{`+strings.Join(fields, ",")+"}")
	}
	rest := strings.TrimPrefix(string(line), "{")
	if !strings.HasPrefix(rest, "}") {
		front = append(front, "")
	}
	_, err := p.WriteString("{" + strings.Join(front, ",") + rest)
	return err
}

// passed prints the record's id and the fields of --echo for people, on a line before the result.
func (p *page) passed(r *record) {
	var parts []string
	if r.id != nil {
		parts = append(parts, "id="+plainText(r.id))
	}
	if r.echo != nil {
		for i, name := range r.columns.echo {
			parts = append(parts, printable(name)+"="+plainText(r.echo[i]))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintln(p, strings.Join(parts, "  "))
	}
}

// plainText returns a JSON value as people read it: a string without its quotes.
func plainText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	return printable(command.Shorten(s, excerptSize))
}
