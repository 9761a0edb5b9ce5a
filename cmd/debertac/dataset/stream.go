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
	{"gzip", ".gz", gzipStart, func(r *bufio.Reader) (io.Reader, func(), error) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, func() {}, err
		}
		z.Multistream(false)
		return &members{z: z, r: r}, func() {}, nil
	}},
	{"zstd", ".zst", "\x28\xb5\x2f\xfd", func(r *bufio.Reader) (io.Reader, func(), error) {
		z, err := NewZstd(r)
		if err != nil {
			return nil, func() {}, err
		}
		return z, z.Close, nil
	}},
}

// gzipStart is what every member of a gzip file begins with.
const gzipStart = "\x1f\x8b"

// members reads the members of a gzip file one after the other. It tells a file that is cut short from one in which something else follows.
type members struct {
	z *gzip.Reader
	r *bufio.Reader
}

// Read reads decompressed bytes.
func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if n > 0 && errors.Is(err, io.EOF) {
			return n, nil // the next call looks for another member
		}
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		next, err := m.r.Peek(len(gzipStart))
		switch {
		case len(next) == 0:
			return 0, err // the end, or a failure to read
		case string(next) != gzipStart:
			return 0, errors.New("something follows the compressed data that is not compressed: remove it")
		}
		if err := m.z.Reset(m.r); err != nil {
			return 0, err
		}
		m.z.Multistream(false)
	}
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
