package token

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode"

	"github.com/debertac/debertac/runtime/disk"
)

// FieldError is a fault of one of the files beside a vocabulary, or of one of its fields: it contradicts another file, or asks for what is not
// supported.
type FieldError struct {
	File   string // path in the folder
	Field  string // its name, with the objects that it lies in before it and dots between; "" is the whole file
	Reason string // what is wrong with it, without its name
	// CanIgnore reports whether a tokenizer can be read without the field or the file (see LoadWithout).
	CanIgnore bool
}

// Error returns the file, the field and what is wrong.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.File + ": " + e.Reason
	}
	field := e.Field
	if strings.ContainsFunc(field, func(r rune) bool { return !unicode.IsPrint(r) }) {
		field = strconv.Quote(field)
	}
	return e.File + ": " + field + " " + e.Reason
}

const (
	configFile  = "tokenizer_config.json"
	specialFile = "special_tokens_map.json"
	addedFile   = "added_tokens.json"
)

// refuse returns the error for a field that can be left out (CanIgnore).
func refuse(file, field, format string, args ...any) error {
	return &FieldError{file, field, fmt.Sprintf(format, args...), true}
}

// inFile turns an error about a field of a small file into a *FieldError. It puts the file's name in front of other errors.
func inFile(file string, err error) error {
	var known *FieldError
	if errors.As(err, &known) {
		return err
	}
	var n *nodeError
	if !errors.As(err, &n) {
		return fmt.Errorf("%s: %w", file, err)
	}
	if n.unknown && !strings.Contains(n.path, "[") { // an entry of a list has no name of its own
		return refuse(file, n.path, "%s", n.text)
	}
	// Other faults lie inside a member: then the whole member can be left out, or one token of added_tokens_decoder.
	field, inside, _ := strings.Cut(n.path, ".")
	if key, _, _ := strings.Cut(inside, "."); field == "added_tokens_decoder" && key != "" {
		field += "." + key
	}
	field, _, _ = strings.Cut(field, "[")
	return refuse(file, field, "cannot be read: %s: %s", n.path, n.text)
}

// LoadWithout does the same as Load for a folder that is read without some fields, which mean nothing for the model: fsys leaves these fields out. hidden
// reports whether a field of tokenizer_config.json was left out; nil means that no field was. If the folder has tokenizer.json, this file decides what a
// hidden field would have decided.
func LoadWithout(fsys fs.FS, hidden func(field string) bool) (*Tokenizer, error) {
	cfg, err := readConfig(fsys)
	if err != nil {
		return nil, err
	}
	if cfg.there, err = disk.ExistsIn(fsys, configFile); err != nil {
		return nil, err
	}
	if cfg.hidden = hidden; hidden == nil {
		cfg.hidden = func(string) bool { return false }
	}
	t, err := loadFiles(fsys, cfg)
	if err != nil {
		return nil, err
	}
	return t, cfg.settle(t)
}
