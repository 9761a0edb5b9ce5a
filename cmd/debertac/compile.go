package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec/diag"
)

// chosen are the flags by which a verb picks a part of a spec.
type chosen struct {
	Target string `placeholder:"NAME" help:"Which target of the spec; default the first."`
	Emit   string `placeholder:"NAME" help:"Only this one of what the target emits: MODEL or MODEL.HEAD."`
}

// named makes --head of a spec the choice of what is emitted. A folder's own spec has just the head that was asked for.
func (c *chosen) named(src *source, dir *folder, head string) error {
	if head == "" || dir != nil {
		return nil
	}
	if c.Emit != "" {
		return usage("give one of them", "--head %s and --emit %s both choose what is emitted", head, c.Emit)
	}
	h, err := findHead(src, head)
	if err == nil {
		c.Emit = h.FullName()
	}
	return err
}

type compileVerb struct {
	File string `arg:"" help:"The spec, or a Hugging Face model folder; - is the standard input."`
	chosen
	wishes
	lentFlag
	Out string `short:"o" placeholder:"DIR" help:"Folder for the package. A spec that emits more than one gets a folder for each inside it. Default: a folder here, named like the package."`
}

// Help is the long help.
func (compileVerb) Help() string {
	return `Writes the Go package of a spec: the model's schedule in readable Go, its kernels in assembly and in portable Go,
tests and a benchmark. The same spec gives the same bytes anywhere. Files of yours are never overwritten; generated
files that are no longer part of the package are removed.

Examples:
  debertac compile model.dspec                 into a folder named like the package
  debertac compile model.dspec -o internal/nli
  debertac compile ~/models/deberta-v3-base --head fill-mask

In a Go file, to be run by ` + "`go generate`" + `:
  //go:generate go run github.com/debertac/debertac/cmd/debertac compile model.dspec -o .`
}

// Run compiles and writes.
func (v *compileVerb) Run(a *app) error {
	made, err := a.generate(v.File, v.chosen, programOptions{wishes: v.wishes, lentFlag: v.lentFlag}, v.Out)
	if err != nil {
		return err
	}
	for _, g := range made {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		if err := g.pkg.WriteTo(g.dir); err != nil {
			return folderFault(g.dir, err)
		}
		a.note("%s: package %s, %d files", g.dir, g.pkg.Name, len(g.pkg.Files))
	}
	return nil
}

// folderFault is for errors about what lies in the output folder: they are the user's to resolve.
func folderFault(dir string, err error) error {
	var system *fs.PathError
	if errors.As(err, &system) {
		return err
	}
	return inputFault(dir, "%v", err)
}

// generated is one package and the folder where it belongs.
type generated struct {
	unit *compiler.Unit
	pkg  *codegen.Package
	dir  string
}

// generate compiles a spec to packages in memory.
func (a *app) generate(file string, c chosen, o programOptions, out string) ([]generated, error) {
	o.shapesOnly = true
	src, dir, err := a.open(file, o)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := c.named(src, dir, o.Head); err != nil {
		return nil, err
	}
	return a.generateFrom(src, c, out)
}

// generateFrom is generate for a spec at hand.
func (a *app) generateFrom(src *source, c chosen, out string) ([]generated, error) {
	units, err := a.units(src, compiler.Options{Target: c.Target, Emit: c.Emit})
	if err != nil {
		return nil, err
	}
	var made []generated
	for _, u := range units {
		pkg, err := codegen.Emit(u.Program)
		if err != nil {
			return nil, ours(err)
		}
		g := generated{unit: u, pkg: pkg, dir: out}
		switch {
		case out == "":
			g.dir = pkg.Name
		case len(units) > 1:
			g.dir = filepath.Join(out, pkg.Name)
		}
		made = append(made, g)
	}
	return made, nil
}

// units compiles a spec. Warnings are printed.
func (a *app) units(src *source, o compiler.Options) ([]*compiler.Unit, error) {
	units, faults, err := compiler.Compile(src.spec, o)
	if err != nil {
		return nil, ours(err)
	}
	if faults.HasErrors() {
		return nil, &fault{code: exitInput, list: faults, files: src.tree.Sources()}
	}
	a.warn(faults, src.tree.Sources())
	return units, nil
}

// oneUnit compiles a spec of which just one thing is wanted, and says how to choose where there are more.
func (a *app) oneUnit(src *source, o compiler.Options) (*compiler.Unit, error) {
	units, err := a.units(src, o)
	if err != nil {
		return nil, err
	}
	if len(units) == 1 {
		return units[0], nil
	}
	var names []string
	for _, u := range units {
		names = append(names, unitName(u))
	}
	return nil, &fault{code: exitInput, list: diag.List{
		diag.Errorf("", diag.Span{File: src.tree.Name}, "the target emits %d packages, one is wanted: %s", len(units), list(names)).
			Hintf("%s", fmt.Sprintf("--emit %s", names[0]))}}
}

// unitName is the name by which --emit picks a unit.
func unitName(u *compiler.Unit) string {
	if u.Ensemble != nil {
		return u.Ensemble.Name
	}
	if u.Head != nil {
		return u.Head.FullName()
	}
	return u.Model.Name
}
