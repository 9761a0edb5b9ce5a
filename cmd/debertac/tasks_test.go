package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec/hf"
)

// TestEveryTaskIsWhole checks that each row of the table of tasks has a page with its calls in Go, a recorded result, a head that compiles to a
// package with its calls, and an Example for each of its services.
func TestEveryTaskIsWhole(t *testing.T) {
	recorded := recordedTasks(t)
	examples := examplesIn(t, filepath.Join("..", "..", "runtime", "task"))
	for _, r := range tasktable.Table {
		t.Run(string(r.Task), func(t *testing.T) {
			pkg := samplePackage(t, &r)
			page, err := os.ReadFile(filepath.Join("..", "..", "docs", "tasks", r.Page))
			require.NoError(t, err)
			shown := false
			for _, s := range append([]tasktable.Service{r.Direct}, r.Services...) {
				for _, v := range s.Verbs {
					shown = shown || gopackage.HasMethod(pkg, v.Name) && regexp.MustCompile("(?ms)^```go \\w.*?model\\."+v.Name+`\(`).Match(page)
				}
			}
			require.True(t, shown, "docs/tasks/%s has no Go block, such as ```go FOLDER, with a call of the task", r.Page)
			require.NotEmpty(t, recorded[r.Task], "no file of examples/tasks/expected is of a head of this task")
			for _, s := range r.Services {
				require.True(t, examples["Example"+s.Name], "runtime/task has no Example%s", s.Name)
			}
		})
	}
}

// samplePackage compiles the row's sample and checks that it is of the row's task, with all calls that are there for every head.
func samplePackage(t *testing.T, r *tasktable.Row) *codegen.Package {
	t.Helper()
	text := "dspec 1\nmodel m like deberta_v3_base {\n\tcheckpoint own\n" +
		"\tdim vocab = 20; dim hidden = 16; dim heads = 1; dim inner = 8; dim layers = 1; dim span = 4; dim reach = 9; dim seq <= 16\n}\n" +
		"target t { isa go; emit infer m.c }\nhead c on m { " + r.Sample + " }\n"
	c := &console.Console{Context: t.Context(), Out: io.Discard, Err: io.Discard}
	src, err := source.Parse(c, "sample.dspec", []byte(text))
	require.NoError(t, err)
	units, faults, err := compiler.Compile(src.Spec, compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Len(t, units, 1)
	require.Equal(t, r.Task, units[0].Program.Meta.Task)
	pkg, err := codegen.Emit(units[0].Program)
	require.NoError(t, err)
	for _, s := range append([]tasktable.Service{r.Direct}, r.Services...) {
		for _, v := range s.Verbs {
			if s.When == tasktable.Always {
				require.True(t, gopackage.HasMethod(pkg, v.Name), "the package has no %s", v.Name)
			}
		}
	}
	return pkg
}

// examplesIn returns the names of the Example functions in a folder's tests.
func examplesIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Example") {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// recordedTasks returns the files of examples/tasks/expected by task: the task of the heads whose results they hold.
func recordedTasks(t *testing.T) map[tasktable.Task][]string {
	t.Helper()
	models := filepath.Join("..", "..", "examples", "tasks")
	files, err := filepath.Glob(filepath.Join(models, "expected", "*.json"))
	require.NoError(t, err)
	list := map[tasktable.Task][]string{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var records []struct {
			Folder, Spec string
			Flags        []string
		}
		require.NoError(t, json.Unmarshal(text, &records))
		seen := map[string]bool{}
		for _, r := range records {
			if r.Folder == "" {
				r.Folder = strings.TrimSuffix(filepath.Base(path), ".json")
			}
			wish := hf.Options{Model: "m"}
			for i, f := range r.Flags {
				switch f {
				case "--head":
					wish.Task = r.Flags[i+1]
				case "--mask":
					wish.Mask = r.Flags[i+1]
				}
			}
			key := r.Folder + " " + r.Spec + " " + wish.Task + " " + wish.Mask
			if seen[key] {
				continue
			}
			seen[key] = true
			task := taskOf(t, models, r.Folder, r.Spec, wish)
			list[task] = append(list[task], filepath.Base(path))
		}
	}
	return list
}

// taskOf returns the task of a model folder, or of a spec for it.
func taskOf(t *testing.T, models, dir, file string, wish hf.Options) tasktable.Task {
	t.Helper()
	c := &console.Console{Context: t.Context(), Out: io.Discard, Err: io.Discard}
	var src *source.Source
	var err error
	if file != "" {
		src, err = source.Load(c, filepath.Join(models, file))
		require.NoError(t, err)
	} else {
		f, err := folder.Open(filepath.Join(models, dir), false, nil)
		require.NoError(t, err)
		defer f.Close()
		f.Wish = wish
		text, _, err := f.Spec(hf.Options{Model: "m"})
		require.NoError(t, err)
		src, err = source.Parse(c, dir, []byte(text))
		require.NoError(t, err)
	}
	if len(src.Spec.Heads) == 0 {
		return tasktable.Hidden
	}
	return src.Spec.Heads[0].Task()
}
