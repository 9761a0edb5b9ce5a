package dataset

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
)

// format is a format of data files.
type format struct {
	name       string
	extensions []string
	unit       string // in which examples count
	fixed      string // the roles that its examples can have, if the names of its fields cannot be chosen
	open       func(s *source, o *Options) (reader, error)
}

// formats lists the formats.
var formats = []format{
	{name: "jsonl", extensions: []string{".jsonl", ".ndjson"}, unit: unitLine, open: openJSONL},
	{name: "json", extensions: []string{".json"}, unit: unitElement, open: openJSON},
	{name: "csv", extensions: []string{".csv"}, unit: unitLine, open: openTable(',', true)},
	{name: "tsv", extensions: []string{".tsv", ".tab"}, unit: unitLine, open: openTable('\t', true)},
	{name: "tsv-plain", unit: unitLine, open: openTable('\t', false)},
	{name: "lines", extensions: []string{".txt", ".text"}, unit: unitLine, fixed: "text", open: openLines},
	{name: "documents", unit: unitLine, fixed: "text", open: openDocuments},
	{name: "parquet", extensions: []string{".parquet"}, unit: unitRow, open: openParquet},
	{name: "conll", extensions: []string{".conll", ".bio", ".iob", ".iob2"}, unit: unitLine, fixed: "words tags", open: openCoNLL},
	{name: "squad", unit: unitQuestion, fixed: "id question context answers", open: openSQuAD},
	{name: "race", unit: unitQuestion, fixed: "id question context options label", open: openRACE},
	{name: "gliner", unit: unitElement, fixed: "id words entities", open: openGLiNER},
}

// FormatNames returns the names of the formats.
func FormatNames() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// formatOf returns a format by its name, or nil.
func formatOf(name string) *format {
	if i := slices.IndexFunc(formats, func(f format) bool { return f.name == name }); i >= 0 {
		return &formats[i]
	}
	return nil
}

// window returns the text of the file.
func (s *source) window() *window { return newWindow(s.file, s.in.text) }

// open makes the reader of the file's format.
func (s *source) open(o *Options) (err error) {
	if o.Task != "" {
		s.format, s.unit, s.need = "the task "+o.Task, unitLine, o.needs()
		s.reader, err = openTask(s, o)
		return err
	}
	f := formatOf(o.Format)
	if f == nil {
		if f, err = s.known(); err != nil {
			return err
		}
	}
	if f.name == "json" && o.Format == "" && len(o.Fields) == 0 {
		f = s.kind(f)
	}
	if s.isParquet() != (f.name == "parquet") && f.name != "race" {
		return fault.Input(s.file, "it is read as %s, and its first bytes are %q: those of Parquet files are %q", f.name, s.in.start[:min(4, len(s.in.start))],
			parquetMark)
	}
	s.format, s.unit = f.name, f.unit
	if f.fixed != "" {
		s.need = o.needs()
		for _, set := range s.need {
			if set&rolesOf(strings.Fields(f.fixed)...) == 0 {
				return fault.Input(s.file, "a file of the format %s has no %v (it has: %s)", f.name, set, f.fixed)
			}
		}
	}
	if s.reader, err = f.open(s, o); err != nil {
		return err
	}
	if f.name == "conll" || o.Scheme != "" || o.WantScheme != "" || o.Repair {
		s.reader = &tagReader{reader: s.reader, file: s.file, unit: s.unit, lines: f.name == "conll", o: o}
	}
	return nil
}

// known returns the format that the name of the file stands for.
func (s *source) known() (*format, error) {
	extension := filepath.Ext(s.in.name)
	var known []string
	for i := range formats {
		if slices.Contains(formats[i].extensions, extension) {
			return &formats[i], nil
		}
		known = append(known, formats[i].extensions...)
	}
	if s.isParquet() {
		return formatOf("parquet"), nil
	}
	what := "its name has no extension"
	if extension != "" {
		what = fmt.Sprintf("its extension %q is not known", extension)
	}
	return nil, fault.Input(s.file, "%s (known: %s; .gz and .zst after them)", what, strings.Join(known, " ")).
		Hint("--format %s", strings.Join(FormatNames(), "|"))
}

