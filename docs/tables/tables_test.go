package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// TestUpToDate makes the generated parts again and compares them with the pages.
func TestUpToDate(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	for _, name := range pages {
		have, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		want, err := fill(t.Context(), string(have))
		require.NoError(t, err, name)
		if d := cmp.Diff(want, string(have)); d != "" {
			t.Errorf("docs/%s is stale: run go generate ./docs\n%s", name, d)
		}
	}
}

// TestFill checks what fill replaces, and which pages it refuses.
func TestFill(t *testing.T) {
	page := "before\n<!-- generated: codes -->\nold\n<!-- end -->\nafter\n"
	got, err := fill(t.Context(), page)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(got, "before\n<!-- generated: codes -->\n\n| code | meaning |\n"), got)
	require.True(t, strings.HasSuffix(got, "|\n\n<!-- end -->\nafter\n"), got)
	require.NotContains(t, got, "old")
	again, err := fill(t.Context(), got)
	require.NoError(t, err)
	require.Equal(t, got, again)
	for text, want := range map[string]string{
		"no parts": "no generated part",
		"<!-- generated: nothing -->\n<!-- end -->": `no generated part "nothing"`,
		"<!-- generated: codes -->\n":               "has no end",
	} {
		_, err := fill(t.Context(), text)
		require.ErrorContains(t, err, want)
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinks finds links between pages of the repository that lead nowhere.
func TestLinks(t *testing.T) {
	root := filepath.Join("..", "..")
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/rationale/*.md", "compiler/*.md", "examples/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.Greater(t, len(files), 8)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(f), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", f, m[1])
			}
		}
	}
}
