package program

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// record is one text of the input.
type record struct {
	file  string
	unit  unit // what line counts
	line  int  // from 1
	text  runtime.Text
	label string // the expected label, if hasLabel
	// hasLabel reports whether the input has one. One that is neither a name nor a number is kept as it is written: only --accuracy minds.
	hasLabel bool
	// extra holds the fields of extraFields that the input has, as JSON, by their names there. Only the tasks that need them read them.
	extra   map[string]json.RawMessage
	have    string   // the names of its fields, for messages; only where one of columns.needs is missing
	cells   bool     // they are cells of a table: a list is written as those of the command line are
	options []string // to choose from, when they are known
	noText  bool     // the input has no text, but some of those fields
	read    int64    // bytes of the input, as stored, that were read up to here; about, as it is read in blocks

	id   json.RawMessage   // the field that --id names; nil without the flag
	echo []json.RawMessage // the fields that --echo names, in its order; null for one that the record lacks

	columns *columns // names of the fields; nil: this input has none
	fault   error    // why the record cannot be computed; the input goes on after it
	number  int      // in the input, from 0
	place   int      // among the records that are computed together
}

// unit is what the records of an input are, for the places in messages.
type unit string

const (
	unitLine     unit = "line"
	unitElement  unit = "element" // of a JSON array
	unitRow      unit = "row"     // of an input that was converted, such as Parquet
	unitArgument unit = "argument"
)

// where is "file:line", or what stands for it.
func (r *record) where() string {
	switch r.unit {
	case unitLine:
		return r.file + ":" + strconv.Itoa(r.line)
	case unitArgument:
		return "argument " + strconv.Itoa(r.line)
	case "":
		return r.file
	}
	return fmt.Sprintf("%s: %s %d", r.file, r.unit, r.line)
}

// extraFields are what questions and models that are asked for labels have beside a text. A question stands in the text's place.
var extraFields = []string{"question", "context", "options", "labels"}

// columns are the names of the fields of a record.
type columns struct {
	// name maps what a field is (text, pair, label, id and extraFields) to its name in the input.
	name map[string]string
	// wanted are those that the command line names: they must be there.
	wanted map[string]bool
	echo   []string
	seen   []bool // of echo: some record has had the field

	asks    bool     // texts are questions: a record with a question needs no text
	subject string   // the field that messages ask for where a record has neither: "text" or "question"
	needs   []string // of extraFields: those that the task needs and no flag has
}

// defaultColumns are the fields' own names.
func defaultColumns() *columns {
	c := &columns{name: map[string]string{"text": "text", "pair": "pair", "label": "label"}, wanted: map[string]bool{}, subject: "text"}
	for _, name := range extraFields {
		c.name[name] = name
	}
	return c
}

// serve prepares for the task of a head: which fields its records have, and which of them messages name. given are the flags of the command line.
func (c *columns) serve(p *engine.Program, head string, given map[string]bool) {
	for i, h := range p.Heads {
		if h.Name != head && (head != "" || i > 0) {
			continue
		}
		row := tasktable.Of(h.Task)
		if row == nil {
			return // opening the model reports it
		}
		c.asks = row.Asks
		if c.asks && !given["question"] && !c.wanted["text"] {
			c.subject = "question"
		}
		if row.Wants != "" && !given[row.Wants] {
			c.needs = append(c.needs, row.Wants)
		}
	}
}

// all lists the names in the input, each once, sorted.
func (c *columns) all() []string {
	var names []string
	for _, name := range c.name {
		names = append(names, name)
	}
	names = append(names, c.echo...)
	slices.Sort(names)
	return slices.Compact(names)
}

