package dataset

import (
	"bytes"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/parquetfile"
)

// parquetMark is what Parquet files begin with.
const parquetMark = "PAR1"

// parquet opens the wanted columns of a Parquet file, as rows. columns are all columns of the file.
func (s *source) parquet(names []string) (r rows, columns []string, err error) {
	switch {
	case s.in.packing != "":
		return nil, nil, fault.Input(s.file, "a Parquet file that is compressed once more is not read: decompress it first (%s)", s.in.packing)
	case s.in.size < 0:
		return nil, nil, fault.Input(s.file, "a Parquet file is read from its end, so it cannot be a pipe: write it into a file")
	}
	f, err := parquetfile.Open(s.file)
	if err != nil {
		return nil, nil, s.refused(err)
	}
	file := s.in.close
	s.in.close = func() error { _ = file(); return f.Close() }
	columns = f.Columns()
	var read []string
	for i, name := range columns {
		if !slices.Contains(names, name) {
			continue
		}
		if slices.Contains(columns[:i], name) {
			return nil, nil, fault.Input(s.file, "two columns are named %q (its columns: %s)", name, nameList(columns))
		}
		read = append(read, name)
	}
	if len(read) == 0 {
		return nil, columns, nil
	}
	lines, err := f.Lines(read)
	if err != nil {
		return nil, nil, s.refused(err)
	}
	s.in.parts = f.Rows()
	o := newObject(s.file, unitRow, names, "")
	o.row.names = func() string { return nameList(columns) }
	return &objectLines{newWindow(s.file, lines), o}, columns, nil
}

// isParquet reports whether the file is a Parquet file by its first bytes, or by its name.
func (s *source) isParquet() bool {
	return bytes.HasPrefix(s.in.start, []byte(parquetMark))
}

func openParquet(s *source, o *Options) (reader, error) {
	c := newFields(o)
	r, columns, err := s.parquet(c.names)
	if err != nil {
		return nil, err
	}
	c.rows = r
	return c, c.columns(s.file, columns)
}
