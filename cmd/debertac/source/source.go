// Package source reads specs, from a file or from memory, and compiles them.
package source

import (
	"bytes"
	"path/filepath"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Source is a spec's text with its syntax tree.
type Source struct {
	Tree *spec.File
	Spec *spec.Spec
}

// maxSpec is the largest size of a spec that is read, in bytes. The language's own limit is smaller and has a better message.
const maxSpec = 16 << 20

// Read returns a file's bytes; "-" is the standard input.
func Read(c *console.Console, file string) (name string, text []byte, err error) {
	if file != "-" {
		if is, err := disk.IsDir(file); err == nil && is {
			return file, nil, fault.Input(file, "this is a folder, a .dspec file is wanted").Hint("debertac import %s -o model.dspec, if it is a model "+
				"folder", wording.Quoted(file))
		}
		if packedWeights(file) {
			return file, nil, fault.Input(file, "these are packed weights, a .dspec file is wanted").Hint("the spec that they were packed for, then "+
				"--weights %s", wording.Quoted(file))
		}
		if text, err = disk.ReadStream(c.Context, file, maxSpec); err != nil { // a pipe is accepted
			return file, nil, err
		}
		return file, text, noSpec(file, text)
	}
	if text, err = disk.ReadAll(c.Context, c.In, "stdin", maxSpec); err != nil {
		return "stdin", nil, err
	}
	return "stdin", text, noSpec("stdin", text)
}

// packedWeights reports whether a file was written by debertac pack.
func packedWeights(file string) bool {
	if st, err := disk.Stat(file); err != nil || !st.Mode().IsRegular() || filepath.Ext(file) == ".dspec" {
		return false
	}
	f, err := safetensors.Open(file)
	if err != nil {
		return false
	}
	defer f.Close() // read only
	return f.Metadata()[engine.LayoutKey] != ""
}

// noSpec refuses a file that is obviously not a spec, such as a file of a model folder: the faults of its lines as a spec would tell the user nothing.
func noSpec(file string, text []byte) error {
	start := bytes.TrimSpace(text)
	if bytes.HasPrefix(start, []byte("dspec")) {
		return nil
	}
	what := ""
	switch {
	case bytes.IndexByte(text, 0) >= 0:
		what = "this is no text, a .dspec file is wanted"
	case bytes.HasPrefix(start, []byte("{")) || bytes.HasPrefix(start, []byte("[")):
		what = "this is JSON, a .dspec file is wanted"
	default:
		return nil
	}
	fault := fault.Input(file, "%s", what)
	if dir := filepath.Dir(file); file != "stdin" {
		if there, err := disk.Exists(filepath.Join(dir, "config.json")); there && err == nil {
			fault.Hint("the model folder is %s", dir)
		}
	}
	return fault
}

// Load reads, parses and resolves a spec. It prints warnings. An error holds all faults that were found.
func Load(c *console.Console, file string) (*Source, error) { return LoadWith(c, file, spec.Options{}) }

// LoadWith is Load with options that change what is checked.
func LoadWith(c *console.Console, file string, o spec.Options) (*Source, error) {
	name, text, err := Read(c, file)
	if err != nil {
		return nil, err
	}
	return parseWith(c, name, text, o)
}

// Parse is Load for a text in memory.
func Parse(c *console.Console, name string, text []byte) (*Source, error) {
	return parseWith(c, name, text, spec.Options{})
}

// parseWith is Parse with options that change what is checked.
func parseWith(c *console.Console, name string, text []byte, o spec.Options) (*Source, error) {
	tree, faults := spec.Parse(name, text)
	s, more := spec.ResolveWith(tree, o)
	faults = append(faults, more...)
	faults.Sort()
	if faults.HasErrors() || s == nil {
		return nil, &fault.Error{Code: fault.ExitInput, List: faults, Files: tree.Sources()}
	}
	c.Warn(faults, tree.Sources())
	if o.Drawn && slices.ContainsFunc(compiler.NotYet(s), func(d *diag.Diag) bool { return d.Code == "checkpoint-scheme" }) {
		for _, m := range s.Models { // heads that no published layout names
			m.Checkpoint = "own"
		}
	}
	return &Source{tree, s}, nil
}
