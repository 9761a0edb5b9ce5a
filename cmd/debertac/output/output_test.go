package output_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/output"
)

// TestPlace checks that Place returns a path where a file can be made, after following links, and leaves nothing there. Other paths are refused with a hint.
func TestPlace(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("dir", 0o777))
	require.NoError(t, os.WriteFile("real", []byte("old"), 0o666))
	require.NoError(t, os.Symlink("real", "link"))
	for name, want := range map[string]string{"new": "new", "dir/new": "new", "real": "real", "link": "real", "./-": "-"} {
		got, err := output.Place(name)
		require.NoError(t, err, name)
		require.Equal(t, want, filepath.Base(got), name)
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, entries, 3, "places are looked at, not made")
	for name, want := range map[string]struct {
		code int
		text string
	}{
		"-":            {fault.ExitUsage, "-: this output is a file, and cannot be the standard output"},
		"dir":          {fault.ExitInput, "dir: this is a folder"},
		"no dir/new":   {fault.ExitInput, "hint: mkdir -p 'no dir'"},
		"real/new":     {fault.ExitInput, "real/new: "},
		"/dev/new":     {fault.ExitInput, "files are not written below /dev"},
		"/new-of-root": {fault.ExitInput, "files are not written into the root folder"},
	} {
		_, err := output.Place(name)
		f := fault.Classify(t.Context(), err)
		require.Equal(t, want.code, f.Code, name)
		require.Contains(t, f.Render(false), want.text, name)
	}
}

// TestApart checks that two outputs count as one file if their paths lead to the same file.
func TestApart(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("dir", 0o777))
	require.NoError(t, os.Symlink("dir", "way"))
	require.NoError(t, output.Apart("--a", "x", "--b", "y"))
	require.NoError(t, output.Apart("--a", "", "--b", ""), "flags that were not given")
	require.ErrorContains(t, output.Apart("--a", "x", "--b", "./x"), "--a x and --b ./x are the same file")
	require.ErrorContains(t, output.Apart("--a", "dir/x", "--b", "way/x"), "are the same file")
}
