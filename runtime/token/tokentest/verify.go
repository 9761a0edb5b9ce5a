// Package tokentest compares tokenizers with recorded encodings. `debertac verify --tokenizer` uses it.
package tokentest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/token"
)

// VerifyDir compares every pair of files in dir: tokenizer<tag>.json with encodings<tag>.jsonl (names of special tokens
// in a text are read as tokens, as recorded); vocab.json with merges.txt, or vocab.txt, also with encodings.jsonl; and
// spm.model with sentencepiece.jsonl. The records may be compressed (.jsonl.gz). Each difference is reported with its
// file, its line and the first thing that differs. VerifyDir returns how many lines were compared and how many failed.
// err is not nil if a file cannot be read or if there is nothing to compare.
func VerifyDir(dir string, report func(line string)) (compared, failed int, err error) {
	return VerifyFS(disk.FS(dir, token.MaxFile), report)
}

// VerifyFS is VerifyDir for any file system.
func VerifyFS(fsys fs.FS, report func(line string)) (compared, failed int, err error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return 0, 0, err
	}
	v := &verifier{fsys: fsys, report: report}
	for _, e := range entries {
		name := e.Name()
		tag, ok := strings.CutPrefix(name, "tokenizer")
		tag, okTail := strings.CutSuffix(tag, ".json")
		switch {
		case name == "spm.model":
			err = v.pair(name, "sentencepiece.jsonl", v.spm)
		case name == "vocab.json" || name == "vocab.txt":
			err = v.pair(name, "encodings.jsonl", v.older)
		case ok && okTail && (tag == "" || tag[0] == '_') && tag != "_config":
			err = v.pair(name, "encodings"+tag+".jsonl", v.json)
		}
		if err != nil {
			return v.compared, v.failed, err
		}
	}
	if v.compared == 0 {
		return 0, 0, errors.New("nothing to compare: want tokenizer*.json, vocab.json with merges.txt, or vocab.txt with encodings*.jsonl, or spm.model with sentencepiece.jsonl")
	}
	return v.compared, v.failed, nil
}

type verifier struct {
	fsys             fs.FS
	report           func(line string)
	compared, failed int
}

// pair compares model with the records, if both exist.
func (v *verifier) pair(model, records string, open func(b []byte) (func(line []byte) error, error)) error {
	f, name, err := openRecords(v.fsys, records)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := fs.ReadFile(v.fsys, model)
	if err != nil {
		return err
	}
	check, err := open(b)
	if err != nil {
		return fmt.Errorf("%s: %w", model, err)
	}
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 1<<16), 1<<26)
	line := 0
	for s.Scan() {
		line++
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		v.compared++
		if err := check(s.Bytes()); err != nil {
			v.failed++
			v.report(fmt.Sprintf("%s:%d (%s): %v", name, line, model, err))
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, line+1, err)
	}
	return nil
}

type records struct {
	io.Reader
	io.Closer
}

func openRecords(fsys fs.FS, name string) (io.ReadCloser, string, error) {
	f, err := fsys.Open(name)
	if err == nil {
		return f, name, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	if f, err = fsys.Open(name + ".gz"); err != nil {
		return nil, "", err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("%s.gz: %w", name, err)
	}
	return records{z, f}, name + ".gz", nil
}

// Tokens is one recorded encoding. Offsets are in code points of the text.
type Tokens struct {
	IDs     []int32    `json:"ids"`
	Types   []int32    `json:"type_ids"`
	Mask    []int32    `json:"mask"`
	Offsets [][2]int32 `json:"offsets"`
	Words   []*int32   `json:"words"`
}

// Record is one line of encodings*.jsonl.
type Record struct {
	Text    string  `json:"text"`
	Pair    *string `json:"pair"`
	Options struct {
		Truncation string `json:"truncation"`
		MaxLength  int    `json:"max_length"`
		Stride     int    `json:"stride"`
		Padding    string `json:"padding"`
		Overflow   bool   `json:"overflow"`
	} `json:"options"`
	Tokens
	Overflowing []Tokens `json:"overflowing"`
	Decoded     string   `json:"decoded"`
	Error       string   `json:"error"`
}

func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("the record cannot be read: %w", err)
	}
	return nil
}

func (v *verifier) json(b []byte) (func(line []byte) error, error) {
	t, err := token.FromJSON(b)
	if err != nil {
		return nil, err
	}
	return v.encodings(t), nil
}

// encodings returns a function that compares a line with what t does.
func (v *verifier) encodings(t *token.Tokenizer) func(line []byte) error {
	var e token.Encoding
	return func(line []byte) error {
		var r Record
		if err := strict(line, &r); err != nil {
			return err
		}
		return r.check(t, &e)
	}
}

func (r *Record) check(t *token.Tokenizer, e *token.Encoding) error {
	o := token.Options{Special: token.SpecialTokens, MaxLength: r.Options.MaxLength, Stride: r.Options.Stride, Overflow: r.Options.Overflow}
	names := []string{"", "longest_first", "only_first", "only_second"}
	k := slices.Index(names, r.Options.Truncation)
	if k < 0 || r.Options.Padding != "" && r.Options.Padding != "max_length" {
		return fmt.Errorf("truncation %q, padding %q: unknown", r.Options.Truncation, r.Options.Padding)
	}
	o.Truncation = token.Truncation(k)
	if r.Options.Padding != "" {
		o.PadTo = r.Options.MaxLength
	}
	var err error
	pair := ""
	if r.Pair != nil {
		pair = *r.Pair
		err = t.EncodePair(e, r.Text, pair, o)
	} else {
		err = t.Encode(e, r.Text, o)
	}
	if r.Error != "" {
		if err == nil {
			return fmt.Errorf("encoded to %d tokens, want the error %q", len(e.IDs), r.Error)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.Tokens.diff(e, r.Text, pair); err != nil {
		return err
	}
	if len(e.Overflowing) != len(r.Overflowing) {
		return fmt.Errorf("%d overflowing windows, want %d", len(e.Overflowing), len(r.Overflowing))
	}
	for i := range r.Overflowing {
		if err := r.Overflowing[i].diff(&e.Overflowing[i], r.Text, pair); err != nil {
			return fmt.Errorf("overflowing %d: %w", i, err)
		}
	}
	got, err := t.Decode(e.IDs, true)
	if err != nil {
		return err
	}
	if got != r.Decoded {
		return fmt.Errorf("decoded %q, want %q", got, r.Decoded)
	}
	return nil
}

func (w *Tokens) diff(e *token.Encoding, text, pair string) error {
	if err := first("id", e.IDs, w.IDs); err != nil {
		return err
	}
	if err := first("type id", e.Types, w.Types); err != nil {
		return err
	}
	mask := make([]int32, len(e.IDs))
	for i := range e.Live {
		mask[i] = 1
	}
	if err := first("mask", mask, w.Mask); err != nil {
		return err
	}
	var offsets [][2]int32
	for _, o := range e.RuneOffsets(nil, text, pair) {
		offsets = append(offsets, [2]int32{o.Start, o.End})
	}
	if err := first("offsets", offsets, w.Offsets); err != nil {
		return err
	}
	words := make([]int32, len(w.Words))
	for i, p := range w.Words {
		if words[i] = -1; p != nil {
			words[i] = *p
		}
	}
	return first("word", e.Words, words)
}

// first describes the first difference of two lists.
func first[T comparable](what string, got, want []T) error {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Errorf("%s %d is %v, want %v", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d of %s, want %d", len(got), what, len(want))
	}
	return nil
}
