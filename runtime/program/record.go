package program

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// record is one text of the input.
type record struct {
	file  string
	unit  unit // the unit in which line counts
	line  int  // from 1
	text  runtime.Text
	label string // the expected label, if hasLabel
	// hasLabel is set if the input has a label. A label that is neither a name nor a number is kept as it is written; only --accuracy refuses it.
	hasLabel bool
	// extra holds the fields of extraFields that the input has, as JSON, by their names in extraFields. Only the tasks that need them read them.
	extra   map[string]json.RawMessage
	have    string   // the names of its fields, for messages; set only if one of columns.needs is missing
	cells   bool     // the fields are cells of a table, in which a list is written as on the command line
	options []string // the options to choose from, once prepare has set them
	own     any      // what the prepare of a service has made of the record; only that service knows its type
	noText  bool     // the record has no text, but some of extraFields
	unread  []string // fields that no record before it had and that the task does not read; only for tasks that read settings of a record
	read    int64    // bytes of the input, as stored, that were read up to this record; approximate, because the input is read in blocks

	id   json.RawMessage   // the field that --id names; nil without the flag
	echo []json.RawMessage // the fields that --echo names, in its order; null for one that the record lacks

	columns *columns // names of the fields; nil: this input has none
	fault   error    // why the record cannot be computed; the input goes on after it
	number  int      // number of the record in the input, from 0
	place   int      // index among the records that are computed together
}

// unit names the records of an input, for the places in messages.
type unit string

const (
	unitLine     unit = "line"
	unitElement  unit = "element" // an element of a JSON array
	unitRow      unit = "row"     // a row of an input that was converted, such as Parquet
	unitArgument unit = "argument"
)

// where returns the place of the record for messages: "file:line", or its number as an element, row or argument.
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

// extraFields lists the fields, beside a text, of questions and of models that take labels. A question may stand in place of the text.
var extraFields = []string{"question", "context", "options", "labels"}

// columns holds the names of the fields of a record.
type columns struct {
	// name maps the role of a field (text, pair, label, id and extraFields) to its name in the input.
	name map[string]string
	// wanted holds the roles whose fields the command line names. These fields must be there.
	wanted map[string]bool
	echo   []string
	seen   []bool // for each field of echo: some record has had it

	asks    bool     // texts are questions, so a record with a question needs no text
	subject string   // the field that messages ask for if a record has neither text nor question: "text" or "question"
	needs   []string // the extraFields that the task needs and no flag sets
	more    []string // further fields that the task reads, under their own names

	known map[string]bool // for each name of a field that a record had: the task reads it
}

// defaultColumns returns columns in which each field is named by its role.
func defaultColumns() *columns {
	c := &columns{name: map[string]string{"text": "text", "pair": "pair", "label": "label"}, wanted: map[string]bool{}, subject: "text"}
	for _, name := range extraFields {
		c.name[name] = name
	}
	return c
}

// serve sets the fields that the task of a head needs, and those that messages name. given holds the flags of the command line.
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
		if row.Wants != "" && !given[row.Wants] && !slices.Contains(row.Fields, row.Wants) { // a field of Fields is named by the task's own messages
			c.needs = append(c.needs, row.Wants)
		}
		c.more = row.Fields
	}
}

// all returns the names of the fields in the input, sorted, without duplicates.
func (c *columns) all() []string {
	var names []string
	for _, name := range c.name {
		names = append(names, name)
	}
	names = slices.Concat(names, c.echo, c.more)
	slices.Sort(names)
	return slices.Compact(names)
}

// take fills in the record. field returns a field as JSON, or nil if it is absent. take reads the id first, because messages about other fields
// report it.
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
	c.takeMore(r, field)
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
		if r.unit == unitRow { // the other columns of the row were left out when the input was converted
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

// unread returns those of names that the task does not read, sorted, each in one call only; nothing for tasks that read no settings of a record, where the
// name of a field cannot be a setting that is spelled wrong.
func (c *columns) unread(names iter.Seq[string]) []string {
	if len(c.more) == 0 {
		return nil
	}
	if c.known == nil {
		c.known = map[string]bool{}
		for _, name := range c.all() {
			c.known[name] = true
		}
	}
	var list []string
	for name := range names {
		if _, ok := c.known[name]; !ok {
			c.known[name] = false
			list = append(list, strconv.Quote(name))
		}
	}
	slices.Sort(list)
	return list
}

// takeMore fills in the fields that the task reads under their own names.
func (c *columns) takeMore(r *record, field func(name string) json.RawMessage) {
	for _, what := range c.more {
		raw := field(what)
		if raw == nil || string(raw) == "null" || r.cells && blank(raw) {
			continue
		}
		if r.extra == nil {
			r.extra = map[string]json.RawMessage{}
		}
		r.extra[what] = raw
	}
}

// blank reports whether a cell of a table, as JSON, holds nothing but blanks.
func blank(raw json.RawMessage) bool {
	var cell string
	return json.Unmarshal(raw, &cell) == nil && strings.TrimSpace(cell) == ""
}

// unpacked returns the JSON that a field holds. A string that holds an array or an object stands for it, because tables and many other files have no other way
// to hold one; in a table, a cell holds any value.
func (r *record) unpacked(raw json.RawMessage) json.RawMessage {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return raw
	}
	if trimmed := strings.TrimSpace(text); r.cells || strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		return json.RawMessage(trimmed)
	}
	return raw
}

// flagOf returns the name of the flag that names a field.
func flagOf(what string) string {
	if what == "id" {
		return what
	}
	return what + "-field"
}

// lacks returns the fault of a record without the field what, which its task needs. missing is the start of the message: what there is not.
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

// field returns a field of text; ok is false if the record does not have it.
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

// list returns a field of several texts, or nil if the record does not have it.
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
			return nil, faultOf(kindType, r.where(), "%q is %q: %w", name, command.Shorten(cell, 60), err)
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
		return nil, faultOf(kindType, r.where(), "%q is %s, it must be an array of strings", name, command.Shorten(string(raw), 40))
	}
	return list, nil
}

// bytes returns about how much memory the record takes.
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
