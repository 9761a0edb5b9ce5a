package dataset

import (
	"bytes"
	"errors"
	"io"

	"github.com/debertac/debertac/cmd/debertac/fault"
)

// maxRow bounds a row, in bytes, so that a file of another kind does not fill the memory.
const maxRow = 64 << 20

// errTooLong is the error of a row that is longer than maxRow.
var errTooLong = errors.New("it is longer than 64 MiB")

// smallBuffer is the size of a buffer in bytes, unless a row needs more.
const smallBuffer = 1 << 18

// carriageReturns is the message about a file whose lines end in CR alone. It would be taken for one line.
const carriageReturns = `its lines end in CR alone: convert it first, with tr '\r' '\n' for instance`

// window is a part of a file that is in memory: the bytes from at on have not been read yet.
type window struct {
	file  string
	r     io.Reader
	buf   []byte
	at    int
	eof   bool
	lines int64 // line ends before at
}

func newWindow(file string, r io.Reader) *window { return &window{file: file, r: r} }

// rest returns the bytes that are in memory and have not been read. They are valid until the next call of fill.
func (w *window) rest() []byte { return w.buf[w.at:] }

// fill reads more of the file. At its end it returns io.EOF.
func (w *window) fill() error {
	if w.eof {
		return io.EOF
	}
	rest := len(w.buf) - w.at
	switch {
	case rest <= smallBuffer/2 && cap(w.buf) != smallBuffer:
		w.buf = append(make([]byte, 0, smallBuffer), w.rest()...)
	case cap(w.buf)-rest < cap(w.buf)/2:
		w.buf = append(make([]byte, 0, 2*cap(w.buf)), w.rest()...)
	default:
		w.buf = append(w.buf[:0], w.rest()...)
	}
	w.at = 0
	for range 100 {
		n, err := w.r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			w.eof = true
			if n == 0 {
				return io.EOF
			}
			return nil
		case err != nil:
			return err
		case n > 0:
			return nil
		}
	}
	return io.ErrNoProgress
}

// end returns the end of the first line that ends after the first n bytes of rest: the number of bytes with its line end. The last line may have no line
// end. A line that would be longer than maxRow is errTooLong, and then nothing has been read.
func (w *window) end(n int) (int, error) {
	for {
		if i := bytes.IndexByte(w.buf[w.at+n:], '\n'); i >= 0 {
			if n+i > maxRow {
				return 0, errTooLong
			}
			return n + i + 1, nil
		}
		n = len(w.buf) - w.at
		if n > maxRow {
			return 0, errTooLong
		}
		if err := w.fill(); errors.Is(err, io.EOF) {
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// take reads n bytes of rest.
func (w *window) take(n int) {
	w.lines += int64(bytes.Count(w.buf[w.at:w.at+n], []byte{'\n'}))
	w.at += n
}

// line reads the next line and returns it without its end, with its number. It is valid until the next call. A line that is longer than maxRow is read to
// its end and is errTooLong.
func (w *window) line() (line []byte, number int64, err error) {
	n, err := w.end(0)
	number = w.lines + 1
	if errors.Is(err, errTooLong) {
		if err := w.skip(); err != nil {
			return nil, number, err
		}
		return nil, number, errTooLong
	}
	if err != nil {
		return nil, number, err
	}
	line = w.buf[w.at : w.at+n]
	w.at += n
	if line[n-1] == '\n' {
		w.lines++
		line = line[:n-1]
		if n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		}
	} else if number == 1 && bytes.IndexByte(line, '\r') >= 0 { // the whole file is one line
		return nil, 1, fault.Input(w.file, carriageReturns)
	}
	return line, number, nil
}

// skip reads to the end of the line without keeping it.
func (w *window) skip() error {
	for {
		if i := bytes.IndexByte(w.rest(), '\n'); i >= 0 {
			w.take(i + 1)
			return nil
		}
		w.at = len(w.buf)
		if err := w.fill(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// space reads white space and returns the byte after it, which is not read. At the end it returns io.EOF.
func (w *window) space() (byte, error) {
	for {
		for i, c := range w.rest() {
			if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
				w.take(i)
				return c, nil
			}
		}
		w.take(len(w.rest()))
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
}
