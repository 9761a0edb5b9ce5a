// Package dataset reads data files as examples. Every format that it knows has one reader; a row that cannot be used is an error that names its file, its
// place and the reason, and the rows after it are still read.
package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/zstd"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/gunzip"
)

// Options are the options of Open. The zero value reads a file whose name tells its format and whose fields have the names of their roles.
type Options struct {
	Format string // one of FormatNames; "": the name of the file tells, or its first bytes
	// Fields holds the names of fields that are not called as their roles are, by the role: Fields["text"] = "sentence". Each of these fields must be there.
	Fields map[string]string
	Read   []string // the roles that are read; nil: all
	// Need lists the roles that every example must have. "text|words" is one of both.
	Need []string
	// Characters is set if the offsets of entities, and those of answers in a field "start", count characters (Unicode code points). Otherwise they count
	// bytes. The field "answer_start" counts characters, whatever is set here.
	Characters bool

	Task  string // one of TaskNames: the path is a file or folder of that task
	Split string // of a task, whose path is a folder: train, validation or test; "": Usual. mnli also has the splits validation_mismatched and test_mismatched
	Usual string // the split that is read if Split is ""; "": train

	Words, Tags int    // the columns of CoNLL files from 1, or from the end with -1 as the last; 0: the first for words, the last for tags
	Scheme      string // of the tags in the file, one of SchemeNames; "": found out
	WantScheme  string // the scheme that tags are converted to; "": they stay as they are
	Repair      bool   // a tag that its scheme forbids is read as the script conlleval reads it, and is not a fault
}

// Source reads examples.
type Source interface {
	// Next returns the next example. At the end it returns io.EOF. An error that is a *RowError concerns one row: Next can be called again. Any other error is
	// the last result: what was read before it is not all of the data.
	Next() (*example.Example, error)
	// Read returns how many bytes of the files have been read, as stored, and how many there are; -1 if that is not known.
	Read() (done, size int64)
	Close() error
}

// The units in which rows of files are counted.
const (
	unitLine     = "line"
	unitRow      = "row"      // of a Parquet file
	unitElement  = "element"  // of a JSON array
	unitQuestion = "question" // of a file of questions
	unitArticle  = "article"  // of such a file
)

// RowError is the error of a row that cannot be used.
type RowError struct {
	File   string
	Unit   string // in which Number counts: line, row, element, question or article
	Number int64  // from 1
	Reason string
}

// Error returns the place and the reason.
func (e *RowError) Error() string { return e.Place() + ": " + e.Reason }

// Place returns where the row is: "file:line", or the file with the number of the row, element or question.
func (e *RowError) Place() string { return example.Place(e.File, e.Unit, e.Number) }

// source is an open file.
type source struct {
	file     string
	format   string
	unit     string // in which examples count
	reader   reader
	in       *stream
	queue    []result
	at       int
	need     []roleSet // what each example must have, if the reader does not know of it
	examples int64     // results that were returned, faults among them
	err      error     // the last result, once there is one
}

// reader appends the results of the next row to the queue. At the end it returns io.EOF.
type reader interface {
	read(q []result) ([]result, error)
}

// result is an example or a fault.
type result struct {
	example *example.Example
	fault   *RowError
}

// Open opens a file; the file or folder of a task; or, if the format is race, a folder of articles. The error for a file that is empty, or lacks a field that
// o names, is an error of Open.
func Open(ctx context.Context, path string, o Options) (Source, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	st, err := disk.Stat(path)
	if err != nil {
		return nil, err
	}
	files := []string{path}
	if st.IsDir() {
		if files, err = o.files(path); err != nil {
			return nil, err
		}
	} else if err = o.fits(path); err != nil {
		return nil, err
	}
	if len(files) > 1 {
		return openFiles(ctx, files, &o)
	}
	s, err := openFile(ctx, files[0], &o)
	if err != nil { // a nil *source would not be a nil Source
		return nil, err
	}
	return s, nil
}

// openFile opens one file.
func openFile(ctx context.Context, path string, o *Options) (*source, error) {
	s := &source{file: path}
	var err error
	if s.in, err = openStream(ctx, path); err != nil {
		return nil, err
	}
	if err = s.open(o); err != nil {
		return nil, errors.Join(err, s.in.close())
	}
	return s, nil
}

// Next returns the next example.
func (s *source) Next() (*example.Example, error) {
	for s.at == len(s.queue) {
		if s.err != nil {
			return nil, s.err
		}
		s.queue, s.at = s.queue[:0], 0
		if s.queue, s.err = s.reader.read(s.queue); s.err == nil {
			continue
		}
		if !errors.Is(s.err, io.EOF) {
			s.err = s.broken(s.err)
		} else if s.examples == 0 && len(s.queue) == 0 {
			s.err = fault.Input(s.file, "there are no examples in it (read as %s)", s.format)
		}
	}
	r := s.queue[s.at]
	s.queue[s.at] = result{}
	s.at++
	s.examples++
	if r.fault != nil {
		return nil, r.fault
	}
	for _, set := range s.need {
		if !set.in(r.example) {
			return nil, &RowError{File: s.file, Unit: s.unit, Number: r.example.At, Reason: "it has no " + set.String()}
		}
	}
	r.example.File, r.example.Unit = s.file, s.unit
	return r.example, nil
}

// broken returns the error for a file that cannot be read to its end.
func (s *source) broken(err error) error {
	var input *fault.Error
	var path *fs.PathError
	if errors.As(err, &input) || errors.As(err, &path) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	what := "it cannot be read"
	if s.in.packing != "" {
		what = "it cannot be decompressed (" + s.in.packing + ")"
	}
	before := ""
	if n := s.examples + int64(len(s.queue)-s.at); n > 0 {
		before = fmt.Sprintf(" (after %d examples)", n)
	}
	if errors.Is(err, zstd.ErrMagicMismatch) { // its start was right
		err = gunzip.ErrTrailing
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Input(s.file, "%s: it ends inside the compressed data, so the file is cut short%s", what, before)
	}
	return fault.Input(s.file, "%s: %v%s", what, err, before)
}

// refused returns the error for a file that is not what it should be.
func (s *source) refused(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return err
	}
	return fault.Input(s.file, "%v", err)
}

// Read returns how much of the file has been read.
func (s *source) Read() (done, size int64) { return s.in.done(s.examples), s.in.size }

// Close closes the file.
func (s *source) Close() error { return s.in.close() }
