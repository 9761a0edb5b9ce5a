package dataset

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/gunzip"
)

// zstdWindow is the limit on the memory of decompression, in bytes; zstd -d has the same limit.
const zstdWindow = 128 << 20

// NewZstd returns a reader of what zstd has compressed, with a limit on its memory. It must be closed.
func NewZstd(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
}

// packings lists the compressions that are read, with the extensions and the first bytes of their files.
var packings = []struct {
	name, extension, start string
	open                   func(r *bufio.Reader) (io.Reader, func(), error)
}{
	{"gzip", ".gz", gunzip.Start, func(r *bufio.Reader) (io.Reader, func(), error) {
		z, err := gunzip.By(r, func(r io.Reader) (gunzip.Member, error) { return gzip.NewReader(r) })
		return z, func() {}, err
	}},
	{"zstd", ".zst", "\x28\xb5\x2f\xfd", func(r *bufio.Reader) (io.Reader, func(), error) {
		z, err := NewZstd(r)
		if err != nil {
			return nil, func() {}, err
		}
		return z, z.Close, nil
	}},
}

// signatures lists the first bytes of files that hold no rows that could be read.
var signatures = []struct{ start, what string }{
	{"PK\x03\x04", "a ZIP archive, as those of spreadsheets (.xlsx) are: unpack it, or export the sheet as CSV"},
	{"\xff\xfe", "UTF-16: convert it first, with iconv -f UTF-16 -t UTF-8"},
	{"\xfe\xff", "UTF-16: convert it first, with iconv -f UTF-16 -t UTF-8"},
	{"\xfd7zXZ\x00", "compressed by xz: decompress it with xz -d"},
	{"BZh91AY&SY", "compressed by bzip2: decompress it with bzip2 -d"},
	{"ARROW1", "an Arrow file: write it as Parquet"},
}

// stream is an open file, decompressed.
type stream struct {
	name    string // without the extension of a compression, in lower case
	packing string // the name of the compression; "": none
	start   []byte // the first bytes
	text    *bufio.Reader
	size    int64
	read    *counter
	close   func() error
	parts   int64 // the rows of a file that is not read from its start to its end; 0: it is
}

// done returns how many bytes of the file, as stored, have been read. rows is the number of rows that have been read.
func (s *stream) done(rows int64) int64 {
	if s.parts > 0 {
		return int64(float64(s.size) * float64(rows) / float64(s.parts))
	}
	return s.read.n.Load()
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// openStream opens a file and looks at its first bytes: it undoes a compression, skips a byte order mark, and refuses what is not text.
func openStream(ctx context.Context, path string) (*stream, error) {
	f, err := disk.OpenStream(ctx, path)
	if err != nil {
		return nil, err
	}
	s := newStream(path, f, f.Size(), f.Close)
	if err := s.begin(path); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func newStream(path string, r io.Reader, size int64, closed func() error) *stream {
	return &stream{name: strings.ToLower(filepath.Base(path)), size: size, read: &counter{r: r}, close: closed}
}

func (s *stream) begin(path string) error {
	s.text = bufio.NewReaderSize(s.read, 1<<16)
	start, err := s.peek(path)
	if err != nil {
		return err
	}
	for _, p := range packings {
		named := strings.HasSuffix(s.name, p.extension)
		switch {
		case named && len(start) == 0:
			return fault.Input(path, "the file is empty")
		case named && !bytes.HasPrefix(start, []byte(p.start)):
			return fault.Input(path, "its name ends in %s, but it is not a %s file", p.extension, p.name)
		case !bytes.HasPrefix(start, []byte(p.start)):
			continue
		}
		s.name, s.packing = strings.TrimSuffix(s.name, p.extension), p.name
		z, closed, err := p.open(s.text)
		if err != nil {
			return s.broken(path, err)
		}
		file := s.close
		s.close = func() error { closed(); return file() }
		s.text = bufio.NewReaderSize(z, 1<<16)
		if start, err = s.peek(path); err != nil {
			return err
		}
		break
	}
	if len(start) == 0 {
		return fault.Input(path, "the file is empty")
	}
	for _, g := range signatures {
		if bytes.HasPrefix(start, []byte(g.start)) {
			return fault.Input(path, "it is %s", g.what)
		}
	}
	s.start = bytes.Clone(start)
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(start, mark) {
		s.start = s.start[len(mark):]
		if _, err := s.text.Discard(len(mark)); err != nil {
			return s.broken(path, err)
		}
		if len(s.start) == 0 {
			return fault.Input(path, "the file is empty, but for a byte order mark")
		}
	}
	return nil
}

// peek returns the first bytes.
func (s *stream) peek(path string) ([]byte, error) {
	start, err := s.text.Peek(16)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, s.broken(path, err)
	}
	return start, nil
}

// broken returns the error for a file whose first bytes cannot be read.
func (s *stream) broken(path string, err error) error {
	return (&source{file: path, in: s}).broken(err)
}

// Text is an open file of text, decompressed and without a byte order mark.
type Text struct{ file source }

// OpenText opens a file of text, which may be compressed. An empty file, and one whose first bytes are those of another format, are errors.
func OpenText(ctx context.Context, path string) (*Text, error) {
	in, err := openStream(ctx, path)
	if err != nil {
		return nil, err
	}
	return &Text{source{file: path, in: in}}, nil
}

// Read reads bytes of the text. Its errors name the file.
func (t *Text) Read(p []byte) (int, error) {
	n, err := t.file.in.text.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = t.file.broken(err)
	}
	return n, err
}

// Close closes the file.
func (t *Text) Close() error { return t.file.Close() }
