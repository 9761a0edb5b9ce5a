package main

import (
	"fmt"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
)

type diffVerb struct {
	File string `arg:"" help:"The spec, or a Hugging Face model folder; - is the standard input."`
	source.Choice
	folder.Wishes
	folder.LentFlag
	gopackage.Place
}

// Help is the long help.
func (diffVerb) Help() string {
	return `Compares the package in a folder with what compile would write there. It lists files that are stale, missing, or no longer part
of the package, and exits with 3 if there are any. Nothing is written. Pass the same flags as to compile.

Example, in a CI job:
  debertac diff model.dspec -o internal/nli`
}

// Run compares the package in the folder with the one that compile would write.
func (v *diffVerb) Run(c *console.Console) error {
	made, err := gopackage.Generate(c, v.File, v.Choice, model.Options{Wishes: v.Wishes, LentFlag: v.LentFlag}, v.Place)
	if err != nil {
		return err
	}
	count := 0
	for _, g := range made {
		changes, err := g.Pkg.Diff(g.Dir)
		if err != nil {
			return gopackage.FolderFault(g.Dir, err)
		}
		for _, change := range changes {
			if _, err := fmt.Fprintf(c.Out, "%s: %s\n", g.Dir, change); err != nil {
				return err
			}
		}
		count += len(changes)
	}
	if count > 0 {
		c.Note("%s: run debertac compile", wording.Counted(count, "file differs", "files differ"))
		return fault.NotHeld()
	}
	return nil
}