// take fills the record from its fields as JSON, nil for one that is absent. The id comes first: a fault of another field is reported with it.
func (c *columns) take(r *record, field func(name string) json.RawMessage, have func() string) error {
	get := func(what string) (json.RawMessage, error) {
		raw := field(c.name[what])
		if raw == nil && c.wanted[what] {
			return nil, faultOf(kindMissing, r.where(), "there is no field %q, which --%s names (there are: %s)", c.name[what], flagOf(what), have())
		}
		if string(raw) == "null" {
			raw = nil
		}
		return raw, nil
	}
	for i, name := range c.echo {
		raw := field(name)
		c.seen[i] = c.seen[i] || raw != nil
		if raw == nil {
			raw = json.RawMessage("null")
		}
		r.echo = append(r.echo, raw)
	}
	var err error
	if c.name["id"] != "" {
		if r.id, err = get("id"); err != nil {
			return err
		}
		if r.id == nil {
			return faultOf(kindMissing, r.where(), "the field %q, which --id names, is null", c.name["id"])
		}
	}
	for _, what := range extraFields {
		raw, err := get(what)
		if err != nil {
			return err
		}
		if raw != nil {
			if r.extra == nil {
				r.extra = map[string]json.RawMessage{}
			}
			r.extra[what] = raw
		}
	}
	for _, what := range c.needs {
		if r.extra[what] == nil {
			r.have = have()
		}
	}
	raw := field(c.name["text"])
	switch {
	case raw == nil && c.asks && r.extra["question"] != nil && !c.wanted["text"]:
		r.noText = true
	case raw == nil:
		if r.unit == unitRow { // its other columns were left out when it was converted
			return faultOf(kindMissing, r.where(), "the row has no column %q; --%s names another", c.name[c.subject], flagOf(c.subject))
		}
		return faultOf(kindMissing, r.where(), "the object has no field %q (it has: %s); --%s names another", c.name[c.subject], have(), flagOf(c.subject))
	default:
		if r.text.First, err = jsonString(c.name["text"], raw); err != nil {
			return faultOf(kindType, r.where(), "%w", err)
		}
	}
	if raw, err = get("pair"); err != nil {
		return err
	}
	if raw != nil {
		r.text.Pair = true
		if r.text.Second, err = jsonString(c.name["pair"], raw); err != nil {
			return faultOf(kindType, r.where(), "%w", err)
		}
	}
	if raw, err = get("label"); err != nil {
		return err
	}
	if raw != nil {
		r.hasLabel = true
		if r.label, err = jsonString(c.name["label"], raw); err != nil {
			r.label = string(raw)
		}
	}
	return nil
}

// flagOf is the flag that names a field.
func flagOf(what string) string {
	if what == "id" {
		return what
	}
	return what + "-field"
}

// lacks is the fault of a record without a field that its task needs: there is no "missing".
func (r *record) lacks(missing, what string) error {
	if r.have == "" {
		return faultOf(kindMissing, r.where(), "%s: write --%s, or an --input with a field %q", missing, what, what)
	}
	if r.unit == unitRow {
		return faultOf(kindMissing, r.where(), "%s: the row has no column %q; --%s names another, --%s sets what is the same for all",
			missing, r.columns.name[what], flagOf(what), what)
	}
	return faultOf(kindMissing, r.where(), "%s: it has no field %q (it has: %s); --%s names another, --%s sets what is the same for all",
		missing, r.columns.name[what], r.have, flagOf(what), what)
}

// field is a field of text; ok is false if the record has none.
func (r *record) field(what string) (text string, ok bool, err error) {
	raw, ok := r.extra[what]
	if !ok {
		return "", false, nil
	}
	if text, err = jsonString(r.columns.name[what], raw); err != nil {
		err = faultOf(kindType, r.where(), "%w", err)
	}
	return text, true, err
}

// list is a field of several texts; nil if the record has none.
func (r *record) list(what string) ([]string, error) {
	raw, ok := r.extra[what]
	if !ok {
		return nil, nil
	}
	name := r.columns.name[what]
	if r.cells {
		cell, err := jsonString(name, raw)
		if err != nil {
			return nil, faultOf(kindType, r.where(), "%w", err)
		}
		list, err := List(cell)
		if err != nil {
			return nil, faultOf(kindType, r.where(), "%q is %q: %w", name, shorten(cell, 60), err)
		}
		return list, nil
	}
	var all []json.RawMessage
	err := json.Unmarshal(raw, &all)
	list := []string{}
	for _, one := range all {
		var text string
		if text, err = jsonString(name, one); err != nil {
			break
		}
		list = append(list, text)
	}
	if err != nil || raw[0] != '[' {
		return nil, faultOf(kindType, r.where(), "%q is %s, it must be an array of strings", name, shorten(string(raw), 40))
	}
	return list, nil
}

// bytes is about how much memory the record takes.
func (r *record) bytes() int {
	n := len(r.text.First) + len(r.text.Second) + len(r.id)
	for _, raw := range r.extra {
		n += len(raw)
	}
	for _, raw := range r.echo {
		n += len(raw)
	}
	return n
}
