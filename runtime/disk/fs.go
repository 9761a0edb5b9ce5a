package disk

import (
	"errors"
	"fmt"
	"io/fs"
)

// FS returns the folder dir as a file system under the rules of this package: Open opens its files, a link whose target is missing is an error, and
// ReadFile has the given limit.
func FS(dir string, limit int64) fs.FS { return folder{dir, limit} }

type folder struct {
	dir   string
	limit int64
}

func (d folder) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", pathError(op, name, fs.ErrInvalid)
	}
	return d.dir + "/" + name, nil
}

// Open opens a regular file.
func (d folder) Open(name string) (fs.File, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	return Open(path)
}

// Stat describes a file or folder.
func (d folder) Stat(name string) (fs.FileInfo, error) {
	path, err := d.path("stat", name)
	if err != nil {
		return nil, err
	}
	return Stat(path)
}

// ReadFile reads a regular file.
func (d folder) ReadFile(name string) ([]byte, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	return ReadFile(path, d.limit)
}

// ReadDir lists a folder.
func (d folder) ReadDir(name string) ([]fs.DirEntry, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	return ReadDir(path)
}

// ExistsIn is Exists for any file system. In file systems that support links, such as os.DirFS, a link whose target is missing is an error.
func ExistsIn(fsys fs.FS, name string) (bool, error) {
	_, err := statIn(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func statIn(fsys fs.FS, name string) (fs.FileInfo, error) {
	st, err := fs.Stat(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		if l, lerr := fs.Lstat(fsys, name); lerr == nil && l.Mode()&fs.ModeSymlink != 0 {
			text := "this is a link that leads nowhere"
			if to, err := fs.ReadLink(fsys, name); err == nil {
				text += fmt.Sprintf(": there is no %s", to)
			}
			return nil, because("stat", name, ErrLink, "%s", text)
		}
	}
	return st, err
}

// ReadFileIn is ReadFile for any file system.
func ReadFileIn(fsys fs.FS, name string, limit int64) ([]byte, error) {
	st, err := statIn(fsys, name)
	if err != nil {
		return nil, rename("open", err)
	}
	if !st.Mode().IsRegular() {
		return nil, notRegular(name, st.Mode())
	}
	if st.Size() > limit {
		return nil, because("read", name, ErrLimit, "the file has %d bytes, at most %d are read", st.Size(), limit)
	}
	if own, ok := fsys.(fs.ReadFileFS); ok { // fsys may refuse files, and its errors have better names
		text, err := own.ReadFile(name)
		if err == nil && int64(len(text)) > limit { // it has grown since then
			return nil, because("read", name, ErrLimit, "it has more than %d bytes, which are the most that are read", limit)
		}
		return text, err
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := readLimited(f, name, st.Size(), limit)
	return text, errors.Join(err, f.Close())
}
