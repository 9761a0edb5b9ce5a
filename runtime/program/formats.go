package program

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/gunzip"
)

// The formats of input files.
const (
	formatJSONL    = "jsonl"
	formatJSON     = "json"
	formatCSV      = "csv"
	formatTSV      = "tsv"
	formatPlainTSV = "tsv-plain"
	formatLines    = "lines"
)

// formats lists the names that --format takes, with the file extensions of each.
var formats = []struct {
	name       string
	extensions []string
}{
	{formatJSONL, []string{".jsonl", ".ndjson"}},
	{formatJSON, []string{".json"}},
	{formatCSV, []string{".csv"}},
	{formatTSV, []string{".tsv", ".tab"}},
	{formatPlainTSV, nil},
	{formatLines, []string{".txt", ".text"}},
}

// FormatNames returns the formats that --format takes.
func FormatNames() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// converted lists extensions of files that debertac run reads and the programs that it builds do not.
var converted = []struct{ extension, what, way string }{
	{".parquet", "a Parquet file", "convert it to JSONL"},
	{".zst", "compressed by zstd", "decompress it with zstd -d"},
}

// InputFormat returns the format that the extension of a file's name stands for, not counting ".gz" at its end. The error for other names lists the known
// extensions.
func InputFormat(name string) (string, error) {
	lower := strings.ToLower(name)
	extension := filepath.Ext(strings.TrimSuffix(lower, ".gz"))
	var known []string
	for _, f := range formats {
		if slices.Contains(f.extensions, extension) {
			return f.name, nil
		}
		known = append(known, f.extensions...)
	}
	for _, c := range converted {
		if strings.HasSuffix(lower, c.extension) {
			return "", faulty(name, "it is %s, which this program does not read: use debertac run, or %s", c.what, c.way)
		}
	}
	what := fmt.Sprintf("its extension %q is not known", extension)
	if extension == "" {
		what = "its name has no extension"
	}
	return "", faulty(name, "%s (known: %s; .gz after them; debertac run also reads .parquet and .zst): give --format %s", what, strings.Join(known, " "),
		strings.Join(FormatNames(), "|"))
}

// PlainTexts reports whether the command line alone shows that the texts of run have no other fields: they are arguments, or lines of a file. input and format
// are the flags of these names.
func PlainTexts(arguments int, input, format string) bool {
	switch {
	case arguments > 0:
		return true
	case format != "":
		return format == formatLines
	case input == "" || input == "-": // its first bytes decide
		return false
	}
	format, err := InputFormat(input)
	return err == nil && format == formatLines
}

// signatures lists the first bytes of files that are not text. If they were read as texts, the results would mean nothing.
var signatures = []struct{ start, what string }{
	{"PAR1\x15", "a Parquet file, which this program does not read: use debertac run, or convert it to JSONL"},
	{"\x28\xb5\x2f\xfd", "compressed by zstd, which this program does not read: use debertac run, or decompress it with zstd -d"},
	{"PK\x03\x04", "a ZIP archive, as those of spreadsheets (.xlsx) are: export it as CSV"},
	{"\xff\xfe", "UTF-16: convert it first, with iconv -f UTF-16 -t UTF-8"},
	{"\xfe\xff", "UTF-16: convert it first, with iconv -f UTF-16 -t UTF-8"},
	{"\xfd7zXZ\x00", "compressed by xz: decompress it with xz -d"},
	{"BZh91AY&SY", "compressed by bzip2: decompress it with bzip2 -d"},
}

// input is an open input.
type input struct {
	source
	name    string       // name in messages
	columns *columns     // nil: its records have no fields
	size    int64        // size of the file in bytes, as stored; -1 if not known
	read    *countReader // bytes read of it so far
	close   func() error // never nil
}

// next reads a record and sets how many bytes of the input have been read.
func (in *input) next() (record, error) {
	r, err := in.source.next()
	if in.read != nil {
		r.read = in.read.n.Load()
	}
	return r, err
}

// opening describes an input to open, and how to read it.
type opening struct {
	path    string // "-" is the standard input
	format  string // empty: the name tells
	called  string // the name in messages, if it is not path
	columns *columns
}

