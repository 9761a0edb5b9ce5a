package debertac_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// addition is an extension of the project that somebody made by a recipe of CONTRIBUTING.md: a patch of the files that were written by hand. Lines
// before the first diff describe it.
type addition struct {
	path     string
	recipe   string     // the heading in CONTRIBUTING.md
	most     int        // files that may be written by hand
	recorded []string   // files of the patch that a script writes
	generate []string   // arguments of go generate, which writes the generated files that change
	tests    [][]string // arguments of go test
	files    []string   // of the patch
}

// readAddition reads a patch of testdata/additions.
func readAddition(t *testing.T, path string) *addition {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	a := &addition{path: path}
	header, _, found := strings.Cut(string(text), "\ndiff --git ")
	require.True(t, found, "%s has no diff", path)
	for line := range strings.Lines(header) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "recipe":
			a.recipe = value
		case "most":
			a.most, err = strconv.Atoi(value)
			require.NoError(t, err)
		case "recorded":
			a.recorded = append(a.recorded, value)
		case "generate":
			a.generate = append(a.generate, value)
		case "test":
			a.tests = append(a.tests, strings.Fields(value))
		default:
			t.Fatalf("%s: %q is none of recipe, most, recorded, generate and test", path, key)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^diff --git a/(\S+) b/(\S+)$`).FindAllStringSubmatch(string(text), -1) {
		require.Equal(t, m[1], m[2])
		a.files = append(a.files, m[1])
	}
	return a
}

// TestAdditions applies each addition to a copy of the project, makes the generated files, builds the copy and runs the tests that the addition names.
// It counts the files that were written by hand: the recipes are to stay short.
func TestAdditions(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "additions", "*.patch"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	guide, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	var list []*addition
	for _, path := range paths {
		a := readAddition(t, path)
		require.Contains(t, string(guide), "\n### "+a.recipe+"\n", path)
		require.NotEmpty(t, a.tests, path)
		require.NotEmpty(t, a.generate, path)
		byHand := slices.DeleteFunc(slices.Clone(a.files), func(name string) bool { return slices.Contains(a.recorded, name) })
		require.NotEmpty(t, byHand, path)
		require.LessOrEqual(t, len(byHand), a.most, "%s: written by hand are %s", path, strings.Join(byHand, ", "))
		for _, name := range a.recorded {
			require.Contains(t, a.files, name, path)
		}
		list = append(list, a)
	}
	if testing.Short() {
		t.Skip("it builds the project again for each addition")
	}
	for _, tool := range []string{"git", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s, which applies and builds the additions", tool)
		}
	}
	files, err := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skip("this is no checkout, of which additions could be tried on a copy")
	}
	for _, a := range list {
		t.Run(strings.TrimSuffix(filepath.Base(a.path), ".patch"), func(t *testing.T) {
			a.try(t, strings.Split(strings.Trim(string(files), "\x00"), "\x00"))
		})
	}
}

// try makes the addition in a copy of these files.
func (a *addition) try(t *testing.T, files []string) {
	dir := t.TempDir()
	for _, name := range files {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) { // removed and not committed yet
			continue
		}
		require.NoError(t, err)
		mode := fs.FileMode(0o666)
		if st, err := os.Stat(name); err == nil && st.Mode()&0o100 != 0 {
			mode = 0o777
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, mode))
	}
	patch, err := filepath.Abs(a.path)
	require.NoError(t, err)
	do := func(tool string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir = dir
		// Without -trimpath what is compiled depends on the folder, and no run could use what an earlier one has compiled.
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-trimpath", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s %s\n%s", tool, strings.Join(args, " "), out)
	}
	do("git", "apply", patch)
	do("go", append([]string{"generate"}, a.generate...)...)
	do("go", "build", "./...")
	for _, args := range a.tests {
		do("go", append([]string{"test"}, args...)...)
	}
}
