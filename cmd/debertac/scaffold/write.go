package scaffold

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/disk"
)

// ownWeights are the weights that init packs next to its files.
type ownWeights struct {
	name string // in the folder; "" without weights
	unit *compiler.Unit
}

// free refuses a folder that holds anything but files that init would write there. Files that a killed run has left are such files: this run
// completes the folder.
func (v *Scaffold) free(texts map[string][]byte, weights ownWeights) error {
	err := filepath.WalkDir(v.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(v.Dir, path)
		if err != nil || name == "." {
			return err
		}
		used := func() error {
			return fault.Input(v.Dir, "the folder is not empty: it holds %s", name).Hint("name a new folder")
		}
		if d.IsDir() {
			for planned := range texts {
				if strings.HasPrefix(planned, name+string(filepath.Separator)) {
					return nil
				}
			}
			return used()
		}
		if disk.IsTemporary(d.Name()) {
			return nil
		}
		if name == weights.name && d.Type().IsRegular() && pack.Check(path, weights.unit.Program) == nil {
			disk.Replaceable(path) // they are packed again
			return nil
		}
		want, planned := texts[name]
		if !planned || !d.Type().IsRegular() {
			return used()
		}
		have, err := disk.ReadFile(path, folder.MostText)
		if err == nil && !bytes.Equal(have, want) {
			return used()
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		_, err = disk.Exists(v.Dir) // a link that leads nowhere cannot become the new folder
	}
	return err
}

// write writes the files of the folder, by their paths in it, and the generated packages. If a write fails, it removes the new files again.
func (v *Scaffold) write(c *console.Console, texts map[string][]byte, packages []gopackage.Package, weights ownWeights) (err error) {
	for _, g := range packages {
		dir, err := filepath.Rel(v.Dir, g.Dir)
		if err != nil {
			return fault.Ours(err)
		}
		for _, f := range g.Pkg.Files {
			texts[filepath.Join(dir, f.Name)] = f.Text
		}
	}
	if err := v.free(texts, weights); err != nil {
		return err
	}
	var made []string // files and folders, in order
	defer func() {
		if err == nil {
			return
		}
		for _, path := range slices.Backward(made) {
			_ = disk.Remove(path) // the first error is the one to report
		}
	}()
	folder := func(dir string) error {
		there, err := disk.Exists(dir)
		if err != nil || there {
			return err
		}
		if err := disk.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		made = append(made, dir)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		path := filepath.Join(v.Dir, name)
		if err := c.Context.Err(); err != nil {
			return err
		}
		if err := errors.Join(folder(v.Dir), folder(filepath.Dir(path))); err != nil {
			return err
		}
		there, err := disk.Exists(path)
		if err != nil {
			return err
		}
		if !there {
			made = append(made, path)
		}
		if err := disk.RewriteFile(path, texts[name], 0o666); err != nil {
			return output.Fault(err)
		}
	}
	return nil
}
