package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
)

// InputError reports that a file to be written is one that this process has read. See GuardInputs.
type InputError struct{ Input string } // the path that the file was read by

// Error names the input.
func (e *InputError) Error() string {
	return fmt.Sprintf("this file is also an input of the command, read as %s, and would be lost: choose another name for the output", e.Input)
}

// inputs are the files that were read while at least one guard was on, by the path that they were opened by.
var inputs struct {
	sync.Mutex
	guards int
	files  map[string]fs.FileInfo
}

// GuardInputs makes Place, Create, WriteFile and Install refuse, with an *InputError, each file that this process has opened for reading since, by
// whatever path or link. Rewrite and RewriteFile replace such files, and so does every write after Replaceable. The guard is for programs that run
// one command and exit; it is off until GuardInputs is called, and after stop.
func GuardInputs() (stop func()) {
	inputs.Lock()
	defer inputs.Unlock()
	inputs.guards++
	return sync.OnceFunc(func() {
		inputs.Lock()
		defer inputs.Unlock()
		if inputs.guards--; inputs.guards == 0 {
			inputs.files = nil
		}
	})
}

// remember notes that a file was opened for reading.
func remember(path string, st fs.FileInfo) {
	inputs.Lock()
	defer inputs.Unlock()
	if inputs.guards == 0 || !st.Mode().IsRegular() {
		return
	}
	if inputs.files == nil {
		inputs.files = map[string]fs.FileInfo{}
	}
	inputs.files[path] = st
}

// guarded returns an error if target, the file that a write to path replaces, was read.
func guarded(path, target string) error {
	inputs.Lock()
	defer inputs.Unlock()
	if len(inputs.files) == 0 {
		return nil
	}
	st, err := os.Lstat(target)
	if err != nil {
		return nil // a new file; place has reported all other errors
	}
	if own, ok := inputs.files[path]; ok && os.SameFile(own, st) {
		return pathError("create", path, &InputError{path})
	}
	for name, in := range inputs.files {
		if os.SameFile(in, st) {
			return pathError("create", path, &InputError{name})
		}
	}
	return nil
}

// Replaceable lets writes replace the file at path although this process has read it, for callers that read it to see whether it may be replaced.
func Replaceable(path string) {
	st, err := os.Stat(path)
	if err != nil {
		return // nothing is there that a write would replace
	}
	inputs.Lock()
	defer inputs.Unlock()
	maps.DeleteFunc(inputs.files, func(_ string, in fs.FileInfo) bool { return os.SameFile(in, st) })
}

// SamePlace reports whether writes to the paths a and b replace the same file, after following links. The file may be missing. Errors are those of
// Place.
func SamePlace(a, b string) (bool, error) {
	first, err := Place(a)
	if err != nil {
		return false, err
	}
	second, err := Place(b)
	if err != nil {
		return false, err
	}
	if same, err := sameFile(first, second); same || err == nil {
		return same, err
	}
	// At least one does not exist: they are the same if the folder and the name are.
	same, err := sameFile(filepath.Dir(first), filepath.Dir(second))
	return same && filepath.Base(first) == filepath.Base(second), err
}

// sameFile reports whether two existing paths name one file.
func sameFile(a, b string) (bool, error) {
	x, err := os.Stat(a)
	y, other := os.Stat(b)
	if err := errors.Join(err, other); err != nil {
		return false, err
	}
	return os.SameFile(x, y), nil
}
