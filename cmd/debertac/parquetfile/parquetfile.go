// Package parquetfile reads columns of Parquet files as lines of JSON, a bounded part at a time.
package parquetfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/debertac/debertac/runtime/disk"
)

// File is an open Parquet file.
type File struct {
	f      *disk.File
	file   *parquet.File
	fields []parquet.Field
}

// Open opens a file and reads its description. It returns an error for a file that is not a Parquet file or is damaged.
func Open(path string) (*File, error) {
	f, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	p := &File{f: f}
	if err := p.describe(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return p, nil
}

func (p *File) describe() (err error) {
	defer damaged(&err)
	st, err := p.f.Stat()
	if err != nil {
		return err
	}
	switch {
	case st.Size() == 0:
		return errors.New("the file is empty: it is not a Parquet file")
	}
	if err := checkFooter(p.f, st.Size()); err != nil {
		return err
	}
	if p.file, err = parquet.OpenFile(p.f, st.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true)); err != nil {
		return fmt.Errorf("it is not a Parquet file, or is damaged: %w", err)
	}
	p.fields = p.file.Schema().Fields()
	return nil
}

// damaged turns a panic of the decoder, which damaged files can cause, into an error.
func damaged(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("the file is damaged: %v", v)
	}
}

// Close closes the file.
func (p *File) Close() error { return p.f.Close() }

// Rows returns the number of rows.
func (p *File) Rows() int64 { return p.file.NumRows() }

// Columns returns the names of the columns, in the order of the file.
func (p *File) Columns() []string {
	var names []string
	for _, f := range p.fields {
		names = append(names, f.Name())
	}
	return names
}

// Lines returns a reader that yields one JSON object per row, with the named columns. Each object is one line. Strings, numbers, truth values, dates, times,
// and lists and structures of them are read; a column of another type is an error that names it. Bytes that are not UTF-8 are copied as they are.
func (p *File) Lines(names []string) (r io.Reader, err error) {
	defer damaged(&err)
	l := &lines{file: p.file}
	for _, name := range names {
		i := slices.IndexFunc(p.fields, func(f parquet.Field) bool { return f.Name() == name })
		if i < 0 {
			return nil, fmt.Errorf("no column %q (its columns: %s)", name, strings.Join(p.Columns(), ", "))
		}
		c, err := newColumn(p.file.Schema(), p.fields[i])
		if err != nil {
			return nil, err
		}
		if err := c.unpacks(p.file.Metadata()); err != nil {
			return nil, err
		}
		l.columns = append(l.columns, c)
	}
	return l, nil
}

// lines reads the rows of some columns as lines of JSON.
type lines struct {
	file    *parquet.File
	columns []*column
	group   int   // the next row group
	left    int64 // rows of the current row group that are left
	row     int64 // rows that were read
	buf     bytes.Buffer
	err     error
}

// block is the smallest number of bytes that are made at a time.
const block = 1 << 15

// Read reads from the lines.
func (l *lines) Read(p []byte) (int, error) {
	if l.buf.Len() == 0 && l.err == nil {
		l.buf.Reset()
		if l.err = l.fill(); l.err != nil && !errors.Is(l.err, io.EOF) {
			l.err = fmt.Errorf("row %d: %w", l.row+1, l.err)
		}
	}
	if l.buf.Len() > 0 {
		return l.buf.Read(p)
	}
	return 0, l.err
}

func (l *lines) fill() (err error) {
	defer damaged(&err)
	for l.buf.Len() < block {
		for l.left == 0 {
			if err := l.open(); err != nil {
				return err
			}
		}
		whole := l.buf.Len()
		if err := l.one(); err != nil {
			l.buf.Truncate(whole)
			return err
		}
		l.left--
		l.row++
	}
	return nil
}

// one writes the next row's line.
func (l *lines) one() error {
	sep := byte('{')
	for _, c := range l.columns {
		l.buf.WriteByte(sep)
		sep = ','
		l.buf.Write(c.quoted)
		l.buf.WriteByte(':')
		if err := c.write(&l.buf); err != nil {
			return fmt.Errorf("column %q: %w", c.name, err)
		}
	}
	l.buf.WriteString("}\n")
	return nil
}

// open goes to the next row group; io.EOF after the last one.
func (l *lines) open() error {
	for _, c := range l.columns {
		for _, l := range c.leaves {
			if err := l.close(); err != nil {
				return err
			}
		}
	}
	groups := l.file.RowGroups()
	if l.group == len(groups) {
		return io.EOF
	}
	g := groups[l.group]
	l.group++
	l.left = g.NumRows()
	for _, c := range l.columns {
		for _, l := range c.leaves {
			l.pages = g.ColumnChunks()[l.leaf.ColumnIndex].Pages()
		}
	}
	return nil
}
