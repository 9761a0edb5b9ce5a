package folder

import (
	"errors"
	"io/fs"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec/hf"
)

// nothing is the file system of a folder without files.
type nothing struct{}

// Open returns fs.ErrNotExist.
func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadDir returns no entries.
func (nothing) ReadDir(string) ([]fs.DirEntry, error) { return nil, nil }

// OpenFile opens a safetensors file as a folder that has nothing but weights, which a spec describes. Its tokenizer is the one that --tokenizer names, if any;
// ignore names files and fields that are left out of it.
func OpenFile(c *console.Console, path string, ignore []string, tokenizer string) (*Folder, error) {
	if tokenizer == "" && len(ignore) > 0 {
		return nil, fault.Usage("leave out --ignore", "--ignore leaves out files and fields of a model folder or a tokenizer, and %s is neither", path)
	}
	view, err := hf.NewView(nothing{}, nil)
	if err != nil {
		return nil, fault.Ours(err)
	}
	f := &Folder{Dir: path, view: view, kind: "none"}
	if f.Beside, err = hf.ReadBeside(view); err != nil {
		return nil, fault.Ours(err)
	}
	if err := f.openWeights(&layout{open: func(path string) (pack.Weights, error) { return opened(safetensors.Open(path)) }}); err != nil {
		return nil, err
	}
	t, err := Lend(c, tokenizer, ignore)
	if err == nil {
		err = f.borrow(t)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// noAdapters refuses weights with adapters: a spec has no place for them, and without them they are those of another model.
func noAdapters(place string, w pack.Weights) error {
	for _, name := range w.Names() {
		if published.Adapter(name) {
			return fault.Input(place, "the weights have adapters that are not merged, such as %s", name).
				Hint("SaveModel of a trainer writes merged weights; docs/getting-a-model.md describes how PEFT merges them")
		}
	}
	return nil
}
