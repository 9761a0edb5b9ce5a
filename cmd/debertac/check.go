package main

import (
	"errors"
	"fmt"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
)

type checkVerb struct {
	Files []string `arg:"" name:"file" help:"Specs; - is the standard input."`
}

// Help is the long help.
func (checkVerb) Help() string {
	return `Reports all errors of the specs: unknown names, sizes that do not fit, terms without meaning, settings that contradict each
other, calls and trainings that need more memory than their bounds. What is correct but cannot be compiled by this version, and a
training of a spec without a target, is a warning. Nothing is written. Each message ends with a code in brackets; the page of a code is
printed by ` + "`debertac explain CODE`" + `.

Example:
  debertac check model.dspec`
}

// Run checks all files, even if the first ones have faults.
func (v *checkVerb) Run(c *console.Console) error {
	bad := 0
	for _, file := range v.Files {
		src, err := source.Load(c, file)
		if err != nil {
			var f *fault.Error
			if errors.As(fault.Classify(c.Context, err), &f) && f.Code != fault.ExitInput {
				return err
			}
			c.Report(err)
			bad++
			continue
		}
		later := append(compiler.NotYet(src.Spec), compiler.NotEmitted(src.Spec)...)
		if !later.HasErrors() {
			over, err := compiler.OverBounds(src.Spec)
			if err != nil {
				return err
			}
			later = append(later, over...)
		}
		c.Warn(later, src.Tree.Sources())
		if later.HasErrors() {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	if len(v.Files) > 1 {
		fmt.Fprintf(c.Err, "%d of %d files %s faults\n", bad, len(v.Files), map[bool]string{true: "has", false: "have"}[bad == 1])
	}
	return &fault.Error{Code: fault.ExitInput}
}
