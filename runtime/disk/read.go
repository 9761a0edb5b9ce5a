package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// File is a regular file that is open for reading.
type File struct{ *os.File }

// Open opens a regular file for reading. It checks the kind before it opens the file: a file that is not regular is an error that matches ErrKind,
// and a FIFO does not block it.
func Open(path string) (*File, error) {
	st, err := Stat(path)
	if err != nil {
		return nil, rename("open", err)
	}
	if !st.Mode().IsRegular() {
		return nil, notRegular(path, st.Mode())
	}
	if err := step(OpOpen, path); err != nil {
		return nil, pathError("open", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if st, err = f.Stat(); err == nil && !st.Mode().IsRegular() { // another file has taken the name in the meantime
		err = notRegular(path, st.Mode())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	remember(path, st)
	return &File{f}, nil
}

func notRegular(path string, m fs.FileMode) error {
	return because("open", path, ErrKind, "not a regular file: this is %s", kindOf(m))
}

// rename replaces the operation in an error of Stat by the caller's.
func rename(op string, err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return pathError(op, p.Path, p.Err)
	}
	return err
}

// Read reads as os.File does.
func (f *File) Read(p []byte) (int, error) {
	if err := step(OpRead, f.Name()); err != nil {
		return 0, pathError("read", f.Name(), err)
	}
	return f.File.Read(p)
}

// ReadAt reads as os.File does.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if err := step(OpRead, f.Name()); err != nil {
		return 0, pathError("read", f.Name(), err)
	}
	return f.File.ReadAt(p, offset)
}

// WriteTo copies the rest of the file to w.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{f})
}

// Ask asks the injected fault, if any, about an operation that another package does on the open file: mapping it, or reading the mapping. If Ask
// returns an error, the operation must fail with this error.
func (f *File) Ask(op Op) error {
	if err := step(op, f.Name()); err != nil {
		return pathError(string(op), f.Name(), err)
	}
	return nil
}

// Size returns the size in bytes.
func (f *File) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// ReadFile reads a regular file of at most limit bytes. A longer one is not read; it is an error that matches ErrLimit.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, because("read", path, ErrLimit, "the file has %d bytes, at most %d are read", size, limit)
	}
	return readLimited(f, path, size, limit)
}

// readLimited reads r to its end. size is the expected number of bytes; files of /proc report 0 and still have text.
func readLimited(r io.Reader, path string, size, limit int64) ([]byte, error) {
	text := make([]byte, 0, size+512)
	for {
		n, err := r.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		switch {
		case int64(len(text)) > limit:
			return nil, because("read", path, ErrLimit, "it has more than %d bytes, which are the most that are read", limit)
		case errors.Is(err, io.EOF):
			return text, nil
		case err != nil:
			return nil, err
		}
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
	}
}
