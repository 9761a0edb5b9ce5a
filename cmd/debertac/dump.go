package main

import (
	"fmt"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
)

type dumpVerb struct {
	File string `arg:"" help:"The spec; - is the standard input."`
	source.Choice
	After string `placeholder:"PASS" help:"Print the program after this pass; build is the program before all passes. Default: the last pass."`
	Trace bool   `help:"Compile as verify does: the hidden states of all layers are outputs."`
}

// Help is the long help; it lists the passes.
func (dumpVerb) Help() string {
	var b strings.Builder
	b.WriteString("Prints the intermediate representation of a spec as text that can be read back.\n\nExample:\n  debertac dump --after fuse " +
		"model.dspec\n\nPasses, in their order:\n  build      the program as the spec describes it\n")
	for _, p := range compiler.Passes() {
		fmt.Fprintf(&b, "  %-10s %s\n", p.Name, p.Doc)
	}
	return strings.TrimRight(b.String(), "\n")
}

// Run prints the programs.
func (v *dumpVerb) Run(c *console.Console) error {
	units, _, err := source.UnitsAfter(c, v.File, v.After, compiler.Options{Target: v.Target, Emit: v.Emit, Trace: v.Trace})
	if err != nil {
		return err
	}
	for i, u := range units {
		if i > 0 {
			fmt.Fprintln(c.Out)
		}
		if _, err := fmt.Fprint(c.Out, ir.Print(u.Program)); err != nil {
			return err
		}
	}
	return nil
}
