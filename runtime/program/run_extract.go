package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// schemaService finds what schemas ask for that are given at run time.
type schemaService struct {
	noPairs
	extractor *task.SchemaExtractor
	schema    *task.Schema // nil: each record has its own
	labels    bool         // the labels of schema are those of --labels
	o         task.ExtractOptions
	last      string       // the schema of the last record that had its own, as JSON
	parsed    *task.Schema // the same
}

// wantedExtraction is what a record asks for.
type wantedExtraction struct {
	task.ExtractInput
	format extraction.Format
}

// defaultShare is the number of words that neighboring windows share without chunk_overlap, as in the library of GLiNER2.
const defaultShare = 64

// mostSchema is the greatest size of a file with a schema, in bytes.
const mostSchema = 1 << 24

var _ = serve(tasktable.Extract, (*taskFlags).extractingSchema)

func (f *taskFlags) extractingSchema(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	x, err := task.NewSchemaExtractor(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &schemaService{extractor: x, labels: f.given["labels"], o: task.ExtractOptions{Threshold: f.threshold.all}}
	if s.o.Overlap, err = extraction.ParseOverlap(f.word("overlap")); err != nil {
		return nil, usage("--overlap: %v", err)
	}
	if f.given["chunk-size"] {
		s.o.Window, s.o.Share = f.count("chunk-size"), defaultShare
		if f.given["chunk-overlap"] {
			s.o.Share = f.count("chunk-overlap")
		} else if s.o.Window <= defaultShare {
			return nil, usage("--chunk-size %d needs --chunk-overlap, from 0 to %d: without it windows share %d words", s.o.Window, s.o.Window-1, defaultShare)
		}
	}
	if err := s.o.Check(); err != nil {
		return nil, usage("%v", err)
	}
	if s.schema, err = f.schema(); err != nil || s.schema == nil {
		return s, err
	}
	if err := x.Check(s.schema, s.o); err != nil {
		return nil, usage("the schema of the flags: %v", err)
	}
	return s, ownKeys(s.schema, func(text string) error { return usage("the schema of the flags: %s", text) })
}

// schema returns the schema of the flags, or nil.
func (f *taskFlags) schema() (*task.Schema, error) {
	labels, err := f.words("labels")
	if err != nil {
		return nil, err
	}
	if len(f.threshold.single) > 0 && labels == nil {
		return nil, usage("--threshold: LABEL=P needs --labels; a schema has a threshold for each label in its own fields")
	}
	if f.given["schema"] {
		return readSchema(f.word("schema"))
	}
	s := &task.Schema{}
	for _, l := range labels {
		e := extraction.Entity{Label: l}
		if p, ok := f.threshold.single[l]; ok {
			e.Threshold = &p
		}
		s.Entities = append(s.Entities, e)
	}
	for l := range f.threshold.single {
		if !slices.Contains(labels, l) {
			return nil, usage("--threshold: %q is not one of --labels", l)
		}
	}
	if f.given["classify"] {
		if s.Classifications, err = classifications(f.word("classify")); err != nil {
			return nil, err
		}
	}
	if len(s.Entities)+len(s.Classifications) == 0 {
		return nil, nil
	}
	return s, nil
}

// readSchema reads a schema from a file.
func readSchema(path string) (*task.Schema, error) {
	data, err := disk.ReadFile(path, mostSchema)
	if err != nil {
		return nil, usage("--schema: %v", err)
	}
	s, err := extraction.ParseSchema(data)
	if err != nil {
		return nil, usage("--schema %s: %v", path, err)
	}
	return s, nil
}

// classifications reads TASK=LABEL,LABEL, or several of these with semicolons between them.
func classifications(text string) (tasks []extraction.Classification, err error) {
	for part := range strings.SplitSeq(text, ";") {
		name, labels, ok := strings.Cut(part, "=")
		if !ok {
			return nil, usage("--classify %q: it must be TASK=LABEL,LABEL, or several with semicolons between them", command.Shorten(part, 60))
		}
		c := extraction.Classification{Task: strings.TrimSpace(name)}
		if c.Labels, err = list("classify", labels); err != nil {
			return nil, err
		}
		if len(c.Labels) < 2 {
			return nil, usage("--classify %q: a task needs two labels or more", command.Shorten(part, 60))
		}
		for i, l := range c.Labels {
			if slices.Contains(c.Labels[:i], l) {
				return nil, usage("--classify %q: the label %q occurs twice", command.Shorten(part, 60), l)
			}
		}
		tasks = append(tasks, c)
	}
	return tasks, nil
}

// rowKeys are the keys of a line of results that do not come from a schema.
var rowKeys = []string{"id", "echo", "tokens", "truncated", "windows", "words_cut", "no_effect", "vectors"}

// ownKeys returns an error of fault if a name of a schema is one of the keys of every line of results.
func ownKeys(s *task.Schema, fault func(text string) error) error {
	check := func(path, name string) error {
		if slices.Contains(rowKeys, name) {
			return fault(fmt.Sprintf("%s: %q is a key of every result here: choose another name", path, name))
		}
		return nil
	}
	for _, x := range s.Structures {
		if err := check(fmt.Sprintf("structures[%q]", x.Name), x.Name); err != nil {
			return err
		}
	}
	for i, c := range s.Classifications {
		if err := check(fmt.Sprintf("classifications[%d].task", i), c.Task); err != nil {
			return err
		}
	}
	return nil
}

func (s *schemaService) prepare(r *record) error {
	o := s.o
	w := &wantedExtraction{format: extraction.Format{Confidence: true, Spans: true}}
	w.ExtractInput = task.ExtractInput{Text: r.text.First, Schema: s.schema, Options: &o}
	raw, own := r.extra["schema"]
	what, labels := "schema", r.extra["labels"]
	switch {
	case !own && labels != nil && s.labels:
		return faulty(r.where(), "the input has labels of its own, and --labels sets others: leave out one of the two")
	case !own && labels != nil && s.schema == nil:
		raw, own, what = labels, true, "labels"
	}
	switch {
	case own && s.schema != nil:
		return faulty(r.where(), "the input has a schema of its own, and a flag sets another: leave out one of the two")
	case !own && s.schema == nil:
		return faultOf(kindMissing, r.where(), "there is no schema: write --schema, --labels or --classify, or an --input with a field "+
			"\"schema\" or \"labels\"")
	case own:
		if err := s.own(r, what, raw, w); err != nil {
			return err
		}
	}
	if err := r.extractOptions(&o, &w.format); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return faulty(r.where(), "%w", err)
	}
	r.own = w
	return s.noPairs.prepare(r)
}

