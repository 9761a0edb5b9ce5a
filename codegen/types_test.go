package codegen_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/tasktable"
)

// exports returns an importer of the packages that generated packages and their tests import.
func exports(t *testing.T, files *token.FileSet) types.Importer {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	const here = "github.com/debertac/debertac/runtime"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Export",
		here+"/attention", here+"/task", here+"/token", here+"/safetensors", here+"/programtest", "log").Output()
	require.NoError(t, err)
	at := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		at[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(at[path]) })
}

// variant is a head whose package is checked.
type variant struct{ name, model, head string }

// variants returns heads of a task that have all its services between them.
func variants(row *tasktable.Row) []variant {
	head := "head c on m { " + row.Sample + " }\n"
	list := []variant{{"as in the table", tiny[:strings.Index(tiny, "head c")], head}}
	if row.Task == tasktable.Labels {
		list = append(list, variant{"entailing", list[0].model, strings.Replace(head, `"yes"`, `"entailment"`, 1)})
		numbered := strings.NewReplacer(`"no"`, `"LABEL_0"`, `"maybe"`, `"LABEL_1"`, `"yes"`, `"LABEL_2"`)
		list = append(list, variant{"numbered", list[0].model, numbered.Replace(head)})
	}
	if row.Task == tasktable.MLM {
		list = append(list, variant{"causal", strings.Replace(list[0].model, "tokenizer none", "tokenizer none; encoder.attention { mask j <= i }", 1),
			strings.Replace(head, "take masked", "take each", 1)})
	}
	for i := range list {
		list[i].model = strings.Replace(list[i].model, "tokenizer none", "checkpoint own", 1)
	}
	return list
}

// TestPackagesOfAllTasks checks the types of packages of every task, with their tests and Examples. Each service has an Example.
func TestPackagesOfAllTasks(t *testing.T) {
	files := token.NewFileSet()
	imports := exports(t, files)
	for _, row := range tasktable.Table {
		shown := map[string]bool{}
		list := variants(&row)
		if testing.Short() {
			list = list[:1]
		}
		for _, v := range list {
			t.Run(string(row.Task)+"/"+v.name, func(t *testing.T) {
				dir := t.TempDir()
				require.NoError(t, emit(t, "m.dspec", v.model+v.head).WriteTo(dir))
				list, err := build.ImportDir(dir, 0)
				require.NoError(t, err)
				var parsed []*ast.File
				for _, name := range append(list.GoFiles, list.TestGoFiles...) {
					f, err := parser.ParseFile(files, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
					require.NoError(t, err)
					parsed = append(parsed, f)
				}
				pkg, err := (&types.Config{Importer: imports}).Check("m", files, parsed, nil)
				require.NoError(t, err)
				for _, name := range pkg.Scope().Names() {
					shown[name] = true
				}
			})
		}
		for _, s := range append([]tasktable.Service{row.Direct}, row.Services...) {
			if len(s.Verbs) > 0 && !testing.Short() {
				require.True(t, shown["ExampleModel_"+s.Verbs[0].Name], "%s: no package has an Example of %s", row.Task, s.Verbs[0].Name)
			}
		}
	}
}
