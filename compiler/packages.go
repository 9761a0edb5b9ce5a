package compiler

import (
	"fmt"
	"go/doc"
	"go/token"
	"slices"
	"strings"
	"unicode"

	"github.com/debertac/debertac/spec/diag"
)

// unfit are names that have a meaning of their own in Go: packages that cannot be imported, packages that the go command leaves out, and folders that it treats
// in a special way. A package lies in a folder of its name.
var unfit = []string{"main", "init", "documentation", "internal", "vendor", "testdata"}

// imported are the names under which generated files import other packages.
var imported = []string{"context", "errors", "fmt", "math", "programtest", "runtime", "safetensors", "strconv", "testing", "token", "trainer",
	"trainertest", "unsafe"}

// namePackages names the Go package of each line. It is the name on the line, or a name made from that of the model, the ensemble or the training. The
// head's name is added if the target or the spec has more than one package for that model. Names that no package can have are faults.
func (t *targetWork) namePackages() diag.List {
	var faults diag.List
	named := map[string]*work{}
	for _, w := range t.emits {
		if len(w.parts) == 0 {
			continue
		}
		switch w.pkg = w.Package; {
		case w.pkg == "" && w.Ensemble != nil:
			w.pkg = PackageName(w.Ensemble.Name)
		case w.pkg == "" && w.Train != nil:
			w.pkg = PackageName(w.Train.Name)
		case w.pkg == "":
			w.pkg = t.packageName(w.parts[0])
		case !importable(w.pkg):
			faults = append(faults, diag.Errorf("range", w.Pos, "no program could import a package %s", w.pkg).Hintf(`as package "nli"`))
		}
		if other := named[w.pkg]; other != nil {
			faults = append(faults, diag.Errorf("twice", w.Pos, "%s and %s would both be the package %s", other.name, w.name, w.pkg).
				Note(other.Pos, "%s is here", other.name).Hintf("emit %s as package %q", w.Name(), w.pkg+"2"))
		}
		named[w.pkg] = w
	}
	return faults
}

// importable reports whether other packages can import a package of this name, which must be a Go identifier.
func importable(name string) bool {
	return !strings.HasSuffix(name, "_test") && !slices.Contains(unfit[:3], name)
}

// CheckPackageName returns an error if a generated package cannot have this name.
func CheckPackageName(name string) error {
	switch {
	case !token.IsIdentifier(name) || name == "_" || strings.ToLower(name) != name:
		return fmt.Errorf("%q is not the name of a Go package: letters in lower case and digits, a letter first", name)
	case !importable(name):
		return fmt.Errorf("no program could import a package %s", name)
	}
	return nil
}

// packageName returns a Go package name: letters and digits in lower case, and no name that a Go file would read as something else.
func (t *targetWork) packageName(p part) string {
	name := p.model.Name
	alone := len(t.spec.HeadsOf(p.model)) <= 1 && !slices.ContainsFunc(t.emits, func(w *work) bool {
		return w.Ensemble == nil && len(w.parts) == 1 && w.parts[0].model == p.model && w.parts[0].head != p.head
	})
	if p.head != nil && !alone {
		name += p.head.Name
	}
	return PackageName(name)
}

// PackageName returns a Go package name for a name of the spec or of a folder: letters and digits in lower case. It adds "model" if Go would read the name as
// something else.
func PackageName(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	switch {
	case name == "" || name[0] >= '0' && name[0] <= '9':
		return "model" + name
	case token.IsKeyword(name) || doc.IsPredeclared(name) || slices.Contains(unfit, name) || slices.Contains(imported, name):
		return name + "model"
	}
	return name
}
