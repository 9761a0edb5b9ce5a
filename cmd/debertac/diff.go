package main

import "fmt"

type diffVerb struct {
	File string `arg:"" help:"The spec, or a Hugging Face model folder; - is the standard input."`
	chosen
	wishes
	lentFlag
	placed
}

// Help is the long help.
func (diffVerb) Help() string {
	return `Compares the package in a folder with what compile would write there. It lists files that are stale, missing, or no longer part
of the package, and exits with 3 if there are any. Nothing is written. Give the same flags as to compile.

Example, in a CI job:
  debertac diff model.dspec -o internal/nli`
}

// Run compares.
func (v *diffVerb) Run(a *app) error {
	made, err := a.generate(v.File, v.chosen, programOptions{wishes: v.wishes, lentFlag: v.lentFlag}, v.placed)
	if err != nil {
		return err
	}
	count := 0
	for _, g := range made {
		changes, err := g.pkg.Diff(g.dir)
		if err != nil {
			return folderFault(g.dir, err)
		}
		for _, c := range changes {
			if _, err := fmt.Fprintf(a.out, "%s: %s\n", g.dir, c); err != nil {
				return err
			}
		}
		count += len(changes)
	}
	if count > 0 {
		a.note("%s: run debertac compile", counted(count, "file differs", "files differ"))
		return notHeld()
	}
	return nil
}
