package codegen_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/disk"
)

// TestWriteToRepairs checks that writing the package again repairs a folder that was left half written, as earlier versions did on a full disk.
func TestWriteToRepairs(t *testing.T) {
	p := emit(t, "m.dspec", tiny+`"a", "b") }`)
	dir := t.TempDir()
	require.NoError(t, p.WriteTo(dir))
	for i, f := range p.Files {
		path := filepath.Join(dir, f.Name)
		for what, left := range map[string][]byte{"nothing": {}, "its first bytes": f.Text[:10], "half": f.Text[:len(f.Text)/2], "zeros": make([]byte, 4096)} {
			require.NoError(t, os.WriteFile(path, left, 0o666))
			for _, other := range p.Files[i+1:] {
				require.NoError(t, os.Remove(filepath.Join(dir, other.Name)))
			}
			require.NoError(t, p.WriteTo(dir), what)
			changes, err := p.Diff(dir)
			require.NoError(t, err)
			require.Empty(t, changes, what)
		}
	}
	own := filepath.Join(dir, p.Files[0].Name)
	require.NoError(t, os.WriteFile(own, []byte("package m // mine"), 0o666))
	require.ErrorContains(t, p.WriteTo(dir), "is not a generated file")
}

// TestWriteToInPart checks that an error tells how many files are new: the package is then of two versions.
func TestWriteToInPart(t *testing.T) {
	old, p := emit(t, "m.dspec", tiny+`"a", "b") }`), emit(t, "m.dspec", tiny+`"c", "d") }`)
	dir := t.TempDir()
	require.NoError(t, old.WriteTo(dir))
	changes, err := p.Diff(dir)
	require.NoError(t, err)
	require.Greater(t, len(changes), 1)
	full := errors.New("no space left on device")
	for n := range changes {
		left := n
		restore := disk.Inject(func(op disk.Op, path string) error {
			if op != disk.OpRename {
				return nil
			}
			if left--; left < 0 {
				return full
			}
			return nil
		})
		err := p.WriteTo(dir)
		restore()
		require.ErrorIs(t, err, full)
		if n > 0 {
			require.ErrorContains(t, err, fmt.Sprintf("%d of %d files are new", n, len(changes)))
		} else {
			require.NotContains(t, err.Error(), "are new")
		}
		require.NoError(t, old.WriteTo(dir))
	}
}

// TestWriteToBesideOtherFiles checks that files of the user may lie beside generated files if both can be compiled together, and that otherwise nothing is
// written.
func TestWriteToBesideOtherFiles(t *testing.T) {
	p := emit(t, "m.dspec", tiny+`"a", "b") }`)
	for name, c := range map[string]struct{ file, text, fault string }{
		"same package":     {"own.go", "// Package m is mine.\npackage m\n", ""},
		"its tests":        {"own_test.go", "package m_test\n", ""},
		"left out":         {"gen.go", "//go:build ignore\n\npackage main\n", ""},
		"no Go":            {"own.go", "what is this", ""},
		"another language": {"own.s", "package x", ""},
		"another package": {"server.go", "// Package server serves.\npackage server\n",
			`server.go is of package server, and the generated files are of package m: choose another folder, ` +
				`or set the package in the spec's target: emit infer NAME as package "server"`},
		"its constraint": {"server.go", "//go:build linux\n\npackage server\n", "is of package server"},
		"a program": {"main.go", "package main\n\nfunc main() {}\n",
			"main.go is of package main, and the generated files are of package m: choose another folder"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o666))
			err := p.WriteTo(dir)
			entries, readErr := os.ReadDir(dir)
			require.NoError(t, readErr)
			if c.fault == "" {
				require.NoError(t, err)
				require.Len(t, entries, 1+len(p.Files))
			} else {
				require.ErrorContains(t, err, c.fault)
				require.Len(t, entries, 1, "nothing is written")
			}
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, c.text, string(text))
		})
	}
}