// open opens a file, a pipe or standard input. It recognizes gzip by its first bytes.
func (o opening) open(ctx context.Context, stdin io.Reader) (*input, error) {
	in := &input{name: o.path, columns: o.columns, size: -1, close: func() error { return nil }}
	var raw io.Reader = stdin
	format, hint := o.format, ""
	if o.path == "-" {
		in.name = "standard input"
		if format == "" {
			format = formatJSONL
			hint = fmt.Sprintf(" (its name does not tell the format: --format %s if it is not JSONL)", strings.Join(FormatNames()[1:], "|"))
		}
	} else {
		f, err := disk.OpenStream(ctx, o.path)
		if err != nil {
			return nil, err
		}
		in.close, in.size, raw = f.Close, f.Size(), f
		if format == "" {
			if format, err = InputFormat(o.path); err != nil {
				return nil, errors.Join(err, in.close())
			}
		}
	}
	if o.called != "" {
		in.name = o.called
	}
	var err error
	in.read = &countReader{r: raw}
	if in.source, err = o.source(in, format, hint); err != nil {
		return nil, errors.Join(err, in.close())
	}
	return in, nil
}

// source makes the reader of a format.
func (o opening) source(in *input, format, hint string) (source, error) {
	b := bufio.NewReaderSize(in.read, 1<<13) // small, because progress counts whole blocks: a block of compressed mails holds about a dozen
	head, err := b.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, faulty(in.name, "it cannot be read: %w", err)
	}
	if string(head) == gunzip.Start {
		z, err := gunzip.NewReader(b)
		if err != nil {
			return nil, faulty(in.name, "damaged gzip file: %w", err)
		}
		b = bufio.NewReaderSize(z, 1<<16)
	} else if strings.HasSuffix(strings.ToLower(o.path), ".gz") {
		return nil, faulty(in.name, "its name ends in .gz, but it is not a gzip file")
	}
	if err := skipByteOrderMark(in.name, b); err != nil {
		return nil, err
	}
	from := lines{file: in.name, unit: unitLine, r: b}
	if strings.HasSuffix(strings.ToLower(o.called), ".parquet") {
		from.unit = unitRow
	}
	switch format {
	case formatLines:
		return &from, nil
	case formatCSV:
		return newTable(in.name, b, ',', true, o.columns)
	case formatTSV:
		return newTable(in.name, b, '\t', true, o.columns)
	case formatPlainTSV:
		return newTable(in.name, b, '\t', false, o.columns)
	case formatJSON:
		if from.line, err = skipSpace(b); err != nil {
			return nil, faulty(in.name, "it cannot be read: %w", err)
		}
		if start, err := b.Peek(1); err == nil && start[0] == '[' {
			return newArray(in.name, b, o.columns), nil
		}
		hint = " (a .json file is an array of objects or strings, or holds one object per line)"
	}
	return &objects{from, o.columns, hint}, nil
}

// skipSpace drops white space before the first value and returns the number of line ends in it.
func skipSpace(b *bufio.Reader) (lines int, err error) {
	for {
		c, err := b.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return lines, nil
		case err != nil:
			return lines, err
		case c == '\n':
			lines++
		case c != ' ' && c != '\t' && c != '\r':
			return lines, b.UnreadByte()
		}
	}
}

// skipByteOrderMark drops the mark that some editors put before UTF-8. If the first bytes show that the input is not text, it returns an error. It looks
// only at what the first read returns and does not wait for more, because a person may have typed a short line.
func skipByteOrderMark(name string, b *bufio.Reader) error {
	if _, err := b.Peek(1); err != nil && !errors.Is(err, io.EOF) {
		return faulty(name, "it cannot be read: %w", err)
	}
	head, err := b.Peek(min(b.Buffered(), 16))
	if err != nil {
		return faulty(name, "it cannot be read: %w", err)
	}
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.start)) {
			return faulty(name, "it is %s", s.what)
		}
	}
	if bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}) {
		_, err = b.Discard(3)
	}
	return err
}
