package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// chosen are the flags by which a verb picks a part of a spec.
type chosen struct {
	Target string `placeholder:"NAME" help:"Target of the spec. Default: the first."`
	Emit   string `placeholder:"NAME" help:"The one output of the target to use: MODEL or MODEL.HEAD. Default: all."`
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
	placed
}

// placed are the flags that say where a package lies and what its name is.
type placed struct {
	Out     string `short:"o" placeholder:"DIR" help:"Folder of the package. A spec that emits several packages gets one folder for each inside it. Default: a folder here, named after the package."`
	Package string `placeholder:"NAME" help:"Name of the package. Default: what the spec's target says, else the package of the Go files in DIR, else the name of DIR, else the model's name."`
}

// Help is the long help.
func (compileVerb) Help() string {
	return `Writes the Go package of a spec: the model's schedule in readable Go, its kernels in assembly and in portable Go,
tests and a benchmark. The same spec gives the same bytes anywhere. Files of yours are never overwritten; generated
files that are no longer part of the package are removed.

The package has the name that --package or the spec's target (emit … as package "nli") gives it. Without one it has the name of
the package whose files are in the folder already, or else of the folder itself, in letters and digits.

Examples:
  debertac compile model.dspec                    into a folder named after the model
  debertac compile model.dspec -o internal/nli    package nli
  debertac compile ~/models/deberta-v3-base --head fill-mask

In a Go file, to be run by ` + "`go generate`" + `:
  //go:generate go tool debertac compile model.dspec -o .`
}

// Run compiles and writes.
func (v *compileVerb) Run(a *app) error {
	made, err := a.generate(v.File, v.chosen, programOptions{wishes: v.wishes, lentFlag: v.lentFlag}, v.placed)
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
		a.note("%s: package %s, %s", g.dir, g.pkg.Name, counted(len(g.pkg.Files), "file", "files"))
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
func (a *app) generate(file string, c chosen, o programOptions, p placed) ([]generated, error) {
	o.shapesOnly = true
	src, dir, err := a.open(file, o)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := c.named(src, dir, o.Head); err != nil {
		return nil, err
	}
	return a.generateFrom(src, c, p)
}

// generateFrom is generate for a spec at hand.
func (a *app) generateFrom(src *source, c chosen, p placed) ([]generated, error) {
	if p.Package != "" {
		if err := compiler.CheckPackageName(p.Package); err != nil {
			return nil, usage("--package nli", "--package: %v", err)
		}
	}
	units, err := a.units(src, compiler.Options{Target: c.Target, Emit: c.Emit})
	if err != nil {
		return nil, err
	}
	if err := p.name(units); err != nil {
		return nil, err
	}
	var made []generated
	for _, u := range units {
		pkg, err := emit(u.Program)
		if err != nil {
			return nil, ours(err)
		}
		g := generated{unit: u, pkg: pkg, dir: p.Out}
		switch {
		case p.Out == "":
			g.dir = pkg.Name
		case len(units) > 1:
			g.dir = filepath.Join(p.Out, pkg.Name)
		}
		made = append(made, g)
	}
	return made, nil
}

// name names the package of a single unit. Several have the names that their target gives them, or those of their models.
func (p *placed) name(units []*compiler.Unit) error {
	if len(units) != 1 {
		if p.Package != "" {
			return usage("--emit "+unitName(units[0]), "--package %s names one package, and the target emits %d: %s", p.Package, len(units), list(unitNames(units)))
		}
		return nil
	}
	u := units[0]
	if p.Package != "" {
		u.Program.Name = p.Package
		return nil
	}
	if p.Out == "" || slices.ContainsFunc(u.Target.Emit, func(e spec.Emit) bool { return e.Package == u.Program.Name }) {
		return nil
	}
	there, err := codegen.PackageIn(p.Out)
	if err != nil {
		return err
	}
	if there != "" && compiler.CheckPackageName(there) == nil {
		u.Program.Name = there
		return nil
	}
	dir, err := filepath.Abs(p.Out)
	if err != nil {
		return err
	}
	if base := compiler.PackageName(filepath.Base(dir)); compiler.CheckPackageName(base) == nil {
		u.Program.Name = base
	}
	return nil
}

// unitNames are the names by which --emit picks units.
func unitNames(units []*compiler.Unit) []string {
	var names []string
	for _, u := range units {
		names = append(names, unitName(u))
	}
	return names
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
	names := unitNames(units)
	return nil, &fault{code: exitInput, list: diag.List{
		diag.Errorf("", diag.Span{File: src.tree.Name}, "the target emits %d packages, one is wanted: %s", len(units), list(names)).
			Hintf("%s", fmt.Sprintf("--head %s", names[0]))}}
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
