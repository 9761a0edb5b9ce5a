package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/example"
)

// Role is what a field of a row is for.
type Role struct {
	Name string // also the name of the field, unless Options.Fields has another
	Help string // what the field holds

	take taker
}

// Roles returns the roles that fields can have.
func Roles() []Role { return slices.Clone(roles) }

// roles lists the roles. A role that refers to another, as the offsets of entities do to the text, stands after it.
var roles = []Role{
	{"id", "a name of the example, for messages and results", name(func(e *example.Example) *string { return &e.ID })},
	{"text", "the text", text(func(e *example.Example) *string { return &e.Text })},
	{"pair", "the second text of a pair", text(func(e *example.Example) *string { e.Pair = new(string); return e.Pair })},
	{"label", "the class, by its name or number; of options: the number of the right one, from 0", label},
	{"labels", "the list of the classes of a text that may have several, or none", func(_ *fields, e *example.Example, v value) error {
		all, err := list(v, value.name)
		e.Labels = &all
		return err
	}},
	{"score", "a number to predict", func(_ *fields, e *example.Example, v value) error {
		x, err := v.number()
		e.Score = &x
		return err
	}},
	{"group", "a name that examples which belong together share", name(func(e *example.Example) *string { return &e.Group })},
	{"words", "the list of the words of a text", texts(func(e *example.Example) *[]string { return &e.Words })},
	{"tags", "the list of the tags, one for each word", func(_ *fields, e *example.Example, v value) (err error) {
		e.Tags, err = list(v, value.name)
		return err
	}},
	{"entities", "the list of the entities: label, start, end", (*fields).entities},
	{"question", "the question", text(func(e *example.Example) *string { return &e.Question })},
	{"context", "the text that answers the question", text(func(e *example.Example) *string { return &e.Context })},
	{"answers", "the list of the right answers: text and answer_start, or strings", (*fields).answers},
	{"answered", "true where the right answers are known, even if no answer is right", func(_ *fields, e *example.Example, v value) error {
		known, err := v.truth()
		e.Answered = e.Answered || known
		return err
	}},
	{"options", "the list of the options to choose from", texts(func(e *example.Example) *[]string { return &e.Options })},
	{"candidate", "the answer that the text and its pair propose", text(func(e *example.Example) *string { return &e.Candidate })},
	{"query", "the query that documents are ranked for", text(func(e *example.Example) *string { return &e.Query })},
	{"documents", "the list of the documents of the query, or of answers to the text", texts(func(e *example.Example) *[]string { return &e.Documents })},
	{"scores", "the list of the scores of the documents; higher is better", func(_ *fields, e *example.Example, v value) (err error) {
		e.Scores, err = list(v, value.number)
		return err
	}},
	{"chosen", "the better one of two answers to the text", compared(0)},
	{"rejected", "the worse one of two answers to the text", compared(1)},
	{"positive", "a text that means what the text means", text(func(e *example.Example) *string { return &e.Positive })},
	{"negatives", "a text that does not, or a list of such texts", func(_ *fields, e *example.Example, v value) (err error) {
		if v = v.structure(); v.json == nil || v.json[0] == '"' {
			e.Negatives = make([]string, 1)
			e.Negatives[0], err = v.text()
			return err
		}
		e.Negatives, err = list(v, value.text)
		return err
	}},
	{"target", "the text that a model is to write after the text", text(func(e *example.Example) *string { return &e.Target })},
}

// taker sets a part of an example to a value.
type taker func(c *fields, e *example.Example, v value) error

// text returns a taker of a string.
func text(field func(*example.Example) *string) taker {
	return func(_ *fields, e *example.Example, v value) (err error) {
		*field(e), err = v.text()
		return err
	}
}

// name returns a taker of a string or a number.
func name(field func(*example.Example) *string) taker {
	return func(_ *fields, e *example.Example, v value) (err error) {
		*field(e), err = v.name()
		return err
	}
}

// texts returns a taker of a list of strings.
func texts(field func(*example.Example) *[]string) taker {
	return func(_ *fields, e *example.Example, v value) (err error) {
		*field(e), err = list(v, value.text)
		return err
	}
}

// label takes a class.
func label(_ *fields, e *example.Example, v value) (err error) {
	if e.Label, err = v.name(); err == nil && e.Label == "" {
		return errors.New("it is empty, it must be the name or number of a class")
	}
	return err
}

// compared returns a taker of one of two answers, the better one first.
func compared(place int) taker {
	return func(_ *fields, e *example.Example, v value) (err error) {
		if place == 0 {
			e.Documents = make([]string, 2)
		}
		e.Documents[place], err = v.text()
		return err
	}
}

