package main

import (
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
)

type compileVerb struct {
	File string `arg:"" help:"The spec, or a Hugging Face model folder; - is the standard input."`
	source.Choice
	folder.Wishes
	folder.LentFlag
	gopackage.Place
}

// Help is the long help.
func (compileVerb) Help() string {
	return `Writes the Go package of a spec: the model's schedule in readable Go, its kernels in assembly and in portable Go,
tests and a benchmark. The same spec yields the same bytes anywhere. Files of yours are never overwritten; generated
files that are no longer part of the package are removed.

The package has the name in --package or in the spec's target (emit … as package "nli"). Without one it has the name of
the package whose files are in the folder already, or else of the folder itself, in letters and digits.

Examples:
  debertac compile model.dspec                    into a folder named after the model
  debertac compile model.dspec -o internal/nli    package nli
  debertac compile ~/models/deberta-v3-base --head fill-mask

In a Go file, to be run by ` + "`go generate`" + `:
  //go:generate go tool debertac compile model.dspec -o .`
}

// Run compiles the spec and writes its packages.
func (v *compileVerb) Run(c *console.Console) error {
	made, err := gopackage.Generate(c, v.File, v.Choice, model.Options{Wishes: v.Wishes, LentFlag: v.LentFlag}, v.Place)
	if err != nil {
		return err
	}
	for _, g := range made {
		if err := c.Context.Err(); err != nil {
			return err
		}
		if err := g.Pkg.WriteTo(g.Dir); err != nil {
			return gopackage.FolderFault(g.Dir, err)
		}
		c.Note("%s: package %s, %s", g.Dir, g.Pkg.Name, wording.Counted(len(g.Pkg.Files), "file", "files"))
	}
	return nil
}
