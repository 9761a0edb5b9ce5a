package dataset

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/example"
)

// Task is a task of GLUE (Wang et al. 2018) or SuperGLUE (Wang et al. 2019).
type Task struct {
	Name    string
	Folder  string   // the name of its folder in the original distribution
	Classes []string // in the order of their numbers; nil: there are no classes
	Form    string   // how a row becomes an example, in words, for the docs

	texts  [][2]string // the names of the fields of the texts, in the layouts that there are; the second is "" if there is one text
	header []string    // the columns of a table without a header
	fields []string    // further fields that make reads
	// make reads a row that is more than texts and a label.
	make func(t *Task, v map[string]value, r *row) ([]*example.Example, error)
}

var (
	entailment = []string{"entailment", "neutral", "contradiction"}
	twoWay     = []string{"entailment", "not_entailment"}
	truth      = []string{"False", "True"}
	premise    = [2]string{"premise", "hypothesis"}
	sentences  = [2]string{"sentence1", "sentence2"}
)

const (
	formSentence = "`text` is the sentence"
	formPair     = "`text` and `pair` are the two sentences"
	formPremise  = "`text` is the premise, `pair` the hypothesis"
)

// tasks lists the tasks. The classes have the names and the order that they have on the hub.
var tasks = []Task{
	{Name: "cola", Folder: "CoLA", Classes: []string{"unacceptable", "acceptable"}, Form: formSentence, texts: [][2]string{{"sentence"}},
		header: []string{"source", "label", "note", "sentence"}},
	{Name: "sst2", Folder: "SST-2", Classes: []string{"negative", "positive"}, Form: formSentence, texts: [][2]string{{"sentence"}}},
	{Name: "mrpc", Folder: "MRPC", Classes: []string{"not_equivalent", "equivalent"}, Form: formPair,
		texts: [][2]string{sentences, {"#1 String", "#2 String"}}},
	{Name: "stsb", Folder: "STS-B", Form: formPair + ", `score` their similarity from 0 to 5", texts: [][2]string{sentences}},
	{Name: "qqp", Folder: "QQP", Classes: []string{"not_duplicate", "duplicate"}, Form: "`text` and `pair` are the two questions",
		texts: [][2]string{{"question1", "question2"}}},
	{Name: "mnli", Folder: "MNLI", Classes: entailment, Form: formPremise, texts: [][2]string{premise, sentences}},
	{Name: "qnli", Folder: "QNLI", Classes: twoWay, Form: "`text` is the question, `pair` the sentence", texts: [][2]string{{"question", "sentence"}}},
	{Name: "rte", Folder: "RTE", Classes: twoWay, Form: formPremise, texts: [][2]string{premise, sentences}},
	{Name: "wnli", Folder: "WNLI", Classes: []string{"not_entailment", "entailment"}, Form: formPair, texts: [][2]string{sentences}},
	{Name: "ax", Folder: "AX", Classes: entailment, Form: formPremise, texts: [][2]string{premise, sentences}},

	{Name: "boolq", Folder: "BoolQ", Classes: truth, Form: "`text` is the question, `pair` the passage", texts: [][2]string{{"question", "passage"}}},
	{Name: "cb", Folder: "CB", Classes: []string{"entailment", "contradiction", "neutral"}, Form: formPremise, texts: [][2]string{premise}},
	{Name: "copa", Folder: "COPA", Form: "`context` is the premise, `question` is \"What was the cause of this?\" or \"What happened as a result?\", " +
		"`options` are the two choices, `label` is 0 or 1", fields: []string{"premise", "choice1", "choice2", "question"}, make: makeCOPA},
	{Name: "multirc", Folder: "MultiRC", Classes: truth, Form: "one example for each answer: `text` is the paragraph, `pair` the question, a space and the " +
		"answer, `candidate` the answer; `group` is the same for the answers to one question",
		fields: []string{"passage", "paragraph", "question", "answer"}, make: makeMultiRC},
	{Name: "record", Folder: "ReCoRD", Classes: truth, Form: "one example for each entity of the passage: `text` is the passage, `pair` the query with the " +
		"entity in place of `@placeholder`, `candidate` the entity, `answers` the right entities; `group` is the same for one query",
		fields: []string{"passage", "qas", "query", "entities", "answers"}, make: makeReCoRD},
	{Name: "wic", Folder: "WiC", Classes: truth, Form: "`text` and `pair` are the two sentences, with `*` before and after the word in each",
		fields: []string{"sentence1", "sentence2", "start1", "end1", "start2", "end2"}, make: makeWiC},
	{Name: "wsc", Folder: "WSC", Classes: truth, Form: "`text` is the text, with `*` around the noun and `#` around the pronoun, as T5 has it",
		fields: []string{"text", "target", "span1_index", "span1_text", "span2_index", "span2_text"}, make: makeWSC},
	{Name: "axb", Folder: "AX-b", Classes: twoWay, Form: formPair, texts: [][2]string{sentences}},
	{Name: "axg", Folder: "AX-g", Classes: twoWay, Form: formPremise, texts: [][2]string{premise}},
}

