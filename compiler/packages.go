package compiler

import (
	"fmt"
	"go/doc"
	"go/token"
	"slices"
	"strings"
	"unicode"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// unfit are names that have a meaning of their own in Go: packages that cannot be imported, packages that the go command leaves out, and folders that it treats
// in a special way. A package lies in a folder of its name.
var unfit = []string{"main", "init", "documentation", "internal", "vendor", "testdata"}

// imported are the names under which generated files import other packages.
var imported = []string{"context", "errors", "fmt", "math", "programtest", "runtime", "safetensors", "strconv", "testing", "token", "unsafe"}

// packageNames returns the Go package of each line that a target emits. It is the name on the line, or a name made from the model's name. The head's name is
// added if the target or the spec has more than one package for that model. Names that no package can have are faults.
func packageNames(s *spec.Spec, t *spec.Target) ([]string, diag.List) {
	var faults diag.List
	names := make([]string, len(t.Emit))
	at := map[string]int{}
	for i, e := range t.Emit {
		full, m, h := emitted(e)
		if m == nil && e.Ensemble == nil {
			continue
		}
		name := e.Package
		switch {
		case name == "" && m == nil:
			name = PackageName(e.Ensemble.Name)
		case name == "":
			name = packageName(s, t, m, h)
		case !importable(name):
			faults = append(faults, diag.Errorf("range", e.Pos, "no program could import a package %s", name).Hintf(`as package "nli"`))
		}
		if other, twice := at[name]; twice {
			before, _, _ := emitted(t.Emit[other])
			faults = append(faults, diag.Errorf("twice", e.Pos, "%s and %s would both be the package %s", before, full, name).
				Note(t.Emit[other].Pos, "%s is here", before).Hintf("emit infer %s as package %q", full, name+"2"))
		}
		names[i], at[name] = name, i
	}
	return names, faults
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
func packageName(s *spec.Spec, t *spec.Target, m *spec.Model, h *spec.Head) string {
	name := m.Name
	alone := len(s.HeadsOf(m)) <= 1 && !slices.ContainsFunc(t.Emit, func(e spec.Emit) bool {
		_, other, head := emitted(e)
		return other == m && head != h
	})
	if h != nil && !alone {
		name += h.Name
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