// roleSet is a set of roles by their place in the table.
type roleSet uint64

func (r roleSet) has(i int) bool { return r>>i&1 != 0 }

// roleIndex returns the place of a role in the table, or -1.
func roleIndex(name string) int {
	return slices.IndexFunc(roles, func(r Role) bool { return r.Name == name })
}

// hasRole reports for a role whether an example has it. Roles that are not in the table belong to rows with fields only.
var hasRole = map[string]func(e *example.Example) bool{
	"id":       func(e *example.Example) bool { return e.ID != "" },
	"text":     func(e *example.Example) bool { return e.Words == nil && e.Context == "" },
	"pair":     func(e *example.Example) bool { return e.Pair != nil },
	"label":    func(e *example.Example) bool { return e.Label != "" },
	"score":    func(e *example.Example) bool { return e.Score != nil },
	"group":    func(e *example.Example) bool { return e.Group != "" },
	"words":    func(e *example.Example) bool { return e.Words != nil },
	"tags":     func(e *example.Example) bool { return e.Tags != nil },
	"entities": func(e *example.Example) bool { return e.Entities != nil },
	"question": func(e *example.Example) bool { return e.Question != "" },
	"context":  func(e *example.Example) bool { return e.Context != "" },
	"answers":  func(e *example.Example) bool { return e.Answered },
	"options":  func(e *example.Example) bool { return e.Options != nil },
}

// in reports whether an example has one of the roles.
func (r roleSet) in(e *example.Example) bool {
	for i, role := range roles {
		if has := hasRole[role.Name]; r.has(i) && has != nil && has(e) {
			return true
		}
	}
	return false
}

// String returns the names of the roles.
func (r roleSet) String() string {
	var names []string
	for i, role := range roles {
		if r.has(i) {
			names = append(names, role.Name)
		}
	}
	return strings.Join(names, " or ")
}

// roleNames returns the names of all roles.
func roleNames() (names []string) {
	for _, r := range roles {
		names = append(names, r.Name)
	}
	return names
}

// rolesOf returns the set of roles by their names.
func rolesOf(names ...string) (s roleSet) {
	for _, n := range names {
		s |= 1 << roleIndex(n)
	}
	return s
}

// fields makes examples of rows whose fields have roles.
type fields struct {
	rows       rows
	names      []string  // of the fields that are read; "" for a role that is not read
	given      roleSet   // roles whose fields the options name: these must be there
	need       []roleSet // every example must have a role of each set
	characters bool      // offsets count characters
}

// newFields returns the fields that the options name.
func newFields(o *Options) *fields {
	c := &fields{characters: o.Characters, need: o.needs()}
	for i, r := range roles {
		name, given := o.Fields[r.Name]
		switch {
		case given:
			c.given |= 1 << i
		case o.Read == nil || slices.Contains(o.Read, r.Name):
			name = r.Name
		}
		c.names = append(c.names, name)
	}
	return c
}

// Roles that are asked for together.
var (
	content  = rolesOf("text", "words", "question", "query", "documents", "chosen") // an example must have at least one of them
	compares = rolesOf("chosen", "rejected")
	ranked   = rolesOf("documents")
)

// lacking returns an error if a row with these fields cannot be used. have returns the names of its fields.
func (c *fields) lacking(has roleSet, have func() string) error {
	for i, name := range c.names {
		if c.given.has(i) && !has.has(i) {
			return fmt.Errorf("there is no field %q, which --field %s names (there are: %s)", name, roles[i].Name, have())
		}
	}
	for _, set := range c.need {
		if has&set == 0 {
			return c.without(set, have)
		}
	}
	if has&content == 0 {
		set := rolesOf("text")
		if c.names[textRole] == "" { // the task reads other texts, such as questions
			set = c.wanted(content)
		}
		return c.without(set, have)
	}
	switch both := has & compares; {
	case both != 0 && both != compares:
		return fmt.Errorf("there is only one of a chosen and a rejected answer (there are: %s)", have())
	case both != 0 && has&ranked != 0:
		return fmt.Errorf("there are documents, and a chosen and a rejected answer: leave one of them out (there are: %s)", have())
	}
	return nil
}

// wanted returns the roles of a set that are read, or the whole set if none is.
func (c *fields) wanted(set roleSet) (some roleSet) {
	for i, name := range c.names {
		if name != "" && set.has(i) {
			some |= 1 << i
		}
	}
	return cmp.Or(some, set)
}

