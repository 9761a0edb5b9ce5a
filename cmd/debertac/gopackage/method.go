package gopackage

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/codegen"
)

// HasMethod reports whether a generated package's model has a method.
func HasMethod(p *codegen.Package, name string) bool {
	return slices.ContainsFunc(p.Files, func(f codegen.File) bool {
		return f.Name == "model.go" && strings.Contains(string(f.Text), "func (m *Model) "+name+"(")
	})
}
