package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/runtime/resource"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// fault is an error with the exit code that it means.
type fault struct {
	code  int
	list  diag.List    // what to print; may be empty: everything has been said
	files diag.Sources // for excerpts; nil: none
	more  string       // lines that follow, such as another program's output
}

// Error gives the first lines of all messages.
func (f *fault) Error() string {
	if err := f.list.Err(); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("exit code %d", f.code)
}

// inputFault says that the user's input is at fault. place is a file or folder, "" none.
func inputFault(place, format string, args ...any) *fault {
	// A message is one line; what an error has to say beyond that follows it.
	message, more, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	return &fault{code: exitInput, list: diag.List{diag.Errorf("", diag.Span{File: place}, "%s", message)}, more: more}
}

// hint adds something that can be typed.
func (f *fault) hint(format string, args ...any) *fault {
	f.list[len(f.list)-1].Hintf(format, args...)
	return f
}

// usage says that the command line is at fault.
func usage(hint, format string, args ...any) *fault {
	f := inputFault("debertac", format, args...).hint("%s", hint)
	f.code = exitUsage
	return f
}

// notHeld says that a check did not hold; what failed has been printed already.
func notHeld() *fault { return &fault{code: exitNotHeld} }

// ours says that debertac is at fault.
func ours(err error) *fault {
	f := inputFault("debertac", "%v", err).hint("this is a fault of debertac: please report it with the output of `debertac version`")
	f.code = exitOurs
	return f
}

// report prints an error in the form of all messages and gives the exit code.
func (a *app) report(err error) int {
	f := a.classify(err)
	f.list, f.files = a.shown(f.list, f.files)
	fmt.Fprint(a.err, f.render(a.color))
	return f.code
}

// render gives all messages, and what follows them.
func (f *fault) render(color bool) string {
	text := diag.Render(f.list, f.files, diag.Style{Color: color})
	if f.more == "" {
		return text
	}
	printable := func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}
	return text + strings.Map(printable, strings.TrimRight(f.more, "\n")) + "\n"
}

// classify finds out whose fault an error is.
func (a *app) classify(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	if a.ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return &fault{code: interrupt.Code(a.ctx), list: diag.List{diag.Errorf("", diag.Span{File: "debertac"}, "stopped")}}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		if input := (*disk.InputError)(nil); errors.As(err, &input) {
			return overInput(path.Path, input)
		}
		return inputFault(path.Path, "%v", path.Err)
	}
	var tensors *safetensors.Error
	var weights *runtime.WeightsError
	var link *os.LinkError
	var toolchain *build.ToolchainError
	var failed *build.GoError
	var scarce *resource.Error
	if errors.As(err, &tensors) || errors.As(err, &weights) || errors.As(err, &link) || errors.As(err, &toolchain) || errors.As(err, &failed) || errors.As(err, &scarce) || errors.Is(err, runtime.ErrInput) {
		return inputFault("", "%v", err)
	}
	return ours(err)
}

// shown returns messages without the names of specs that are no files: the place that the user knows stands there instead.
func (a *app) shown(list diag.List, files diag.Sources) (diag.List, diag.Sources) {
	if len(a.made) == 0 {
		return list, files
	}
	real := map[string]string{}
	for name, place := range a.made {
		real[place] = name
	}
	shown := make(diag.List, len(list))
	for i, d := range list {
		c := *d
		c.Notes = slices.Clone(d.Notes)
		spans := []*diag.Span{&c.Span}
		for n := range c.Notes {
			spans = append(spans, &c.Notes[n].Span)
		}
		for _, s := range spans {
			if place, ok := a.made[s.File]; ok {
				s.File = place
			}
		}
		shown[i] = &c
	}
	if files == nil {
		return shown, nil
	}
	return shown, func(file string) []byte {
		if name, ok := real[file]; ok {
			file = name
		}
		return files(file)
	}
}

// warn prints faults that stop nothing.
func (a *app) warn(list diag.List, files diag.Sources) {
	list, files = a.shown(list, files)
	fmt.Fprint(a.err, diag.Render(list, files, diag.Style{Color: a.color}))
}

// note prints a line for people, on stderr.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }

// outPlace says, before any work, why no file could be made at path. It returns the file that would be replaced, after following links.
func outPlace(path string) (string, error) {
	target, err := disk.Place(path)
	if err != nil {
		return "", outFault(err)
	}
	o, err := disk.Create(path, 0o666) // whether the folder can be written is found out by writing
	if err != nil {
		return "", outFault(err)
	}
	o.Discard()
	return target, nil
}

