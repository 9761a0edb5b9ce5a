// Package gunzip reads the members of gzip files one after the other, as the program gzip does.
package gunzip

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
)

// Start is what every member begins with.
const Start = "\x1f\x8b"

// Member decompresses a member, and then others. A *gzip.Reader is one.
type Member interface {
	io.Reader
	Multistream(ok bool)
	Reset(r io.Reader) error
}

// ErrTrailing is the error of Read for bytes after the last member that are neither a member nor zeros.
var ErrTrailing = errors.New("something follows the compressed data that is not compressed: remove it")

// Reader reads what the members hold. A file that is cut short ends with io.ErrUnexpectedEOF. Zeros after the last member do not count: writers of tapes and
// archives fill blocks with them.
type Reader struct {
	z Member
	r *bufio.Reader
}

// NewReader returns a reader of the members of r, decompressed by package compress/gzip.
func NewReader(r *bufio.Reader) (*Reader, error) {
	return By(r, func(r io.Reader) (Member, error) { return gzip.NewReader(r) })
}

// By returns a reader whose members another decompressor reads.
func By(r *bufio.Reader, open func(r io.Reader) (Member, error)) (*Reader, error) {
	z, err := open(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &Reader{z: z, r: r}, nil
}

// Read reads decompressed bytes.
func (m *Reader) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if n > 0 && errors.Is(err, io.EOF) {
			return n, nil // the next call looks for another member
		}
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		next, failed := m.r.Peek(len(Start))
		switch {
		case len(next) == 0 && errors.Is(failed, io.EOF):
			return 0, io.EOF
		case len(next) == 0:
			return 0, failed
		case next[0] == 0:
			return 0, m.zeros()
		case string(next) != Start:
			return 0, ErrTrailing
		}
		if err := m.z.Reset(m.r); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		m.z.Multistream(false)
	}
}

// zeros reads to the end of the file, which must hold zeros alone. At the end it returns io.EOF.
func (m *Reader) zeros() error {
	for {
		b, err := m.r.ReadByte()
		switch {
		case err != nil:
			return err
		case b != 0:
			return ErrTrailing
		}
	}
}
