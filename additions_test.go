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
	"time"

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
			a.generate = append(a.generate, strings.Fields(value)...)
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

// TestAdditions applies the additions to one copy of the project, makes the generated files, builds the copy and runs the tests that the additions
// name. It counts the files that were written by hand, because the recipes must stay short. One copy for all additions takes less time than one copy
// per addition.
func TestAdditions(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "additions", "*.patch"))
	require.NoError(t, err)
	guide, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	var list []*addition
	var recipes []string
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
		t.Logf("%s: %d files by hand: %s", filepath.Base(path), len(byHand), strings.Join(byHand, ", "))
		list, recipes = append(list, a), append(recipes, a.recipe)
	}
	for _, recipe := range []string{"A task", "A part of a batch", "A pass", "An activation"} {
		require.Contains(t, recipes, recipe, "no addition was made by this recipe")
	}
	if testing.Short() {
		t.Skip("it builds the project again")
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
	c := copied(t, strings.Split(strings.Trim(string(files), "\x00"), "\x00"))
	var generate []string
	for _, a := range list {
		patch, err := filepath.Abs(a.path)
		require.NoError(t, err)
		c.do(t, "git", "apply", patch)
		generate = append(generate, a.generate...)
	}
	slices.Sort(generate)
	c.do(t, "go", append([]string{"generate"}, slices.Compact(generate)...)...)
	c.do(t, "go", "build", "./...")
	for _, args := range joined(list) {
		c.do(t, "go", append([]string{"test", "-vet=off"}, args...)...)
	}
}

// joined returns the arguments of all tests. Tests of the same packages are joined into one run, because linking takes longer than most tests.
func joined(list []*addition) [][]string {
	var out [][]string
	for _, a := range list {
		for _, args := range a.tests {
			i := slices.IndexFunc(out, func(o []string) bool {
				return len(args) == 3 && len(o) == 3 && o[0] == args[0] && o[1] == "-run" && args[1] == "-run"
			})
			if i < 0 {
				out = append(out, slices.Clone(args))
				continue
			}
			out[i][2] += "|" + args[2]
		}
	}
	return out
}

// workTree is a copy of the project.
type workTree struct{ dir string }

// copied copies the files of the project.
func copied(t *testing.T, files []string) workTree {
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
	return workTree{dir}
}

// do runs a command in the copy.
func (w workTree) do(t *testing.T, tool string, args ...string) {
	t.Helper()
	start := time.Now()
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir = w.dir
	// Without -trimpath what is compiled depends on the folder, and no run could use what an earlier one has compiled.
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "GIT_CEILING_DIRECTORIES="+filepath.Dir(w.dir))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s\n%s", tool, strings.Join(args, " "), out)
	t.Logf("%.1f s: %s %s", time.Since(start).Seconds(), tool, strings.Join(args, " "))
}
