package tasks_test

import (
	"bytes"
	"fmt"
	"go/format"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/docs/pagetest"
)

// snippet is a Go block of a page: statements for an open model.
type snippet struct {
	page, text string
	line       int
	folder     string   // of examples/tasks
	spec       string   // of examples/tasks, to compile for the folder's weights; "" is the spec that debertac makes from the folder
	flags      []string // of debertac compile
	option     string   // of Open
}

// snippets finds the Go blocks of the pages. The fence of a block names the folder, or a spec and the folder of its weights, then the flags of
// compile, and after --option an option of Open.
func snippets(t *testing.T) (list []snippet, programs []string) {
	all := pages(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, b := range pagetest.Blocks(all[name]) {
			words := strings.Fields(b.Kind)
			switch {
			case len(words) == 0 || words[0] != "go":
			case len(words) > 1:
				s := snippet{page: name, text: b.Text, line: b.Line, folder: words[1], flags: words[2:]}
				if strings.HasSuffix(s.folder, ".dspec") {
					require.NotEmpty(t, s.flags, "%s:%d: the fence names no folder after the spec", name, b.Line)
					s.spec, s.folder, s.flags = s.folder, s.flags[0], s.flags[1:]
				}
				if i := slices.Index(s.flags, "--option"); i >= 0 {
					s.flags, s.option = s.flags[:i], strings.Join(s.flags[i+1:], " ")
				}
				list = append(list, s)
			case strings.HasPrefix(b.Text, "package main\n"):
				programs = append(programs, b.Text)
			}
		}
	}
	return list, programs
}

// called matches the names of packages that a snippet may use.
var called = map[string]*regexp.Regexp{
	"fmt": regexp.MustCompile(`\bfmt\.`), "strings": regexp.MustCompile(`\bstrings\.`),
	"github.com/debertac/debertac/runtime":            regexp.MustCompile(`\bruntime\.`),
	"github.com/debertac/debertac/runtime/task":       regexp.MustCompile(`\btask\.`),
	"github.com/debertac/debertac/runtime/extraction": regexp.MustCompile(`\bextraction\.`),
}

// name returns the name of the package that the snippet's spec or folder is compiled to.
func (s *snippet) name() string {
	if s.spec != "" {
		return strings.TrimSuffix(s.spec, ".dspec")
	}
	return s.folder
}

// goName returns the name of the Go package: Go's names have no underscores.
func (s *snippet) goName() string { return strings.ReplaceAll(s.name(), "_", "") }

// compile returns the arguments of debertac that write the package to a folder, and the arguments that write its weights.
func (s *snippet) compile(dir string) []string {
	path := filepath.Join(models, s.folder)
	if s.spec != "" {
		path = filepath.Join(models, s.spec)
	}
	return slices.Concat([]string{"compile", path, "-o", filepath.Join(dir, s.name())}, s.flags)
}

func (s *snippet) pack(dir string) []string {
	args := slices.Concat([]string{"pack", filepath.Join(models, s.folder), "-o", filepath.Join(dir, s.name()+".weights")}, s.flags)
	if s.spec != "" {
		args = append(args, "--spec", filepath.Join(models, s.spec))
	}
	return args
}

// printed matches the comments after a snippet's calls of fmt, which hold what the calls print.
var printed = regexp.MustCompile(`(?m)fmt\.Print.*\)\s+// (.*)$`)

// TestGo compiles the models of the pages' Go blocks, puts the blocks into one program, and compares what they print with their comments.
func TestGo(t *testing.T) {
	pagetest.Debertac(t)
	list, programs := snippets(t)
	require.NotEmpty(t, list)
	require.Len(t, programs, 1)
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	mod := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllString(string(text), "module example.com/app") +
		"\nrequire github.com/debertac/debertac v0.0.0\n\nreplace github.com/debertac/debertac => " + root + "\n"
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	write("go.mod", mod)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	write("go.sum", string(sum))
	write("readme/main.go", programs[0])
	used := map[string]snippet{"tag": {folder: "tag"}}
	var main, calls bytes.Buffer
	imports := map[string]bool{"context": true, "fmt": true, "log": true}
	for i, s := range list {
		known, ok := used[s.name()]
		require.True(t, !ok || slices.Equal(known.compile(""), s.compile("")), "%s:%d: another page compiles %s otherwise", s.page, s.line, s.name())
		used[s.name()] = s
		imports["example.com/app/"+s.name()] = true
		for path, use := range called {
			if use.MatchString(s.text + s.option) {
				imports[path] = true
			}
		}
		fmt.Fprintf(&main, "\n// %s\nfunc page%d(ctx context.Context, model *%s.Model) error {\n%s\nreturn nil\n}\n", s.page, i, s.goName(), s.text)
		fmt.Fprintf(&calls, "{\nmodel, err := %[1]s.Open(%[2]q, %[3]s)\nif err != nil { log.Fatal(err) }\ndefer model.Close()\nfmt.Println(\"page\", "+
			"%[4]d)\nif err := page%[4]d(context.Background(), model); err != nil { log.Fatal(err) }\n}\n",
			s.goName(), s.name()+".weights", s.option, i)
	}
	for _, s := range used {
		pagetest.Run(t, s.compile(dir)...)
		pagetest.Run(t, s.pack(dir)...)
	}
	quoted := ""
	for _, path := range slices.Sorted(maps.Keys(imports)) {
		quoted += fmt.Sprintf("%q\n", path)
	}
	source, err := format.Source([]byte("package main\n\nimport (\n" + quoted + ")\n\nfunc main() {\n" + calls.String() + "}\n" + main.String()))
	require.NoError(t, err, "%s", main.String())
	write("pages/main.go", string(source))
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", filepath.Join(dir, "bin")+string(filepath.Separator), "./readme", "./pages")
	build.Dir, build.Env = dir, append(pagetest.Environment(t), "GOPROXY=off")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o777))
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)

	out := program(t, dir, "pages")
	for i, s := range list {
		_, rest, ok := strings.Cut(out, fmt.Sprintf("page %d\n", i))
		require.True(t, ok, "%s:%d: %s", s.page, s.line, out)
		got, _, _ := strings.Cut(rest, "page ")
		var want []string
		for _, m := range printed.FindAllStringSubmatch(s.text, -1) {
			want = append(want, strings.Split(m[1], "; ")...) // a line in a loop has one text per iteration
		}
		if want == nil { // the page does not show what it prints: it only has to run
			continue
		}
		if fault := pagetest.DifferLines(strings.Join(want, "\n")+"\n", got); fault != "" {
			t.Errorf("%s:%d: %s\nprints\n%s", s.page, s.line, fault, got)
		}
	}
	require.Equal(t, "PER Anna Smith 0 10\nLOC New York 20 28\n", program(t, dir, "readme"))
}

// program runs a built program in its folder.
func program(t *testing.T, dir, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "bin", name))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
