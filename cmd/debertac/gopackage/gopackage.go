// Package gopackage generates the Go packages of a spec, and decides their names and folders.
package gopackage

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// Package is one package and the folder where it belongs.
type Package struct {
	Unit *compiler.Unit
	Pkg  *codegen.Package
	Dir  string
}

// Generate compiles a spec to packages in memory.
func Generate(c *console.Console, file string, part source.Choice, o model.Options, p Place) ([]Package, error) {
	o.ShapesOnly = true
	src, dir, err := model.Open(c, file, o)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := part.Narrow(src, dir != nil, o.Head); err != nil {
		return nil, err
	}
	return GenerateFrom(c, src, part, p)
}

// GenerateFrom is Generate for a spec that has been loaded already.
func GenerateFrom(c *console.Console, src *source.Source, part source.Choice, p Place) ([]Package, error) {
	if p.Package != "" {
		if err := compiler.CheckPackageName(p.Package); err != nil {
			return nil, fault.Usage("--package nli", "--package: %v", err)
		}
	}
	if p.Out == "-" {
		return nil, fault.Usage("./-, if the folder is to have this name", "-o -: a package is a folder of files, and cannot be the standard output: name "+
			"a folder")
	}
	units, err := source.Units(c, src, compiler.Options{Target: part.Target, Emit: part.Emit})
	if err != nil {
		return nil, err
	}
	if err := p.name(units); err != nil {
		return nil, err
	}
	var made []Package
	for _, u := range units {
		pkg, err := Emit(u.Program)
		if err != nil {
			return nil, fault.Ours(err)
		}
		g := Package{Unit: u, Pkg: pkg, Dir: p.Out}
		switch {
		case p.Out == "":
			g.Dir = pkg.Name
		case len(units) > 1:
			g.Dir = filepath.Join(p.Out, pkg.Name)
		}
		made = append(made, g)
	}
	return made, nil
}

// name sets the name of the package of a single unit. Packages of several units have the names in their target, or those of their models.
func (p *Place) name(units []*compiler.Unit) error {
	if len(units) != 1 {
		if p.Package != "" {
			return fault.Usage("--emit "+source.UnitName(units[0]), "--package %s names one package, and the target emits %d: %s", p.Package,
				len(units), wording.List(source.UnitNames(units)))
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

// Place holds the flags for the folder and the name of a package.
type Place struct {
	Out     string `short:"o" placeholder:"DIR" help:"@gopackage_out"`
	Package string `placeholder:"NAME" help:"@gopackage_package"`
}

// FolderFault returns the error for a problem with files in the output folder, which the user has to resolve.
func FolderFault(dir string, err error) error {
	var system *fs.PathError
	if errors.As(err, &system) {
		return err
	}
	return fault.Input(dir, "%v", err)
}

// emitted holds the packages that this process has generated, by the hash of what they depend on.
var emitted sync.Map

// Emit generates the package of a program. A second call for the same program returns the same package, so callers must not change it.
func Emit(p *ir.Program) (*codegen.Package, error) {
	sum := sha256.New()
	if err := Describe(sum, p); err != nil {
		return nil, err
	}
	key := [sha256.Size]byte(sum.Sum(nil))
	if made, ok := emitted.Load(key); ok {
		return made.(*codegen.Package), nil
	}
	made, err := codegen.Emit(p)
	if err == nil {
		emitted.Store(key, made)
	}
	return made, err
}

// Describe writes everything that the code of a program depends on. The folder of the spec is left out: code names the file alone.
func Describe(w io.Writer, p *ir.Program) error {
	meta, err := json.Marshal(p.Meta) // JSON has the values that pointers point at, and no addresses
	if err != nil {
		return fault.Ours(err)
	}
	training, err := json.Marshal(p.Training)
	if err != nil {
		return fault.Ours(err)
	}
	_, err = fmt.Fprintf(w, "%s %s %+v %s\n%s\n", p.Name, meta, p.Bounds, training, ir.PrintAs(p, filepath.Base(p.File)))
	return err
}

// EmitAll generates the packages of compiled units.
func EmitAll(units []*compiler.Unit) ([]*codegen.Package, error) {
	var packages []*codegen.Package
	for _, u := range units {
		pkg, err := Emit(u.Program)
		if err != nil {
			return nil, fault.Ours(err)
		}
		packages = append(packages, pkg)
	}
	return packages, nil
}