// own reads the schema of a record, from the field schema or labels. Records in a row with the same text of the field share it.
func (s *schemaService) own(r *record, what string, raw json.RawMessage, w *wantedExtraction) (err error) {
	name := what
	if what == "labels" {
		name = r.columns.name[what]
	}
	if text := what + string(raw); s.parsed == nil || text != s.last {
		if s.parsed, err = r.schema(what, raw); err != nil {
			return err
		}
		s.last = text
	}
	w.Schema = s.parsed
	if err := s.extractor.Check(w.Schema, task.ExtractOptions{}); err != nil {
		s.parsed = nil
		return faulty(r.where(), "%q: %w", name, bare(err))
	}
	return ownKeys(w.Schema, func(text string) error { return faulty(r.where(), "%q: %s", name, text) })
}

// schema returns the schema of a field: what the field schema asks for, or entities of the labels in the field labels.
func (r *record) schema(what string, raw json.RawMessage) (*task.Schema, error) {
	if what == "schema" {
		s, err := extraction.ParseSchema(r.unpacked(raw))
		if err != nil {
			return nil, faultOf(kindType, r.where(), "\"schema\": %w", bare(err))
		}
		return s, nil
	}
	labels, err := r.list(what)
	if err != nil {
		return nil, err
	}
	s := &task.Schema{}
	for _, l := range labels {
		s.Entities = append(s.Entities, extraction.Entity{Label: l})
	}
	return s, nil
}

// bareError is an error about a schema whose text does not begin with the word.
type bareError struct{ error }

func (b bareError) Error() string { return strings.TrimPrefix(b.error.Error(), "schema: ") }

func (b bareError) Unwrap() error { return b.error }

// bare returns err without the word schema, for messages that have it already.
func bare(err error) error { return bareError{err} }

