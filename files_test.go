package debertac_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// onFiles lists the functions of package os that runtime/disk replaces. A direct call of one of them lacks what runtime/disk adds: whole files, kinds
// of files, limits, injected faults.
var onFiles = []string{
	"Create", "CreateTemp", "OpenFile", "Open", "OpenRoot", "OpenInRoot", "ReadFile", "WriteFile", "Rename", "Remove", "RemoveAll", "Mkdir", "MkdirAll",
	"MkdirTemp", "ReadDir", "Stat", "Lstat", "Truncate", "Chmod", "Chtimes", "Link", "Symlink", "DirFS", "CopyFS",
}

// otherwise lists the files and folders that may call those functions, with the reason.
var otherwise = map[string]string{
	"runtime/disk/":                  "it is what the others call",
	"runtime/cpu/cpu.go":             "the kernel's description of the processor is no file of a user's",
	"runtime/cpu/threads.go":         "the kernel's description of the processor is no file of a user's",
	"runtime/resource/resource.go":   "the kernel's description of the memory is no file of a user's",
	"runtime/program/age_linux.go":   "the kernel's description of this process is no file of a user's",
	"runtime/gauge/rss_linux.go":     "the kernel's description of this process is no file of a user's",
	"runtime/command/command.go":     "it compares a terminal with the null device, and reads neither",
	"codegen/attentionset/":          "go generate runs it in a checkout; its output is in version control",
	"codegen/kernel/sampleset/":      "go generate runs it in a checkout; its output is in version control",
	"codegen/build/vendored/gather/": "go generate runs it in a checkout; its output is in version control",
	"docs/":                          "go generate runs it in a checkout; its output is in version control",
	"bench/":                         "a program for measurements in a checkout",
	"mutate/":                        "it runs in a checkout, and writes to a temporary folder only",
	"release/":                       "make release runs it in a checkout; its output is made again at will",
}

// TestFilesAreTouchedInOnePlace looks for calls of package os that bypass runtime/disk, and for callers of disk.Inject that are not tests.
func TestFilesAreTouchedInOnePlace(t *testing.T) {
	used := map[string]bool{}
	looked := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(path)
		if d.IsDir() {
			if slices.Contains([]string{"examples", "generated", "build", "testdata", ".git"}, d.Name()) && name != "codegen/build" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		looked++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := s.X.(*ast.Ident)
			switch {
			case !ok:
			case pkg.Name == "disk" && s.Sel.Name == "Inject":
				t.Errorf("%s calls disk.Inject, which is for tests", name)
			case pkg.Name == "os" && slices.Contains(onFiles, s.Sel.Name):
				for place := range otherwise {
					if name == place || strings.HasSuffix(place, "/") && strings.HasPrefix(name, place) {
						used[place] = true
						return true
					}
				}
				t.Errorf("%s calls os.%s: runtime/disk has what it needs", name, s.Sel.Name)
			}
			return true
		})
		return nil
	}))
	require.Greater(t, looked, 200)
	for place := range otherwise {
		require.True(t, used[place], "%s needs no exception any more", place)
	}
}