// outFault says why a file cannot be written.
func outFault(err error) error {
	var system *fs.PathError
	if !errors.As(err, &system) {
		return err
	}
	var folder *disk.NoFolderError
	var input *disk.InputError
	switch {
	case errors.As(err, &input):
		return overInput(system.Path, input)
	case errors.As(err, &folder):
		return inputFault(system.Path, "%v", folder).hint("mkdir -p %s", quoted(folder.Dir))
	case errors.Is(err, disk.ErrKind):
		return inputFault(system.Path, "%v", system.Err)
	}
	return inputFault(system.Path, "it cannot be written: %v", system.Err)
}

// overInput says that an output would replace an input.
func overInput(path string, err *disk.InputError) *fault {
	f := inputFault(path, "%v", err)
	f.code = exitUsage
	return f
}

// apart refuses two flags that name the same output file. Either may be empty.
func apart(flagA, a, flagB, b string) error {
	if a == "" || b == "" {
		return nil
	}
	same, err := disk.SamePlace(a, b)
	if err != nil {
		return outFault(err)
	}
	if same {
		return usage("give each its own name", "%s %s and %s %s are the same file, and one output would replace the other", flagA, a, flagB, b)
	}
	return nil
}

// writeFile writes a file in one step: a crash leaves the old text or the new one.
func writeFile(file string, text []byte) error {
	return outFault(disk.WriteFile(file, text, 0o666))
}

// source is a spec's text with its syntax tree.
type source struct {
	tree *spec.File
	spec *spec.Spec
}

// maxSpec bounds what is read of a spec, in bytes. The language's own limit is below it and has the better message.
const maxSpec = 16 << 20

// read gives a file's bytes; "-" is the standard input.
func (a *app) read(file string) (name string, text []byte, err error) {
	if file != "-" {
		if is, err := disk.IsDir(file); err == nil && is {
			return file, nil, inputFault(file, "this is a folder, a .dspec file is wanted").hint("debertac import %s -o model.dspec, if it is a model folder", quoted(file))
		}
		if packedWeights(file) {
			return file, nil, inputFault(file, "these are packed weights, a .dspec file is wanted").hint("the spec that they were packed for, then --weights %s", quoted(file))
		}
		if text, err = disk.ReadStream(a.ctx, file, maxSpec); err != nil { // a pipe will do
			return file, nil, err
		}
		return file, text, noSpec(file, text)
	}
	if text, err = disk.ReadAll(a.ctx, a.in, "stdin", maxSpec); err != nil {
		return "stdin", nil, err
	}
	return "stdin", text, noSpec("stdin", text)
}

// packedWeights reports whether a file is what debertac pack writes.
func packedWeights(file string) bool {
	if st, err := disk.Stat(file); err != nil || !st.Mode().IsRegular() || filepath.Ext(file) == ".dspec" {
		return false
	}
	f, err := safetensors.Open(file)
	if err != nil {
		return false
	}
	defer f.Close() // read only
	return f.Metadata()[runtime.LayoutKey] != ""
}

// noSpec refuses what is no spec at first sight, such as the files of a model folder: the faults that its lines have as a spec would tell nothing.
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
	fault := inputFault(file, "%s", what)
	if dir := filepath.Dir(file); file != "stdin" {
		if there, err := disk.Exists(filepath.Join(dir, "config.json")); there && err == nil {
			fault.hint("the model folder is %s", dir)
		}
	}
	return fault
}

// load reads, parses and resolves a spec. Warnings are printed, errors come back with everything that was found.
func (a *app) load(file string) (*source, error) { return a.loadWith(file, spec.Options{}) }

// loadWith is load for a use that changes what is checked.
func (a *app) loadWith(file string, o spec.Options) (*source, error) {
	name, text, err := a.read(file)
	if err != nil {
		return nil, err
	}
	return a.parseWith(name, text, o)
}

// parse is load for a text at hand.
func (a *app) parse(name string, text []byte) (*source, error) {
	return a.parseWith(name, text, spec.Options{})
}

// parseWith is parse for a use that changes what is checked.
func (a *app) parseWith(name string, text []byte, o spec.Options) (*source, error) {
	tree, faults := spec.Parse(name, text)
	s, more := spec.ResolveWith(tree, o)
	faults = append(faults, more...)
	faults.Sort()
	if faults.HasErrors() || s == nil {
		return nil, &fault{code: exitInput, list: faults, files: tree.Sources()}
	}
	a.warn(faults, tree.Sources())
	if o.Drawn && slices.ContainsFunc(compiler.NotYet(s), func(d *diag.Diag) bool { return d.Code == "checkpoint-scheme" }) {
		for _, m := range s.Models { // heads that no published layout names
			m.Checkpoint = "own"
		}
	}
	return &source{tree, s}, nil
}