// extractOptions reads the settings that a record has of its own.
func (r *record) extractOptions(o *task.ExtractOptions, f *extraction.Format) error {
	if text, ok, err := r.ownField("overlap_policy"); err != nil {
		return err
	} else if ok {
		if o.Overlap, err = extraction.ParseOverlap(text); err != nil || text == "" {
			return faultOf(kindType, r.where(), "\"overlap_policy\" is %q: it must be allow, nested, flat or longest", command.Shorten(text, 40))
		}
	}
	if text, ok, err := r.ownField("word_splitter"); err != nil {
		return err
	} else if ok {
		if o.Splitter, err = extraction.ParseSplitter(text); err != nil || text == "" {
			return faultOf(kindType, r.where(), "\"word_splitter\" is %q: it must be whitespace or char", command.Shorten(text, 40))
		}
	}
	share := -1
	for _, field := range []struct {
		name, must string
		value      any
	}{
		{"threshold", "a number from 0 to 1", &o.Threshold},
		{"include_confidence", "true or false", &f.Confidence}, {"include_spans", "true or false", &f.Spans},
		{"max_len", "a whole number above 0", &o.MaxWords}, {"chunk_size", "a whole number above 0", &o.Window},
		{"chunk_overlap", "a whole number, 0 or more", &share},
	} {
		if err := r.decode(field.name, field.must, field.value); err != nil {
			return err
		}
	}
	for name, n := range map[string]int{"max_len": o.MaxWords, "chunk_size": o.Window} {
		if _, ok := r.extra[name]; ok && n < 1 {
			return faultOf(kindType, r.where(), "%q is %d, it must be a whole number above 0", name, n)
		}
	}
	if _, ok := r.extra["chunk_overlap"]; ok {
		if o.Share = share; share < 0 {
			return faultOf(kindType, r.where(), "\"chunk_overlap\" is %d, it must be a whole number, 0 or more", share)
		}
	} else if _, ok := r.extra["chunk_size"]; ok {
		if o.Share = defaultShare; o.Window <= o.Share {
			return faulty(r.where(), "\"chunk_size\" is %d and needs \"chunk_overlap\", from 0 to %d: without it windows share %d words", o.Window, o.Window-1,
				o.Share)
		}
	}
	return nil
}

func (s *schemaService) compute(ctx context.Context, records []record) ([]outcome, error) {
	inputs := make([]task.ExtractInput, len(records))
	for i, r := range records {
		inputs[i] = r.own.(*wantedExtraction).ExtractInput
	}
	results, err := s.extractor.ExtractEach(ctx, inputs, s.o)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(results))
	for i := range results {
		w := records[i].own.(*wantedExtraction)
		outcomes[i] = &schemaResult{&results[i], w.format, w.Schema.Idle(), w.Options.MaxWords > 0}
	}
	return outcomes, nil
}

// schemaResult is the result of one text.
type schemaResult struct {
	*task.Extracted
	format  extraction.Format
	idle    []string // settings of the schema without effect
	limited bool     // the record has a max_len
}

func (x *schemaResult) seen() runtime.Seen { return x.Seen }

func (x *schemaResult) atOwnLimit() bool { return x.WordsCut > 0 && x.limited }

// object returns the published form of the result, with what was read of the text.
func (x *schemaResult) object() any { return x }

// MarshalJSON writes the published form of the result, and then what was read of the text.
func (x *schemaResult) MarshalJSON() ([]byte, error) {
	members, err := x.Members(x.format)
	if err != nil {
		return nil, err
	}
	rest, err := json.Marshal(struct {
		WordsCut int      `json:"words_cut,omitempty"`
		NoEffect []string `json:"no_effect,omitempty"`
		runtime.Seen
		Vectors *task.Vectors `json:"vectors,omitempty"`
	}{x.WordsCut, x.idle, x.Seen, x.Vectors})
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte("{"), members, []byte(","), bytes.TrimPrefix(rest, []byte("{"))), nil
}

func (x *schemaResult) show(p *page, r *record) {
	var marks []mark
	var list []row
	part := func(name string, s *extraction.Span) {
		marks = append(marks, mark{s.Start, min(s.End, len(r.text.First))})
		rest := s.Text
		for _, a := range s.Attributes {
			for _, l := range a.Labels {
				rest += fmt.Sprintf("  %s: %s %.4f", a.Group, l.Label, l.Score)
			}
		}
		list = append(list, row{name, s.Score, rest})
	}
	for _, e := range x.Entities {
		for i := range e.Spans {
			part(e.Label, &e.Spans[i])
		}
	}
	for _, s := range x.Instances {
		for i, instance := range s.Instances {
			for _, v := range instance {
				name := fmt.Sprintf("%s %d: %s", s.Structure, i+1, v.Field)
				for k := range v.Spans {
					part(name, &v.Spans[k])
				}
				for _, c := range v.Choices {
					list = append(list, row{name, c.Score, c.Label})
				}
			}
		}
	}
	for _, pairs := range x.Pairs {
		for i := range pairs.Pairs {
			name := fmt.Sprintf("%s %d: ", pairs.Relation, i+1)
			part(name+"head", &pairs.Pairs[i].Head)
			part(name+"tail", &pairs.Pairs[i].Tail)
		}
	}
	for _, a := range x.Answers {
		for _, l := range a.Labels {
			list = append(list, row{a.Task, l.Score, l.Label})
		}
	}
	p.marked(r.text.First, marks, "", x.tail())
	p.rows(list)
}

// tail returns a text that describes how much of the text the model saw.
func (x *schemaResult) tail() string {
	text := tail(x.Tokens, x.Truncated)
	if x.WordsCut > 0 {
		text = strings.TrimSuffix(text, ")") + fmt.Sprintf(", %s cut)", command.Plural(x.WordsCut, "word"))
	}
	return text
}