// without returns the error for a row that has none of the roles of a set.
func (c *fields) without(set roleSet, have func() string) error {
	var names []string
	role := ""
	for i := range roles {
		if !set.has(i) {
			continue
		}
		name := c.names[i]
		if name == "" {
			name = roles[i].Name
		}
		names = append(names, strconv.Quote(name))
		if role == "" {
			role = roles[i].Name
		}
	}
	return fmt.Errorf("there is no field %s (there are: %s): --field %s=NAME names another", strings.Join(names, " or "), have(), role)
}

// make makes an example of a row. The error is the reason why it cannot be used.
func (c *fields) make(r *row) (*example.Example, error) {
	var has roleSet
	for i := range c.names {
		if r.values[i].has || i == textRole && r.values[i].empty {
			has |= 1 << i
		}
	}
	if err := c.lacking(has, r.names); err != nil {
		return nil, err
	}
	e := &example.Example{At: r.number}
	for i := range c.names {
		if !has.has(i) {
			continue
		}
		if err := roles[i].take(c, e, r.values[i]); err != nil {
			return nil, fmt.Errorf("field %q: %w", c.names[i], err)
		}
	}
	return e, check(e)
}

// textRole is the role whose field may be an empty cell of a table.
var textRole = roleIndex("text")

// read appends the example of the next row.
func (c *fields) read(q []result) ([]result, error) {
	r, err := c.rows.next()
	if err != nil {
		return q, err
	}
	if r.fault != "" {
		return append(q, r.faulty(r.fault)), nil
	}
	e, err := c.make(r)
	if err != nil {
		return append(q, r.faulty(err.Error())), nil
	}
	return append(q, result{example: e}), nil
}

// check returns an error if the parts of an example do not fit together.
func check(e *example.Example) error {
	switch {
	case e.Tags != nil && e.Words == nil:
		return fmt.Errorf("there are tags, but no words")
	case e.Tags != nil && len(e.Tags) != len(e.Words):
		return fmt.Errorf("there are %d words and %d tags: there must be one tag for each word", len(e.Words), len(e.Tags))
	case e.Scores != nil && len(e.Scores) != len(e.Documents):
		return fmt.Errorf("there are %d documents and %d scores: there must be one score for each document", len(e.Documents), len(e.Scores))
	case e.Words != nil && e.Text != "":
		return fmt.Errorf("there are both a text and words: leave one of them out")
	}
	return nil
}

// needs returns the sets of roles that o asks for.
func (o *Options) needs() (sets []roleSet) {
	for _, n := range o.Need {
		sets = append(sets, rolesOf(strings.Split(n, "|")...))
	}
	return sets
}

// check returns an error for options that fit no file.
func (o *Options) check() error {
	f := formatOf(o.Format)
	switch {
	case o.Task != "" && TaskOf(o.Task) == nil:
		return fault.Usage("", "--dataset %s: it must be one of %s", o.Task, strings.Join(TaskNames(), ", "))
	case o.Task != "" && (o.Format != "" || len(o.Fields) > 0):
		return fault.Usage("", "--dataset %s knows the format and the fields of its files: leave out --format and --field", o.Task)
	case o.Task == "" && o.Split != "":
		return fault.Usage("", "--split %s belongs to --dataset: without it name the file of the split", o.Split)
	case o.Format != "" && f == nil:
		return fault.Usage("", "--format %s: it must be one of %s", o.Format, strings.Join(FormatNames(), ", "))
	case f != nil && f.fixed != "" && len(o.Fields) > 0:
		return fault.Usage("", "--format %s: such files have no other names of fields, so leave out --field", o.Format)
	}
	for i, scheme := range []string{o.Scheme, o.WantScheme} {
		if scheme != "" && !slices.Contains(SchemeNames(), scheme) {
			return fault.Usage("", "--%s %s: it must be one of %s", []string{"scheme", "want-scheme"}[i], scheme, strings.Join(SchemeNames(), ", "))
		}
	}
	for role, name := range o.Fields {
		if roleIndex(role) < 0 {
			return fault.Usage("", "--field %s=%s: there is no such role, it must be one of %s", role, name, strings.Join(roleNames(), ", "))
		}
		if name == "" {
			return fault.Usage("", "--field %s= is empty: it must be the name of a field", role)
		}
	}
	for _, n := range append(slices.Clone(o.Need), o.Read...) {
		for role := range strings.SplitSeq(n, "|") {
			if roleIndex(role) < 0 {
				return fault.Usage("", "there is no role %q of a field", role)
			}
		}
	}
	return nil
}
