package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen/build/vendored"
)

// TestUpToDate gathers again and compares with the archives. It fails when a source that programs link has changed since go generate ran.
func TestUpToDate(t *testing.T) {
	own, modules, err := gather()
	require.NoError(t, err)
	have, err := vendored.Tree()
	require.NoError(t, err)
	want := slices.Concat(own, modules)
	names := func(list []vendored.File) (out []string) {
		for _, f := range list {
			out = append(out, f.Name)
		}
		return out
	}
	if d := cmp.Diff(names(want), names(have)); d != "" {
		t.Fatalf("the archive lists other files than it should (run: go generate ./codegen/build/...)\n%s", d)
	}
	for i := range want {
		if !same(want[i], have[i]) {
			t.Errorf("%s in the archive is stale: run go generate ./codegen/build/...", want[i].Name)
		}
	}
}

// TestTree checks what is passed on: licences of all modules, no tests, little enough.
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
	var total int64
	for _, name := range []string{"../own.tar.gz", "../modules.tar.gz"} {
		st, err := os.Stat(name)
		require.NoError(t, err)
		total += st.Size()
	}
	require.Less(t, total, int64(3<<20))
}

// TestUpdateLeavesEqualContent: an archive with the same files is not rewritten, whatever its compression.
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
