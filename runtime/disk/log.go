package disk

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Log is a file that grows at its end, such as the measurements of a run. What has been written stays if the process is killed, so unlike an Output it
// may end in a part of a write; its owner looks for such a part when it opens the file again, and cuts it off. It is not safe for concurrent use.
type Log struct {
	file *os.File
	name string // the path that the caller passed
	size int64
}

// OpenLog opens the file at path in order to add to it, and makes it if nothing has the name, with the permissions perm less the umask. Links are
// followed. A file that is not regular is refused with an error that matches ErrKind, and so are files in the places that Create refuses.
func OpenLog(path string, perm fs.FileMode) (*Log, error) {
	target, old, err := place(path)
	if err != nil {
		return nil, err
	}
	op := OpOpen
	if old == 0 {
		op = OpCreate
	}
	if err := step(op, path); err != nil {
		return nil, pathError("open", path, err)
	}
	f, err := os.OpenFile(target, os.O_RDWR|os.O_CREATE, perm.Perm())
	if err != nil {
		return nil, pathError("open", path, cause(err))
	}
	l := &Log{file: f, name: path}
	st, err := f.Stat()
	switch {
	case err != nil:
		err = pathError("open", path, cause(err))
	case !st.Mode().IsRegular(): // another file has taken the name in the meantime
		err = notRegular(path, st.Mode())
	case old == 0:
		err = syncDir(path, filepath.Dir(target))
	}
	if err != nil {
		f.Close() // nothing was written to it
		return nil, err
	}
	l.size = st.Size()
	return l, nil
}

// Size returns the length of the file in bytes.
func (l *Log) Size() int64 { return l.size }

// Reader returns a reader of what the file holds now.
func (l *Log) Reader() io.Reader { return io.NewSectionReader(&File{l.file}, 0, l.size) }

// Truncate cuts the file to size bytes, of those that it has.
func (l *Log) Truncate(size int64) error {
	if size < 0 || size > l.size {
		return pathError("truncate", l.name, fmt.Errorf("the file has %d bytes, and cannot be cut to %d", l.size, size))
	}
	if err := step(OpWrite, l.name); err != nil {
		return pathError("truncate", l.name, err)
	}
	if err := l.file.Truncate(size); err != nil {
		return pathError("truncate", l.name, cause(err))
	}
	l.size = size
	return nil
}

// Write adds p at the end, in one call of the system. If this fails halfway, as on a full disk, the part that was written is cut off again.
func (l *Log) Write(p []byte) (int, error) {
	n, err := write(io.NewOffsetWriter(l.file, l.size), l.name, p)
	if err != nil {
		_ = l.file.Truncate(l.size) // the first error is the one to report; what stays is cut off by whoever opens the file again
		return 0, pathError("write", l.name, cause(err))
	}
	l.size += int64(n)
	return n, nil
}

// Sync waits until what was written is on the disk.
func (l *Log) Sync() error {
	err := step(OpSync, l.name)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return pathError("sync", l.name, cause(err))
	}
	return nil
}

// Close closes the file. What was written stays, even if the process is killed afterwards; only Sync protects it from a power failure.
func (l *Log) Close() error {
	if err := l.file.Close(); err != nil {
		return pathError("close", l.name, cause(err))
	}
	return nil
}
