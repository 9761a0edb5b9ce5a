// Package vendored returns the sources that a generated program links. Package debertac embeds package runtime and the packages below it as they are. The
// third-party packages that they import are in an archive, each with its licence. With these sources and a Go toolchain a program can be built anywhere,
// without a network. Package gather makes the archive, and its test checks that the archive is up to date.
package vendored

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	_ "embed" // of the archive
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/debertac/debertac"
)

//go:generate go run ./gather

//go:embed modules.tar.gz
var modules []byte

// own is the module whose sources package debertac embeds.
const own = "github.com/debertac/debertac"

// manifest is the file that lists the packages below vendor and their modules.
const manifest = "vendor/modules.txt"

// File is one file of a module tree.
type File struct {
	Name string // path in the tree, with slashes
	Text []byte
}

// Tree returns the files of a module: go.mod, vendor/modules.txt, and everything below vendor, sorted by name. With packages and a main beside them, the module
// can be built with -mod=vendor. The files are unpacked once in a process; the caller must not change the texts.
func Tree() ([]File, error) {
	list, err := tree()
	return slices.Clone(list), err
}

// tree unpacks the files: a build asks for them more than once.
var tree = sync.OnceValues(func() ([]File, error) {
	list, err := Unpack(modules)
	if err != nil {
		return nil, fmt.Errorf("the sources inside this program are damaged: %w", err)
	}
	i := slices.IndexFunc(list, func(f File) bool { return f.Name == manifest })
	if i < 0 {
		return nil, fmt.Errorf("the sources inside this program are damaged: there is no %s", manifest)
	}
	sources, err := ownSources(debertac.Sources(), packagesOf(own, list[i].Text))
	if err != nil {
		return nil, fmt.Errorf("the sources inside this program are damaged: %w", err)
	}
	list = append(list, sources...)
	slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
})

// packagesOf returns the import paths that a modules.txt lists for a module.
func packagesOf(module string, list []byte) (paths []string) {
	inside := false
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "):
		case strings.HasPrefix(line, "# "):
			inside = strings.Fields(line)[1] == module
		case inside && line != "":
			paths = append(paths, line)
		}
	}
	return paths
}

// ownSources returns the files of this module's packages below vendor, without tests, and the licence.
func ownSources(tree fs.FS, packages []string) ([]File, error) {
	names := []string{"LICENSE"}
	for _, p := range packages {
		found, err := fs.Glob(tree, path.Join(strings.TrimPrefix(p, own+"/"), "*.go"))
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
		if len(found) == 0 {
			return nil, fmt.Errorf("there is no package %s", p)
		}
		names = append(names, found...)
	}
	var list []File
	for _, name := range names {
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		list = append(list, File{Name: path.Join("vendor", own, name), Text: text})
	}
	return list, nil
}

// Pack returns an archive. The same files make the same bytes if the version of compress/gzip is the same.
func Pack(files []File) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: int64(len(f.Text)), Mode: 0o644, Format: tar.FormatPAX}); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.Text); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Unpack reads an archive that Pack made.
func Unpack(archive []byte) ([]File, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	var list []File
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		list = append(list, File{h.Name, text})
	}
}
