// Package tokentest compares tokenizers with recorded encodings. `debertac verify --tokenizer` uses it.
package tokentest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/gunzip"
	"github.com/debertac/debertac/runtime/token"
)

// VerifyDir compares every pair of a tokenizer and its records in dir:
//
//   - tokenizer<tag>.json with encodings<tag>.jsonl;
//   - vocab.json with merges.txt, or vocab.txt, with encodings.jsonl;
//   - spm.model with sentencepiece.jsonl.
//
// The records may be compressed (.jsonl.gz). Names of special tokens in a text are read as tokens, as in the records. Each difference is reported with its
// file, its line and the first thing that differs. VerifyDir returns how many lines were compared and how many failed. err is not nil if a file cannot be
// read or if there is nothing to compare.
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
		return 0, 0, errors.New("nothing to compare: want tokenizer*.json, vocab.json with merges.txt, or vocab.txt with encodings*.jsonl, or spm.model " +
			"with sentencepiece.jsonl")
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
	z, err := gunzip.NewReader(bufio.NewReader(f))
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("%s.gz: %w", name, err)
	}
	return records{z, f}, name + ".gz", nil
}

func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("the record cannot be read: %w", err)
	}
	return nil
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
