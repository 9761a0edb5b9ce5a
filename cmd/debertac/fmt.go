package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec"
)

type fmtVerb struct {
	Files []string `arg:"" optional:"" name:"file" help:"Specs; without any, or with -, the standard input."`
	Write bool     `short:"w" xor:"what" help:"Write the result to the file instead of printing it."`
	Diff  bool     `short:"d" xor:"what" help:"Print a diff instead."`
	Check bool     `short:"c" xor:"what" help:"Print the names of files that would change instead; exit with 3 if there are any."`
}

// Help is the long help.
func (fmtVerb) Help() string {
	return `Prints specs in the canonical layout: four spaces per block, neighbouring lines aligned, · between factors.
Only the layout changes; comments stay. A file with a syntax error is not touched.

Examples:
  debertac fmt model.dspec         print it
  debertac fmt -w *.dspec          rewrite the files
  debertac fmt --check *.dspec     in a CI job`
}

// Run formats the files.
func (v *fmtVerb) Run(c *console.Console) error {
	files := v.Files
	if len(files) == 0 {
		files = []string{"-"}
	}
	changed := false
	for _, file := range files {
		c, err := v.one(c, file)
		if err != nil {
			return err
		}
		changed = changed || c
	}
	if v.Check && changed {
		return fault.NotHeld()
	}
	return nil
}

// one formats one file and reports whether that changes it.
func (v *fmtVerb) one(c *console.Console, file string) (changed bool, err error) {
	if v.Write && file != "-" {
		// a file may be named twice; a pipe could be read, but not written
		if _, err := disk.Place(file); err != nil && !errors.As(err, new(*disk.InputError)) {
			return false, output.Fault(err)
		}
	}
	name, text, err := source.Read(c, file)
	if err != nil {
		return false, err
	}
	tree, faults := spec.Parse(name, text)
	if faults.HasErrors() {
		return false, &fault.Error{Code: fault.ExitInput, List: faults, Files: tree.Sources()}
	}
	c.Warn(faults, tree.Sources())
	want, ok := spec.Format(tree)
	if !ok {
		return false, fault.Ours(fmt.Errorf("%s has no fault and no layout", name))
	}
	changed = !bytes.Equal(text, want)
	switch {
	case v.Check:
		if changed {
			_, err = fmt.Fprintln(c.Out, name)
		}
	case v.Diff:
		if changed {
			_, err = c.Out.Write(diff.Diff(name, text, name+" (canonical)", want))
		}
	case v.Write && file != "-":
		if changed {
			err = output.Fault(disk.RewriteFile(file, want, 0o666))
		}
	default:
		_, err = c.Out.Write(want)
	}
	return changed, err
}
