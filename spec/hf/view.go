package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// FieldError is a fault of a field in a file of a model folder, or of a whole file.
type FieldError struct {
	File   string // path in the folder, with slashes; "" is the configuration that Spec read
	Field  string // its name, after the objects that contain it, with dots: "encoder_config.hidden_act"; "" is the whole file
	Reason string // what is wrong with it, without its name
	// CanIgnore reports whether the model can be read without the field or the file, if the user knows that it has no meaning.
	CanIgnore bool
}

// Error returns the file, if it is not the configuration, the field and the reason.
func (e *FieldError) Error() string {
	if e.File == "" {
		return e.Text()
	}
	return printed(e.File) + ": " + e.Text()
}

// Text returns Error without the file.
func (e *FieldError) Text() string {
	if e.Field == "" {
		return e.Reason
	}
	return printed(e.Field) + " " + e.Reason
}

// Name returns the name by which NewView leaves the field or the file out: FIELD of the configuration, FILE:FIELD, or FILE.
func (e *FieldError) Name() string {
	switch {
	case e.File == "" || slices.Contains(configFiles, e.File) && e.Field != "":
		return e.Field
	case e.Field == "":
		return e.File
	}
	return e.File + ":" + e.Field
}

// configFiles lists the configurations of models; the first one that exists counts.
var configFiles = []string{"gliner_config.json", "config.json"}

// View is a model folder without the files and fields that the user ignores. They seem to be missing.
type View struct {
	fs     fs.FS
	config string              // name of the configuration
	files  map[string]bool     // left out
	fields map[string][]string // left out, by file
	notes  []string
}

// NewView returns a view of a folder without the files and fields in ignore: FIELD of the configuration, FILE:FIELD, or FILE. A dot in FIELD leads into an
// object. A name that the folder does not have is an error.
func NewView(folder fs.FS, ignore []string) (*View, error) {
	v := &View{fs: folder, config: configFiles[len(configFiles)-1], files: map[string]bool{}, fields: map[string][]string{}}
	for _, name := range configFiles {
		has, err := v.has(name)
		if err != nil {
			return nil, err
		}
		if has && !slices.Contains(ignore, name) {
			v.config = name
			break
		}
	}
	for _, name := range ignore {
		if err := v.leaveOut(name); err != nil {
			return nil, err
		}
		v.notes = append(v.notes, printed(name)+" is ignored, as asked")
	}
	return v, nil
}

// Config returns the name of the configuration: gliner_config.json if it exists, else config.json.
func (v *View) Config() string { return v.config }

// Notes returns what is left out, one line each.
func (v *View) Notes() []string { return slices.Clone(v.notes) }

// LeftOut reports whether a field of a file is left out, or the whole file.
func (v *View) LeftOut(file, field string) bool {
	return v.files[file] || slices.Contains(v.fields[file], field)
}

// leaveOut records one name to ignore.
func (v *View) leaveOut(name string) error {
	file, field, whole, err := v.split(name)
	if err != nil {
		return err
	}
	if whole {
		v.files[file] = true
		return nil
	}
	fault := func(format string, args ...any) error {
		return fmt.Errorf("there is nothing to ignore: "+format, args...)
	}
	if file != "" {
		found, err := v.hide(file, field)
		if err == nil && !found {
			err = fault("%s has no field %q", printed(file), field)
		}
		return err
	}
	has, err := v.has(v.config)
	if err != nil {
		return err
	}
	if has {
		if found, err := v.hide(v.config, name); found || err != nil {
			return err
		}
	}
	file, _, colon := strings.Cut(name, ":")
	switch {
	case colon:
		return fault("the folder has no file %s", printed(file))
	case has:
		return fault("the folder has no file %s, and %s has no such field", printed(name), v.config)
	}
	return fault("the folder has no file %s, nor a %s that could have such a field", printed(name), v.config)
}

// hide leaves a field of a file out, and reports whether the file has it.
func (v *View) hide(file, field string) (found bool, err error) {
	text, err := fs.ReadFile(v.fs, file)
	if err != nil {
		return false, err
	}
	if _, found = without(text, field); found {
		v.fields[file] = append(v.fields[file], field)
	}
	return found, nil
}