// Tasks returns the tasks.
func Tasks() []Task { return slices.Clone(tasks) }

// TaskNames returns the names of the tasks.
func TaskNames() []string {
	var names []string
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	return names
}

// TaskOf returns a task by its name, or nil.
func TaskOf(name string) *Task {
	if i := slices.IndexFunc(tasks, func(t Task) bool { return t.Name == name }); i >= 0 {
		return &tasks[i]
	}
	return nil
}

// The names of the fields of labels and of the numbers of rows, in the layouts that there are.
var (
	labelFields = []string{"label", "gold_label", "is_duplicate", "Quality", "score"}
	idFields    = []string{"idx", "index", "id", "pairID"}
)

// taskReader reads the rows of a task.
type taskReader struct {
	task  *Task
	rows  rows
	names []string
}

// openTask opens a file of a task: a table, in which quotes are characters like any others, lines of JSON, or Parquet.
func openTask(s *source, o *Options) (reader, error) {
	t := &taskReader{task: TaskOf(o.Task)}
	t.names = append(slices.Clone(t.task.fields), append(labelFields, idFields...)...)
	for _, pair := range t.task.texts {
		t.names = append(t.names, pair[:]...)
	}
	var columns []string
	var err error
	switch extension := filepath.Ext(s.in.name); {
	case s.isParquet():
		t.rows, columns, err = s.parquet(t.names)
		s.unit = unitRow
	case extension == ".tsv" || extension == ".txt" || extension == ".csv":
		t.rows, columns, err = t.table(s, extension)
	default:
		t.rows, err = s.rowsOf(t.names)
	}
	if err != nil {
		return nil, err
	}
	if columns != nil && !t.fits(columns) {
		return nil, fault.Input(s.file, "it has no columns with the texts of %s: %s (its columns: %s)", o.Task, t.wants(), nameList(columns))
	}
	return t, nil
}

// table opens a table. Its first line names its columns, but for the files of CoLA that have four columns and no header.
func (t *taskReader) table(s *source, extension string) (rows, []string, error) {
	separator, quoted := byte('\t'), false
	if extension == ".csv" {
		separator, quoted = ',', true
	}
	header := t.task.header
	if header != nil {
		line, _ := s.in.text.Peek(1 << 12)
		first, _, _ := strings.Cut(string(line), "\n")
		if strings.Count(first, "\t") != len(header)-1 || quoted {
			header = nil
		}
	}
	table, err := newTable(s.file, s.window(), separator, quoted, t.names, header)
	if err != nil {
		return nil, nil, err
	}
	return table, table.columns, nil
}

