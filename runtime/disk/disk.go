// Package disk is the only package that touches files. Everything that reads or writes a file goes through it, so that seven rules hold everywhere:
//
//   - A name that exists and cannot be read is an error. A name is absent only if nothing has it: a link whose target is missing is an error.
//   - Reads check the kind of the file and have a limit. Open and ReadFile check the kind before they open a file, so that a FIFO does not
//     block them and a device is refused. ReadFile stops at its limit. OpenStream is for input that may be a pipe.
//   - A written file is whole or absent. The bytes go to a temporary file in the same folder and are synced; then the file is renamed.
//   - A file that must stay when the program is killed, and grows while it runs, is a Log.
//   - A folder that is written with CreateFolder is whole or absent too.
//   - A program may ask that files it has read are not replaced: see GuardInputs.
//   - Only regular files are replaced. Links are followed: the file that the link names is replaced, and the link stays.
//
// Errors have type *fs.PathError and carry the path that the caller passed.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrKind is matched by errors.Is for errors about a path that is a folder, device, FIFO or socket where a regular file is expected.
var ErrKind = errors.New("not a regular file")

// ErrLink is matched by errors.Is for errors about a link whose target is missing. Such an error does not match fs.ErrNotExist.
var ErrLink = errors.New("a link that leads nowhere")

// ErrLimit is matched by errors.Is for errors about a file that is longer than its limit.
var ErrLimit = errors.New("longer than its limit")

// reason is an error with its own text. errors.Is matches its kind.
type reason struct {
	kind error
	text string
}

func (r *reason) Error() string { return r.text }

func (r *reason) Is(target error) bool { return target == r.kind }

// pathError returns an error with the operation and the path that the caller passed.
func pathError(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

// because is pathError with a text.
func because(op, path string, kind error, format string, args ...any) error {
	return pathError(op, path, &reason{kind, fmt.Sprintf(format, args...)})
}

// kindOf returns the name of the kind of a file that is not regular.
func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "of an unknown kind"
}

// Stat describes the file that path names, following links. A link whose target is missing is an error that matches ErrLink. The error matches
// fs.ErrNotExist only if nothing has the name.
func Stat(path string) (fs.FileInfo, error) {
	if err := step(OpStat, path); err != nil {
		return nil, pathError("stat", path, err)
	}
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if link := danglingLink(path); link != nil {
			return nil, pathError("stat", path, link)
		}
	}
	return st, err
}

// danglingLink returns an error if path, or a folder on its way, is a link whose target is missing.
func danglingLink(path string) error {
	for p := path; ; {
		st, err := os.Lstat(p)
		if err == nil {
			if st.Mode()&fs.ModeSymlink == 0 {
				return nil
			}
			if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			text := "this is a link that leads nowhere"
			if p != path {
				text = p + " is a link that leads nowhere"
			}
			if to, err := os.Readlink(p); err == nil {
				text += fmt.Sprintf(": there is no %s", to)
			}
			return &reason{ErrLink, text}
		}
		up := filepath.Dir(p)
		if up == p || !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		p = up
	}
}

// Exists reports whether something has the name. It returns false without an error only if nothing has it. A link whose target is missing, a folder
// that may not be searched and every other failure are errors.
func Exists(path string) (bool, error) {
	_, err := Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// IsDir reports whether path names a folder. It returns false without an error if nothing has the name.
func IsDir(path string) (bool, error) {
	st, err := Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && st.IsDir(), err
}

// ReadDir lists a folder, sorted by name.
func ReadDir(path string) ([]fs.DirEntry, error) {
	if err := step(OpReadDir, path); err != nil {
		return nil, pathError("open", path, err)
	}
	return os.ReadDir(path)
}
