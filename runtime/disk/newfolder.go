package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Folder is a folder that is being made. It gets its name when Commit succeeds; until then its files lie in a temporary folder beside it.
type Folder struct {
	name string // the path that the caller passed
	path string // the folder that is made: name with its links followed
	temp string // "" after Commit and Discard
	lock *os.File
}

// CreateFolder starts to make a folder, which appears at path when Commit succeeds. Nothing may have the name but an empty folder, which is replaced;
// the error for anything else matches fs.ErrExist. The folder that path lies in must exist.
func CreateFolder(path string) (*Folder, error) {
	target := strings.TrimRight(filepath.ToSlash(path), "/")
	if target == "" {
		return nil, because("create", path, ErrKind, "the name of a new folder is wanted")
	}
	if err := step(OpStat, path); err != nil {
		return nil, pathError("create", path, err)
	}
	if link, err := filepath.EvalSymlinks(target); err == nil {
		target = link
	}
	if err := allowed(path, target); err != nil {
		return nil, err
	}
	switch st, err := os.Lstat(target); {
	case errors.Is(err, fs.ErrNotExist):
		if err := folderOf(path, target); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, pathError("create", path, cause(err))
	case st.Mode()&fs.ModeSymlink != 0:
		return nil, because("create", path, ErrLink, "it is a link whose target is missing")
	case !st.IsDir():
		return nil, because("create", path, fs.ErrExist, "it is there already, and is not a folder")
	default:
		if err := empty(path, target); err != nil {
			return nil, err
		}
	}
	return beside(path, target, 0o777)
}

// Scratch makes a folder for the temporary files of a file that is being made at path, beside it. Discard removes it. If the process is killed, the next
// Scratch of this path removes it.
func Scratch(path string) (*Folder, error) { return beside(path, path, 0o700) }

// beside makes the temporary folder of target.
func beside(path, target string, perm fs.FileMode) (*Folder, error) {
	dir, base := filepath.Split(target)
	sweepFolders(dir, base)
	for {
		temp := dir + tempName(base)
		if err := step(OpMkdir, path); err != nil {
			return nil, pathError("create", path, err)
		}
		err := os.Mkdir(temp, perm)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, pathError("create", path, cause(err))
		}
		f := &Folder{name: path, path: target, temp: temp}
		if lock, err := os.Open(temp); err == nil { // so that nobody sweeps it; without locks nobody sweeps
			_ = tryLock(lock, true) // the name is new, so nobody else has it
			f.lock = lock
		}
		return f, nil
	}
}

// empty returns an error unless the folder is empty.
func empty(path, target string) error {
	entries, err := os.ReadDir(target)
	switch {
	case err != nil:
		return pathError("create", path, cause(err))
	case len(entries) > 0:
		return because("create", path, fs.ErrExist, "the folder is there already, and holds %s", entries[0].Name())
	}
	return nil
}

// Dir returns the temporary folder, for the files that the folder is to have.
func (f *Folder) Dir() string { return f.temp }

// Commit renames the folder to its name. If it fails, nothing has the name, and the temporary folder is gone.
func (f *Folder) Commit() error {
	if f.temp == "" {
		return pathError("commit", f.name, errDone)
	}
	err := step(OpRename, f.name)
	if err == nil {
		err = os.Remove(f.path) // an empty folder; one that got files in the meantime stays, and the renaming fails
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Rename(f.temp, f.path)
	}
	if err != nil {
		f.Discard()
		return pathError("create", f.name, cause(err))
	}
	f.temp = ""
	f.unlock()
	return syncDir(f.name, filepath.Dir(f.path))
}

// Discard removes the temporary folder. After Commit it does nothing, so it can be deferred.
func (f *Folder) Discard() {
	if f.temp == "" {
		return
	}
	f.unlock()
	_ = RemoveAll(f.temp) // what stays goes with the next folder of this name
	f.temp = ""
}

// unlock releases the temporary folder.
func (f *Folder) unlock() {
	if f.lock != nil {
		f.lock.Close() // nothing was written to it
		f.lock = nil
	}
}

// sweepFolders removes temporary folders of base that killed processes have left. Failures do no harm.
func sweepFolders(dir, base string) {
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), tempStem(base)) || !IsTemporary(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if st, err := e.Info(); err == nil && time.Since(st.ModTime()) > staleAfter && abandoned(path) {
			os.RemoveAll(path)
		}
	}
}
