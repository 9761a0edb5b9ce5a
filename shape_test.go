package debertac_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const (
	maxColumns  = 160 // of a line, where a tab stands for four
	maxFunction = 80  // lines of a function
	maxFile     = 500 // lines of a file
	maxFront    = 39  // exported names of package runtime
)

// TestShape measures hand-written Go: columns of lines, lines of functions, lines of files. A function that is one table, a literal and little else, may be
// longer.
func TestShape(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git to list the project's files")
	}
	out, err := exec.CommandContext(t.Context(), "git", "ls-files", "*.go").Output()
	if err != nil {
		t.Skip("not a checkout")
	}
	looked := 0
	for name := range strings.FieldsSeq(string(out)) {
		text, err := os.ReadFile(filepath.FromSlash(name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		require.NoError(t, err)
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		if ast.IsGenerated(f) || strings.Contains(name, "testdata/") {
			continue
		}
		looked++
		lines := strings.Split(string(text), "\n")
		if len(lines) > maxFile+1 {
			t.Errorf("%s has %d lines, at most %d are wanted", name, len(lines)-1, maxFile)
		}
		for i, line := range lines {
			if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); n > maxColumns {
				t.Errorf("%s:%d has %d columns, at most %d are wanted", name, i+1, n, maxColumns)
			}
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				if n := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1; n > maxFunction && n-table(set, fn) > maxFunction/2 {
					t.Errorf("%s: %s has %d lines, at most %d are wanted", set.Position(fn.Pos()), fn.Name.Name, n, maxFunction)
				}
			}
		}
	}
	require.Greater(t, looked, 500)
}

// TestFrontDoor counts the exported names of package runtime. A group of constants counts as one name.
func TestFrontDoor(t *testing.T) {
	files, err := filepath.Glob("runtime/*.go")
	require.NoError(t, err)
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() {
					names = append(names, d.Name.Name)
				}
			case *ast.GenDecl:
				for i, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() {
							names = append(names, s.Name.Name)
						}
					case *ast.ValueSpec:
						if s.Names[0].IsExported() && (i == 0 || d.Tok == token.VAR) {
							names = append(names, s.Names[0].Name)
						}
					}
				}
			}
		}
	}
	require.Greater(t, len(names), 20)
	require.LessOrEqual(t, len(names), maxFront, "runtime is what callers name, what else there is stands below it: %v", names)
}

// TestLongTests checks that the tests that the Makefile puts off to "make long" exist: a pattern that matches nothing runs nothing.
func TestLongTests(t *testing.T) {
	text, err := os.ReadFile("Makefile")
	require.NoError(t, err)
	names := regexp.MustCompile(`(?m)^LONG := \^\((.*)\)\$\$$`).FindSubmatch(text)
	require.NotNil(t, names)
	where := map[string][]byte{}
	for _, pattern := range []string{"*_test.go", "cmd/debertac/*_test.go", "docs/tasks/*_test.go", "docs/training/*_test.go"} { // the packages of make long
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range files {
			where[name], err = os.ReadFile(name)
			require.NoError(t, err)
		}
	}
	for name := range strings.SplitSeq(string(names[1]), "|") {
		found := false
		for _, text := range where {
			found = found || strings.Contains(string(text), "\nfunc "+name+"(t *testing.T)")
		}
		require.True(t, found, name)
	}
}

// table returns the number of lines of the longest composite literal in a function.
func table(set *token.FileSet, fn *ast.FuncDecl) (lines int) {
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok {
			lines = max(lines, set.Position(lit.End()).Line-set.Position(lit.Pos()).Line+1)
		}
		return true
	})
	return lines
}
