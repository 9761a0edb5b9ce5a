package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen/build/vendored"
)

// TestUpToDate gathers again and compares. It fails if a dependency or the list of linked packages has changed since go generate ran, or if package debertac
// does not embed a file that some build of a program reads.
func TestUpToDate(t *testing.T) {
	files, own, err := gather()
	require.NoError(t, err)
	tree, err := vendored.Tree()
	require.NoError(t, err)
	have := map[string][]byte{}
	for _, f := range tree {
		have[f.Name] = f.Text
	}
	for _, f := range slices.Concat(files, own) {
		text, ok := have[f.Name]
		switch {
		case !ok:
			t.Errorf("%s is missing: run go generate ./codegen/build/... (or extend the patterns of Sources in package debertac)", f.Name)
		case !bytes.Equal(text, f.Text):
			t.Errorf("%s is stale: run go generate ./codegen/build/...", f.Name)
		}
		delete(have, f.Name)
	}
	for name := range have {
		if !strings.HasPrefix(name, "vendor/"+module+"/") { // a file of this module that no platform compiles does no harm
			t.Errorf("%s is not needed any more: run go generate ./codegen/build/...", name)
		}
	}
}

// TestTree checks the files that are passed on: licences of all modules, no tests, and a small size.
func TestTree(t *testing.T) {
	files, err := vendored.Tree()
	require.NoError(t, err)
	mods, licensed := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		require.NotContains(t, f.Name, "_test.go")
		require.True(t, filepath.IsLocal(f.Name), f.Name)
		if f.Name == "vendor/modules.txt" {
			for line := range strings.Lines(string(f.Text)) {
				if fields := strings.Fields(line); fields[0] == "#" {
					mods[fields[1]] = true
				}
			}
		}
		if stem, _, _ := strings.Cut(filepath.Base(f.Name), "."); stem == "LICENSE" {
			licensed[strings.TrimPrefix(filepath.Dir(f.Name), "vendor/")] = true
		}
	}
	require.True(t, mods[module])
	for m := range mods {
		require.True(t, licensed[m] || m == module, "no licence of %s", m)
	}
	st, err := os.Stat("../modules.tar.gz")
	require.NoError(t, err)
	require.Less(t, st.Size(), int64(2<<20))
}

// TestUpdateLeavesEqualContent checks that an archive with the same files is not rewritten if its compression differs.
func TestUpdateLeavesEqualContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.tar.gz")
	files := []vendored.File{{Name: "a", Text: []byte("x")}, {Name: "b/c", Text: nil}}
	require.NoError(t, update(path, files))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	odd := append([]byte(nil), text...)
	odd[4] = 1 // the time in the gzip header
	require.NoError(t, os.WriteFile(path, odd, 0o666))
	require.NoError(t, update(path, files))
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, odd, kept)
	require.NoError(t, update(path, files[:1]))
	changed, err := os.ReadFile(path)
	require.NoError(t, err)
	got, err := vendored.Unpack(changed)
	require.NoError(t, err)
	require.Equal(t, files[:1], got)
}
