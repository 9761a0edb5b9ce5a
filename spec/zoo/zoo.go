// Package zoo holds the published models, and the ablations of the papers, as specs that `like` can name.
package zoo

import (
	"embed"
	"io/fs"
	"strings"
)

// Language is the version of the language that specs are written in, the zoo's included. Their first line names it.
const Language = "1"

//go:embed *.dspec
var files embed.FS

// Files lists the zoo's files under the names that spans have: zoo/NAME.dspec.
func Files() []string {
	var names []string
	entries, err := fs.ReadDir(files, ".")
	if err != nil { // an embedded folder can always be read
		return nil
	}
	for _, e := range entries {
		names = append(names, "zoo/"+e.Name())
	}
	return names
}

// Text returns the text of one of Files, or nil for any other name.
func Text(name string) []byte {
	base, ok := strings.CutPrefix(name, "zoo/")
	if !ok {
		return nil
	}
	text, err := files.ReadFile(base)
	if err != nil {
		return nil
	}
	return text
}