// split splits a name to ignore. The name is that of a file (whole is true), or FILE:FIELD. Because both parts can have colons, the longest file name that
// the folder has is taken. If the folder has no such file, file is empty.
func (v *View) split(name string) (file, field string, whole bool, err error) {
	for end := len(name); end > 0; end = strings.LastIndexByte(name[:end], ':') {
		file = path.Clean(name[:end])
		if has, err := v.has(file); has || err != nil {
			return file, strings.TrimPrefix(name[end:], ":"), end == len(name), err
		}
	}
	return "", "", false, nil
}

// printed returns a name for a message: quoted, if it has characters that are not printed.
func printed(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// Divide divides names to ignore between a model folder (own) and a separate folder of its tokenizer (tokenizer). A name of one of the tokenizer's files
// belongs to the tokenizer's folder if the model folder has no such file. A nil folder has no files.
func Divide(folder fs.FS, ignore []string) (own, tokenizer []string, err error) {
	for _, name := range ignore {
		file := ""
		if folder != nil {
			if file, _, _, err = (&View{fs: folder}).split(name); err != nil {
				return nil, nil, err
			}
		}
		start, _, _ := strings.Cut(name, ":")
		if file == "" && slices.Contains(tokenizerFiles, path.Clean(start)) {
			tokenizer = append(tokenizer, name)
		} else {
			own = append(own, name)
		}
	}
	return own, tokenizer, nil
}

// tokenizerFiles are the files that a tokenizer is read from.
var tokenizerFiles = []string{"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json", "spm.model", "vocab.json",
	"merges.txt", "vocab.txt"}

// has reports whether the folder has a file, even if it is left out.
func (v *View) has(file string) (bool, error) {
	if !fs.ValidPath(file) || file == "." {
		return false, nil
	}
	_, err := fs.Stat(v.fs, file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// absent returns the error for a file that is left out.
func absent(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// ReadFile reads a file of the folder, without the fields that are left out.
func (v *View) ReadFile(name string) ([]byte, error) {
	if v.files[name] {
		return nil, absent("open", name)
	}
	text, err := fs.ReadFile(v.fs, name)
	if err != nil {
		return nil, err
	}
	for _, field := range v.fields[name] {
		text, _ = without(text, field)
	}
	return text, nil
}

// Stat describes a file of the folder.
func (v *View) Stat(name string) (fs.FileInfo, error) {
	if v.files[name] {
		return nil, absent("stat", name)
	}
	return fs.Stat(v.fs, name)
}

// ReadDir lists a folder of the folder.
func (v *View) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(v.fs, name)
	return slices.DeleteFunc(list, func(e fs.DirEntry) bool { return v.files[path.Join(name, e.Name())] }), err
}

// Open opens a file of the folder. A file with fields that are left out is a copy in memory.
func (v *View) Open(name string) (fs.File, error) {
	if v.files[name] {
		return nil, absent("open", name)
	}
	if len(v.fields[name]) == 0 {
		return v.fs.Open(name)
	}
	text, err := v.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &edited{bytes.NewReader(text), path.Base(name)}, nil
}

// edited is a file in memory.
type edited struct {
	*bytes.Reader
	name string
}

func (e *edited) Close() error               { return nil }
func (e *edited) Stat() (fs.FileInfo, error) { return e, nil }
func (e *edited) Name() string               { return e.name }
func (e *edited) Mode() fs.FileMode          { return 0o444 }
func (e *edited) ModTime() time.Time         { return time.Time{} }
func (e *edited) IsDir() bool                { return false }
func (e *edited) Sys() any                   { return nil }

// without returns a JSON object without a field. If there is no such field, found is false and the text is unchanged. A name with a dot is the name of a
// field, or leads into the object before the dot.
func without(text []byte, field string) (_ []byte, found bool) {
	c, err := readConfig(text)
	if err != nil {
		return text, false
	}
	inner, rest := "", ""
	if _, ok := c.fields[field]; !ok {
		for i := range field {
			if _, ok := c.fields[field[:i]]; ok && field[i] == '.' {
				inner, rest = field[:i], field[i+1:]
			}
		}
		if inner == "" {
			return text, false
		}
		value, found := without(c.fields[inner], rest)
		if !found {
			return text, false
		}
		c.fields[inner] = value
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for _, name := range c.order {
		if name == field && inner == "" {
			continue
		}
		if b.Len() > 1 {
			b.WriteString(",\n")
		}
		key, err := json.Marshal(name)
		if err != nil {
			return text, false
		}
		b.Write(key)
		b.WriteString(": ")
		b.Write(c.fields[name])
	}
	b.WriteString("}\n")
	return b.Bytes(), true
}
