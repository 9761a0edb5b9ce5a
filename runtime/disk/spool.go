package disk

import (
	"bufio"
	"errors"
	"io"
	"os"
)

// Spool is a temporary file in the system's folder for such files: it is written once, and read as often as wanted. It is gone after Close, and on Unix
// also when the process ends in any way. It is not safe for concurrent use.
type Spool struct {
	file *os.File
	name string // of the file until Close; "": it has none any more
	buf  *bufio.Writer
}

// NewSpool makes an empty Spool. The error names the folder.
func NewSpool() (*Spool, error) {
	dir := os.TempDir()
	if err := step(OpCreate, dir); err != nil {
		return nil, pathError("create", dir, err)
	}
	f, err := os.CreateTemp(dir, "debertac-")
	if err != nil {
		return nil, pathError("create", dir, cause(err))
	}
	s := &Spool{file: f}
	if os.Remove(f.Name()) != nil { // where an open file cannot be removed, Close does it
		s.name = f.Name()
	}
	s.buf = bufio.NewWriterSize(spoolWriter{f, dir}, 1<<16)
	return s, nil
}

// spoolWriter writes to the file. Its errors name the folder, because the file has no name any more.
type spoolWriter struct {
	file *os.File
	dir  string
}

// Write adds bytes.
func (w spoolWriter) Write(p []byte) (int, error) {
	n, err := write(w.file, w.dir, p)
	if err != nil {
		err = pathError("write a temporary file in", w.dir, cause(err))
	}
	return n, err
}

// Write adds bytes. It must not be called after Reader.
func (s *Spool) Write(p []byte) (int, error) { return s.buf.Write(p) }

// Reader returns the file at its start. A process that is started with it as its standard input can read it several times, see Again.
func (s *Spool) Reader() (*os.File, error) {
	if err := s.buf.Flush(); err != nil {
		return nil, err
	}
	_, err := s.file.Seek(0, io.SeekStart)
	return s.file, err
}

// Close removes the file. A file that was removed before is left alone: its name may be that of another file by now.
func (s *Spool) Close() error {
	err := s.file.Close()
	if s.name == "" {
		return err
	}
	if removed := os.Remove(s.name); removed != nil && !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

// Again returns what is left of an open regular file, which can be read several times; ok is false for everything else, such as a pipe.
func Again(r io.Reader) (rest *io.SectionReader, ok bool) {
	f, ok := r.(*os.File)
	if s, is := r.(*Stream); is {
		f, ok = s.file, true
	}
	if !ok {
		return nil, false
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return nil, false
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, false
	}
	return io.NewSectionReader(&File{f}, at, max(0, st.Size()-at)), true
}