// fits reports whether a file with these columns has the texts of the task.
func (t *taskReader) fits(columns []string) bool {
	has := func(name string) bool { return name == "" || slices.Contains(columns, name) }
	if t.task.make != nil {
		return slices.ContainsFunc(t.task.fields, has)
	}
	return slices.ContainsFunc(t.task.texts, func(pair [2]string) bool { return has(pair[0]) && has(pair[1]) })
}

// wants names the columns of the texts.
func (t *taskReader) wants() string {
	if t.task.make != nil {
		return strings.Join(t.task.fields, ", ")
	}
	var all []string
	for _, pair := range t.task.texts {
		all = append(all, strings.TrimSuffix(pair[0]+" and "+pair[1], " and "))
	}
	return strings.Join(all, ", or ")
}

func (t *taskReader) read(q []result) ([]result, error) {
	r, err := t.rows.next()
	if err != nil {
		return q, err
	}
	if r.fault != "" {
		return append(q, r.faulty(r.fault)), nil
	}
	v := map[string]value{}
	for i, name := range t.names {
		if name != "" {
			v[name] = r.values[i]
		}
	}
	if t.task.make != nil {
		all, err := t.task.make(t.task, v, r)
		for _, e := range all {
			e.At = r.number
			q = append(q, result{example: e})
		}
		if err != nil {
			q = append(q, r.faulty(err.Error()))
		}
		return q, nil
	}
	e, err := t.task.pair(v, r)
	if err != nil {
		return append(q, r.faulty(err.Error())), nil
	}
	return append(q, result{example: e}), nil
}

// pair makes an example of one or two texts and a label.
func (t *Task) pair(v map[string]value, r *row) (e *example.Example, err error) {
	e = &example.Example{At: r.number}
	i := slices.IndexFunc(t.texts, func(pair [2]string) bool { return there(v[pair[0]]) && (pair[1] == "" || there(v[pair[1]])) })
	if i < 0 {
		return nil, fmt.Errorf("there are no texts of %s: %s (there are: %s)", t.Name, (&taskReader{task: t}).wants(), r.names())
	}
	for j, name := range t.texts[i] {
		if name == "" {
			continue
		}
		text, err := v[name].text()
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", name, err)
		}
		if j == 0 {
			e.Text = text
		} else {
			e.Pair = &text
		}
	}
	if err := t.label(e, v); err != nil {
		return nil, err
	}
	return e, number(e, v)
}

// there reports whether a row has a text. The text may be an empty cell: some questions of QQP are.
func there(v value) bool { return v.has || v.empty }

// number sets the name of an example to the number of the row that the file has.
func number(e *example.Example, v map[string]value) (err error) {
	for _, name := range idFields {
		if v[name].has && e.ID == "" {
			if e.ID, err = given(v, name, value.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// errNoLabel is the error of a row whose annotators have not agreed on a label.
var errNoLabel = errors.New(`its label is "-": its annotators have not agreed on one`)

// label sets the label or the score. Rows of a test have no label, or the label -1.
func (t *Task) label(e *example.Example, v map[string]value) error {
	for _, name := range labelFields {
		if !v[name].has {
			continue
		}
		if t.Classes == nil {
			x, err := given(v, name, value.number)
			if err != nil {
				return err
			}
			if x != -1 {
				e.Score = &x
			}
			return nil
		}
		label, err := given(v, name, value.name)
		if err != nil {
			return err
		}
		e.Label, err = t.class(label)
		return err
	}
	return nil
}

// class returns the name of a class that is given by its name, its number or, if the classes are False and True, a truth value.
func (t *Task) class(label string) (string, error) {
	switch i, err := strconv.Atoi(label); {
	case label == "-1":
		return "", nil
	case label == "-":
		return "", errNoLabel
	case err == nil && i >= 0 && i < len(t.Classes):
		return t.Classes[i], nil
	}
	for _, c := range t.Classes {
		if c == label || c == "True" && label == "true" || c == "False" && label == "false" {
			return c, nil
		}
	}
	return "", fmt.Errorf("the label %q is not a class of %s (%s)", label, t.Name, strings.Join(t.Classes, ", "))
}
