package main

import (
	"fmt"
	"strings"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
)

type dumpVerb struct {
	File string `arg:"" help:"The spec; - is the standard input."`
	chosen
	After string `placeholder:"PASS" help:"Print the program after this pass; build is the program before all passes. Default: the last pass."`
	Trace bool   `help:"Compile as verify does: the hidden states of all layers are outputs."`
}

// Help is the long help; it lists the passes.
func (dumpVerb) Help() string {
	var b strings.Builder
	b.WriteString("Prints the intermediate representation of a spec as text that can be read back.\n\nExample:\n  debertac dump --after fuse model.dspec\n\nPasses, in their order:\n  build      the program as the spec describes it\n")
	for _, p := range compiler.Passes() {
		fmt.Fprintf(&b, "  %-10s %s\n", p.Name, p.Doc)
	}
	return strings.TrimRight(b.String(), "\n")
}

// Run prints the programs.
func (v *dumpVerb) Run(a *app) error {
	units, _, err := a.unitsAfter(v.File, v.After, compiler.Options{Target: v.Target, Emit: v.Emit, Trace: v.Trace})
	if err != nil {
		return err
	}
	for i, u := range units {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if _, err := fmt.Fprint(a.out, ir.Print(u.Program)); err != nil {
			return err
		}
	}
	return nil
}

// list joins words as a sentence does: a, b and c.
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return "none"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
