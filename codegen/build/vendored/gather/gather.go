// Command gather makes the archive of package vendored from the module cache. It needs no network if the modules are in the cache. It does not touch an archive
// whose files have not changed.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/codegen/build/vendored"
)

const module = "github.com/debertac/debertac"

// roots are the packages that generated packages and the main of a program import.
var roots = []string{
	module + "/runtime", module + "/runtime/appended", module + "/runtime/attention", module + "/runtime/bf16", module + "/runtime/disk",
	module + "/runtime/program", module + "/runtime/safetensors", module + "/runtime/sampler", module + "/runtime/token", module + "/runtime/trainprogram",
}

// platforms lists the platforms for which a program can be built.
var platforms = []struct{ os, arch string }{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"},
}

// Files whose build constraints ask for a Go release are kept for all releases up to lastRelease, because the user's toolchain may be newer than this one.
const lastRelease = 60

// listed holds what go list reports about a package.
type listed struct {
	Dir, ImportPath string
	Standard        bool
	EmbedFiles      []string
	Module          *struct {
		Path, Version, Dir, GoVersion string
		Main                          bool
	}
}

func main() {
	files, _, err := gather()
	if err == nil {
		err = update("modules.tar.gz", files)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gather:", err)
		os.Exit(1)
	}
}

// update writes an archive unless it holds these files already. A newer compressor can write other bytes for the same files.
func update(name string, files []vendored.File) error {
	if old, err := os.ReadFile(name); err == nil {
		if have, err := vendored.Unpack(old); err == nil && slices.EqualFunc(have, files, same) {
			return nil
		}
	}
	archive, err := vendored.Pack(files)
	if err != nil {
		return err
	}
	return os.WriteFile(name, archive, 0o666)
}

func same(a, b vendored.File) bool { return a.Name == b.Name && bytes.Equal(a.Text, b.Text) }

// gather collects the files of the archive, sorted by name, and the files of this module that belong with them.
func gather() (files, own []vendored.File, err error) {
	packages, err := dependencies()
	if err != nil {
		return nil, nil, err
	}
	licensed := map[string]bool{}
	for _, p := range packages {
		list, err := sources(p)
		if err != nil {
			return nil, nil, err
		}
		if !licensed[p.Module.Path] {
			licensed[p.Module.Path] = true
			more, err := licences(p)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, more...)
		}
		if p.Module.Main {
			own = append(own, list...)
		} else {
			files = append(files, list...)
		}
	}
	mod, list := manifest(packages)
	files = append(files, vendored.File{Name: "go.mod", Text: mod}, vendored.File{Name: "vendor/modules.txt", Text: list})
	slices.SortFunc(files, func(a, b vendored.File) int { return strings.Compare(a.Name, b.Name) })
	return files, own, nil
}

// dependencies lists the packages outside the standard library that any platform needs, sorted by import path.
func dependencies() ([]*listed, error) {
	found := map[string]*listed{}
	for _, p := range platforms {
		cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,ImportPath,Standard,EmbedFiles,Module"}, roots...)...)
		cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
		var faults bytes.Buffer
		cmd.Stderr = &faults
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s/%s: %w: %s", p.os, p.arch, err, faults.String())
		}
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			l := &listed{}
			if err := d.Decode(l); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if !l.Standard {
				found[l.ImportPath] = l
			}
		}
	}
	var list []*listed
	for _, l := range found {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b *listed) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return list, nil
}

// sources reads the files of a package that are compiled for some platform and release.
func sources(p *listed) ([]vendored.File, error) {
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		return nil, err
	}
	var list []vendored.File
	add := func(name string) error {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		list = append(list, vendored.File{Name: path.Join("vendor", p.ImportPath, filepath.ToSlash(name)), Text: text})
		return err
	}
	for _, e := range entries {
		name := e.Name()
		switch filepath.Ext(name) {
		case ".go", ".s", ".h":
		default:
			continue
		}
		if e.IsDir() || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if used, err := compiled(p.Dir, name); err != nil || !used {
			if err != nil {
				return nil, err
			}
			continue
		}
		if err := add(name); err != nil {
			return nil, err
		}
	}
	for _, name := range p.EmbedFiles {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// compiled reports whether a build for some platform and release reads the file.
func compiled(dir, name string) (bool, error) {
	releases := append([]string(nil), build.Default.ReleaseTags...)
	for n := len(releases) + 1; n <= lastRelease; n++ {
		releases = append(releases, fmt.Sprintf("go1.%d", n))
	}
	ours := len(build.Default.ReleaseTags)
	for _, p := range platforms {
		for _, noasm := range [][]string{nil, {"noasm"}} {
			for n := ours; n <= len(releases); n++ {
				c := build.Context{GOOS: p.os, GOARCH: p.arch, Compiler: "gc", BuildTags: noasm, ReleaseTags: releases[:n]}
				if ok, err := c.MatchFile(dir, name); ok || err != nil {
					return ok, err
				}
			}
		}
	}
	return false, nil
}

// licences reads the files that must be passed on with a module according to its licence.
func licences(p *listed) ([]vendored.File, error) {
	entries, err := os.ReadDir(p.Module.Dir)
	if err != nil {
		return nil, err
	}
	var list []vendored.File
	for _, e := range entries {
		stem, _, _ := strings.Cut(strings.ToUpper(e.Name()), ".")
		if !slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS"}, stem) || e.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(p.Module.Dir, e.Name()))
		if err != nil {
			return nil, err
		}
		list = append(list, vendored.File{Name: path.Join("vendor", p.Module.Path, e.Name()), Text: text})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("module %s has no licence file: it cannot be passed on", p.Module.Path)
	}
	return list, nil
}

// manifest returns go.mod and vendor/modules.txt. The go command checks that they agree.
func manifest(packages []*listed) (mod, list []byte) {
	var m, l bytes.Buffer
	goVersion := ""
	for _, p := range packages {
		if p.Module.Main {
			goVersion = p.Module.GoVersion
		}
	}
	fmt.Fprintf(&m, "module program\n\ngo %s\n\nrequire (\n", goVersion)
	// Packages of one module are not always neighbours in the sorted list of paths.
	slices.SortStableFunc(packages, func(a, b *listed) int { return strings.Compare(a.Module.Path, b.Module.Path) })
	last := ""
	for _, p := range packages {
		if p.Module.Path != last {
			last = p.Module.Path
			version := p.Module.Version
			if p.Module.Main {
				version = "v0.0.0"
			}
			fmt.Fprintf(&m, "\t%s %s\n", p.Module.Path, version)
			fmt.Fprintf(&l, "# %s %s\n## explicit%s\n", p.Module.Path, version, since(p.Module.GoVersion))
		}
		fmt.Fprintln(&l, p.ImportPath)
	}
	m.WriteString(")\n")
	return m.Bytes(), l.Bytes()
}

// since returns a module's language version in the form of modules.txt.
func since(goVersion string) string {
	if goVersion == "" {
		return ""
	}
	return "; go " + goVersion
}
