package tasks_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/docs/pagetest"
)

// pages are the pages of this folder, by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.md")
	require.NoError(t, err)
	list := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		list[f] = string(text)
	}
	return list
}

// TestPages runs the commands in the console blocks of the pages, each page's in a folder of its own, and compares what they print. With UPDATE in
// the environment it writes the new outputs into the pages.
func TestPages(t *testing.T) {
	pagetest.Debertac(t)
	examples, err := filepath.Abs("../../examples")
	require.NoError(t, err)
	for name, page := range pages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.Symlink(examples, filepath.Join(dir, "examples")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "build"), 0o777))
			renewed := pagetest.Console(t, name, page, dir, pagetest.Environment(t))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 2, "the page's commands leave files beside build and examples")
			if os.Getenv("UPDATE") != "" && renewed != page {
				require.NoError(t, os.WriteFile(name, []byte(renewed), 0o666))
			}
		})
	}
}
