package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MkdirAll makes a folder and those above it, as os.MkdirAll does.
func MkdirAll(path string, perm fs.FileMode) error {
	if err := step(OpMkdir, path); err != nil {
		return pathError("mkdir", path, err)
	}
	if link := danglingLink(path); link != nil {
		return pathError("mkdir", path, link)
	}
	return os.MkdirAll(path, perm)
}

// Remove removes a file or an empty folder, as os.Remove does.
func Remove(path string) error {
	if err := step(OpRemove, path); err != nil {
		return pathError("remove", path, err)
	}
	return os.Remove(path)
}

// RemoveAll removes path and everything below it, as os.RemoveAll does.
func RemoveAll(path string) error {
	if err := step(OpRemove, path); err != nil {
		return pathError("remove", path, err)
	}
	return os.RemoveAll(path)
}

// Touch sets the modification time to now.
func Touch(path string) error {
	if err := step(OpTouch, path); err != nil {
		return pathError("touch", path, err)
	}
	now := time.Now()
	return os.Chtimes(path, now, now)
}

// TempDir makes a folder for temporary files in dir, or in the system's folder for temporary files if dir is empty. pattern is as in os.MkdirTemp.
// The caller removes the folder.
func TempDir(dir, pattern string) (string, error) {
	place := dir
	if place == "" {
		place = os.TempDir()
	}
	if err := step(OpMkdir, place); err != nil {
		return "", pathError("mkdir", place, err)
	}
	return os.MkdirTemp(dir, pattern)
}

// WriteThrowaway writes a file into a folder made by TempDir. It uses no temporary file and does not wait for the disk.
func WriteThrowaway(path string, data []byte, perm fs.FileMode) error {
	if err := step(OpCreate, path); err != nil {
		return pathError("create", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = write(f, path, data)
	return errors.Join(err, f.Close())
}

// syncDir makes the renames in a folder permanent. Some file systems cannot do this and return an error.
func syncDir(name, dir string) error {
	if err := step(OpSyncDir, name); err != nil {
		return pathError("sync", name, err)
	}
	if err := flushDir(dir); err != nil {
		return pathError("sync", name, cause(err))
	}
	return nil
}

// staleAfter is the age from which a temporary file may be removed by another writer of the same file. By then its own writer has locked it.
const staleAfter = time.Minute

// sweep removes temporary files of base that killed processes have left: those without a lock. Failures do no harm.
func sweep(dir, base string) {
	if dir == "" {
		dir = "."
	}
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return
	}
	stem := tempStem(base)
	for _, name := range names {
		if !strings.HasPrefix(name, stem) || !IsTemporary(name) {
			continue
		}
		path := filepath.Join(dir, name)
		st, err := os.Lstat(path)
		if err == nil && st.Mode().IsRegular() && time.Since(st.ModTime()) > staleAfter && abandoned(path) {
			os.Remove(path)
		}
	}
}
