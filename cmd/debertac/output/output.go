// Package output decides where files may be written, before any work, and reports why one cannot be.
package output

import (
	"errors"
	"io/fs"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/disk"
)

// Place checks before any work whether a file can be made at path. It returns the path of the file that would be replaced, after following links, or
// an error with the reason.
func Place(path string) (string, error) {
	if path == "-" {
		return "", fault.Usage("./-, if the file is to have this name", "-: this output is a file, and cannot be the standard output: name a file")
	}
	target, err := disk.Place(path)
	if err != nil {
		return "", Fault(err)
	}
	o, err := disk.Create(path, 0o666) // only writing shows whether the folder can be written
	if err != nil {
		return "", Fault(err)
	}
	o.Discard()
	return target, nil
}

// Fault returns the error for a file that cannot be written.
func Fault(err error) error {
	var system *fs.PathError
	if !errors.As(err, &system) {
		return err
	}
	var folder *disk.NoFolderError
	var input *disk.InputError
	switch {
	case errors.As(err, &input):
		return fault.OverInput(system.Path, input)
	case errors.As(err, &folder):
		return fault.Input(system.Path, "%v", folder).Hint("mkdir -p %s", wording.Quoted(folder.Dir))
	case errors.Is(err, disk.ErrKind):
		return fault.Input(system.Path, "%v", system.Err)
	case errors.Is(err, fs.ErrExist):
		return fault.Input(system.Path, "%v", system.Err).Hint("-o names another folder")
	}
	return fault.Input(system.Path, "it cannot be written: %v", system.Err)
}

// Apart refuses two flags that name the same output file. Either may be empty.
func Apart(flagA, a, flagB, b string) error {
	if a == "" || b == "" {
		return nil
	}
	same, err := disk.SamePlace(a, b)
	if err != nil {
		return Fault(err)
	}
	if same {
		return fault.Usage("give each its own name", "%s %s and %s %s are the same file, and one output would replace the other", flagA, a, flagB, b)
	}
	return nil
}

// Write writes a file atomically: a crash leaves the old text or the new one.
func Write(file string, text []byte) error {
	return Fault(disk.WriteFile(file, text, 0o666))
}