// kind returns the format of a .json file, which may be that of a data set with a layout of its own: its first bytes have the names of its fields.
func (s *source) kind(f *format) *format {
	start, err := s.in.text.Peek(kindSize)
	if err != nil && len(start) == 0 {
		return f
	}
	has := func(name string) bool { return bytes.Contains(start, []byte(`"`+name+`"`)) }
	trimmed := bytes.TrimLeft(start, " \t\r\n")
	array := bytes.HasPrefix(trimmed, []byte("["))
	switch {
	case !array && has("data") && has("paragraphs") && has("qas"):
		return formatOf("squad")
	case !array && has("article") && has("questions") && has("options"):
		return formatOf("race")
	case has("tokenized_text") && has("ner"):
		return formatOf("gliner")
	}
	return f
}

// kindSize is the number of bytes in which the names of the fields of such a file stand.
const kindSize = 1 << 15

func openLines(s *source, _ *Options) (reader, error) { return &lines{s.file, s.window()}, nil }

func openDocuments(s *source, _ *Options) (reader, error) {
	return &documents{file: s.file, w: s.window()}, nil
}

// rowsOf opens a file whose rows are objects of some fields: JSON, a line each or in an array, or Parquet.
func (s *source) rowsOf(names []string) (rows, error) {
	switch extension := filepath.Ext(s.in.name); {
	case s.isParquet():
		r, columns, err := s.parquet(names)
		if err == nil && r == nil {
			return nil, fault.Input(s.file, "none of its columns (%s) is one of %s", nameList(columns), strings.Join(names, ", "))
		}
		return r, err
	case extension == ".jsonl" || extension == ".ndjson":
		return &objectLines{s.window(), newObject(s.file, unitLine, names, "")}, nil
	}
	return s.objectRows(names, -1), nil
}

func openRACE(s *source, _ *Options) (reader, error) {
	if extension := filepath.Ext(s.in.name); !strings.HasPrefix(extension, ".json") && !s.isParquet() ||
		extension == ".json" && bytes.HasPrefix(bytes.TrimSpace(s.in.start), []byte("{")) { // one article
		return &race{rows: &single{x: extent{s.window()}, o: newObject(s.file, unitElement, raceFields, "")}}, nil
	}
	r, err := s.rowsOf(raceFields)
	return &race{rows: r}, err
}

func openGLiNER(s *source, _ *Options) (reader, error) {
	r, err := s.rowsOf(glinerFields)
	return &gliner{r}, err
}

// openJSONL opens a file with one object per line.
func openJSONL(s *source, o *Options) (reader, error) {
	c := newFields(o)
	c.rows = &objectLines{s.window(), newObject(s.file, unitLine, c.names, "")}
	return c, nil
}

// openJSON opens a file that is a JSON array, an object with a field "data" that is one, or has one object per line.
func openJSON(s *source, o *Options) (reader, error) {
	c := newFields(o)
	c.rows = s.objectRows(c.names, textRole)
	return c, nil
}

// objectRows opens the rows of a .json file. plain is the place of the value of a row that is a string.
func (s *source) objectRows(names []string, plain int) rows {
	w := s.window()
	if singleLines(w) {
		return &objectLines{w, newObject(s.file, unitLine, names, " (a .json file is an array of objects, or has one object per line)")}
	}
	o := newObject(s.file, unitElement, names, "")
	o.plain = plain
	return &elementList{x: extent{w}, o: o}
}

// headSize is the number of bytes that decide what a .json file is.
const headSize = 1 << 20

// singleLines reports whether a file has one object per line, and not one value in all. The first bytes decide: an object in one line without a field
// "data" that is a list is a row.
func singleLines(w *window) bool {
	if c, err := w.space(); err != nil || c != '{' {
		return err == nil && c != '['
	}
	for len(w.rest()) < headSize {
		if w.fill() != nil {
			break
		}
	}
	s := scanner{b: w.rest()}
	list := false
	whole := s.object(0, func(name, v []byte) { list = list || string(name) == `"data"` && v[0] == '[' }) == nil
	return whole && !list && bytes.IndexByte(w.rest()[:s.i], '\n') < 0
}

// openTable returns a function that opens a table.
func openTable(separator byte, quoted bool) func(s *source, o *Options) (reader, error) {
	return func(s *source, o *Options) (reader, error) {
		c := newFields(o)
		t, err := newTable(s.file, s.window(), separator, quoted, c.names, nil)
		if err != nil {
			return nil, err
		}
		c.rows = t
		return c, c.columns(s.file, t.columns)
	}
}

// columns returns an error if a file with these columns cannot be used.
func (c *fields) columns(file string, columns []string) error {
	var has roleSet
	for i, name := range c.names {
		if name != "" && slices.Contains(columns, name) {
			has |= 1 << i
		}
	}
	if err := c.lacking(has, func() string { return nameList(columns) }); err != nil {
		return fault.Input(file, "%v", err)
	}
	return nil
}
