package dataset

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
)

// format is a format of data files.
type format struct {
	name       string
	extensions []string
	open       func(s *source, o *Options) (reader, error)
}

// formats lists the formats.
var formats []format

func init() { // a variable, because the readers of folders look at the table
	formats = []format{
		{"jsonl", []string{".jsonl", ".ndjson"}, openJSONL},
		{"json", []string{".json"}, openJSON},
		{"csv", []string{".csv"}, openTable(',', true)},
		{"tsv", []string{".tsv", ".tab"}, openTable('\t', true)},
		{"tsv-plain", nil, openTable('\t', false)},
		{"lines", []string{".txt", ".text"}, func(s *source, _ *Options) (reader, error) { return &lines{s.file, s.window()}, nil }},
		{"documents", nil, func(s *source, _ *Options) (reader, error) { return &documents{file: s.file, w: s.window()}, nil }},
	}
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
	f := formatOf(o.Format)
	if f == nil {
		extension := filepath.Ext(s.in.name)
		var known []string
		for i := range formats {
			if slices.Contains(formats[i].extensions, extension) {
				f = &formats[i]
			}
			known = append(known, formats[i].extensions...)
		}
		if f == nil {
			what := "its name has no extension"
			if extension != "" {
				what = "its extension \"" + extension + "\" is not known"
			}
			return fault.Input(s.file, "%s (known: %s; .gz and .zst after them)", what, strings.Join(known, " ")).
				Hint("--format %s", strings.Join(FormatNames(), "|"))
		}
	}
	s.format = f.name
	s.reader, err = f.open(s, o)
	return err
}

// openJSONL opens a file with one object per line.
func openJSONL(s *source, o *Options) (reader, error) {
	return s.objects(o, unitLine, "")
}

// objects returns the reader of one object per line.
func (s *source) objects(o *Options, unit, hint string) (reader, error) {
	c := newFields(o)
	c.rows = &objectLines{s.window(), newObject(s.file, unit, c.names, hint)}
	return c, nil
}

// openJSON opens a file that is a JSON array, an object with a field "data" that is one, or has one object per line.
func openJSON(s *source, o *Options) (reader, error) {
	w := s.window()
	c := newFields(o)
	if singleLines(w) {
		c.rows = &objectLines{w, newObject(s.file, unitLine, c.names, " (a .json file is an array of objects, or has one object per line)")}
		return c, nil
	}
	c.rows = &elementList{x: extent{w}, o: newObject(s.file, unitElement, c.names, "")}
	return c, nil
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
