package debertac_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/debertac/debertac"

// rooms lists the folders of the module (rooms), with the rooms and the other modules that each may import. A name stands for a package and the
// packages below it; with "!" at its end it stands for the package alone. "." is the root package, which embeds sources. The first row whose name
// matches a package applies.
var rooms = []struct {
	name    string
	imports []string // rooms
	modules []string // other modules
}{
	{"spec/diag", nil, []string{"github.com/rivo/uniseg"}},
	{"spec/zoo", nil, nil},
	{"spec/spectest", []string{"spec"}, nil},
	{"spec/hf", []string{"spec", "runtime/tasktable"}, nil},
	{"spec", []string{"spec/diag", "spec/zoo", "runtime/tasktable"}, []string{"github.com/alecthomas/participle/v2", "golang.org/x/text"}},
	{"ir/loop", []string{"runtime/bf16"}, nil},
	{"ir/ops", []string{"ir!", "ir/loop", "runtime/bf16", "runtime/dropout", "runtime/ragged", "runtime/sampler", "spec/diag"}, nil},
	{"ir/opstest", []string{"ir!", "ir/eval", "runtime/bf16", "runtime/ragged"}, nil}, // for tests
	{"ir/eval", []string{"ir!", "runtime/ragged"}, nil},
	{"ir", []string{"spec/diag", "ir/loop", "runtime/masking", "runtime/ragged", "runtime/tasktable"}, nil},
	{"compiler/pack", []string{"ir!", "ir/eval", "runtime!", "runtime/engine", "runtime/tasktable", "runtime/disk", "runtime/published", "runtime/resource",
		"runtime/safetensors"}, nil},
	{"compiler", []string{"spec", "ir", "codegen/kernel", "runtime/masking", "runtime/ragged", "runtime/tasktable"}, nil},
	{"codegen/kernel", []string{"codegen/kernel", "runtime/attention", "runtime/dropout"}, []string{"github.com/mmcloughlin/avo"}},
	{"codegen/attentionset", []string{"codegen!", "codegen/kernel", "runtime/disk"}, []string{"github.com/dave/jennifer"}},
	{"codegen/build", []string{".", "codegen!", "codegen/build", "runtime/disk"}, []string{"golang.org/x/mod", "golang.org/x/tools"}},
	{"codegen", []string{"ir", "codegen/kernel", "runtime/attention", "runtime/disk", "runtime/ragged", "runtime/tasktable", "spec/zoo"},
		[]string{"github.com/dave/jennifer"}},
	{"runtime/attention", []string{"runtime/dropout"}, nil},
	{"runtime/tasktable", nil, nil},                                 // this and the next one are read by the compiler's side and the programs' side
	{"runtime/ragged/raggedtest", []string{"runtime/ragged!"}, nil}, // for tests
	{"runtime/ragged", nil, nil},
	{"runtime/disk", nil, []string{"golang.org/x/sys"}},
	{"runtime/token/tokentest", []string{"runtime!", "runtime/disk", "runtime/engine", "runtime/gunzip", "runtime/token", "runtime/tokenizer"}, nil},
	{"runtime/token", []string{"runtime!", "runtime/disk", "runtime/token", "runtime/tokenizer"}, []string{"golang.org/x/text"}},
	{"runtime/task", []string{"runtime!", "runtime/dropout", "runtime/engine", "runtime/extraction", "runtime/masking",
		"runtime/ragged", "runtime/tasktable", "runtime/tokenizer"}, nil},
	{"runtime/safetensors", []string{"runtime/disk", "runtime/mapped"}, nil},
	{"runtime/appended", []string{"runtime/disk"}, []string{"golang.org/x/sys"}},
	{"runtime/command", []string{"runtime!", "runtime/disk", "runtime/interrupt", "runtime/pool", "runtime/resource", "runtime/safetensors"}, nil},
	{"runtime/batchfile", []string{"runtime!", "runtime/command", "runtime/ragged", "runtime/safetensors"}, nil},
	{"runtime/gauge", []string{"runtime/command", "runtime/disk"}, nil},
	{"runtime/program", []string{"runtime"}, []string{"golang.org/x/sys", "golang.org/x/term"}},
	{"runtime/trainprogram", []string{"runtime!", "runtime/batchfile", "runtime/command", "runtime/cpu", "runtime/disk", "runtime/engine", "runtime/gauge",
		"runtime/interrupt", "runtime/pool", "runtime/prepared", "runtime/runfolder", "runtime/safetensors", "runtime/trainer", "runtime/training"}, nil},
	{"runtime/trainertest", []string{"runtime/cpu", "runtime/engine", "runtime/ragged/raggedtest", "runtime/rate", "runtime/trainer"}, nil},
	{"runtime/trainer", []string{"runtime!", "runtime/cpu", "runtime/disk", "runtime/dropout", "runtime/engine", "runtime/masking", "runtime/pool",
		"runtime/published", "runtime/ragged", "runtime/rate", "runtime/safetensors", "runtime/torchfile"}, nil},
	{"runtime/torchfile", []string{"runtime/disk", "runtime/safetensors"}, nil},
	{"runtime/published", []string{"runtime/safetensors"}, nil},
	{"runtime/dropout", nil, nil},
	{"runtime/masking", []string{"runtime/dropout", "runtime/ragged"}, nil},
	{"runtime/sampler", []string{"runtime/dropout"}, nil},
	{"runtime/programtest", []string{"runtime!", "runtime/bf16", "runtime/cpu", "runtime/disk", "runtime/engine", "runtime/ragged/raggedtest",
		"runtime/resource", "runtime/safetensors"}, nil},
	{"runtime/resource", nil, []string{"golang.org/x/sys"}},
	{"runtime/mapped", []string{"runtime/disk", "runtime/resource"}, []string{"golang.org/x/sys"}},
	{"runtime/cpu", nil, []string{"golang.org/x/sys"}},
	{"runtime/pool", []string{"runtime/cpu", "runtime/ragged"}, nil},
	{"runtime/tokenizer", nil, nil},
	{"runtime/extraction/extractiontest", nil, nil}, // for tests
	{"runtime/extraction", []string{"runtime/ragged", "runtime/tokenizer"}, nil},
	{"runtime/rate", nil, nil},
	{"runtime/gunzip", nil, nil},
	{"runtime/example", nil, nil},
	{"runtime/growthtest", nil, []string{"golang.org/x/sys"}}, // for tests
	{"runtime/metrics", nil, nil},
	{"runtime/prediction", []string{"runtime/example", "runtime/metrics", "runtime/tasktable"}, nil},
	{"runtime/tfevents", []string{"runtime/disk"}, nil},
	{"runtime/prepared", []string{"runtime/disk", "runtime/ragged", "runtime/safetensors"}, nil},
	{"runtime/training", []string{"runtime/disk", "runtime/dropout", "runtime/prepared", "runtime/ragged", "runtime/runfolder", "runtime/tfevents",
		"runtime/trainer"}, nil},
	{"runtime/runfolder", []string{"runtime/disk", "runtime/example", "runtime/ragged"}, nil},
	{"runtime/bf16", nil, nil},
	{"runtime/engine", []string{"runtime!", "runtime/cpu", "runtime/disk", "runtime/mapped", "runtime/pool", "runtime/ragged", "runtime/resource",
		"runtime/safetensors", "runtime/tasktable", "runtime/tokenizer"}, []string{"golang.org/x/sys"}},
	{"runtime", []string{"runtime/cpu", "runtime/mapped", "runtime/pool", "runtime/ragged", "runtime/tokenizer"}, nil},
	{"generated/kernels", []string{"codegen", "runtime/attention", "runtime/bf16", "runtime/cpu", "runtime/engine"}, nil}, // its generator and tests
	{"generated", []string{"runtime"}, nil},
	{"bench/paper", []string{"cmd/debertac/picture", "runtime/example", "runtime/metrics", "runtime/safetensors", "runtime/token", "runtime/tokenizer",
		"spec"}, nil},
	{"bench", []string{"runtime"}, nil},
	{"build", []string{"runtime"}, nil}, // what `make demo` writes, if it was run
	{"cmd/debertac/measure", []string{"ir!", "runtime/cpu", "runtime/engine", "spec/diag"}, []string{"golang.org/x/perf", "golang.org/x/image"}},
	{"cmd/debertac/picture", nil, []string{"gonum.org/v1/plot"}},
	{"cmd/debertac/curves", []string{"cmd/debertac/fault", "cmd/debertac/picture", "cmd/debertac/wording", "runtime/runfolder"},
		[]string{"gonum.org/v1/plot"}},
	{"cmd/debertac/parquetfile", []string{"runtime/disk"}, []string{"github.com/parquet-go/parquet-go"}},
	{"cmd/debertac/dataset", []string{"cmd/debertac/fault", "cmd/debertac/parquetfile", "cmd/debertac/wording", "runtime/command", "runtime/disk",
		"runtime/example", "runtime/gunzip", "runtime/program!"}, []string{"github.com/klauspost/compress"}},
	{"cmd/debertac/graph", []string{"ir!"}, nil},
	{"cmd/debertac/corpus", []string{"runtime", "spec!"}, nil},
	{"cmd/debertac/wording", nil, nil},
	{"cmd/debertac/version", []string{"codegen/build"}, nil},
	{"cmd/debertac/cache", []string{"runtime/disk"}, nil},
	{"cmd/debertac/fault", []string{"codegen/build", "runtime", "spec/diag"}, nil},
	{"cmd/debertac/flags", []string{"cmd/debertac/fault", "runtime/tasktable"}, nil},
	{"cmd/debertac/console", []string{"cmd/debertac/fault", "spec/diag"}, nil},
	{"cmd/debertac/output", []string{"cmd/debertac/fault", "cmd/debertac/wording", "runtime/disk"}, nil},
	{"cmd/debertac/source", []string{"cmd/debertac/console", "cmd/debertac/fault", "cmd/debertac/wording", "compiler!", "runtime", "spec"}, nil},
	{"cmd/debertac/folder", []string{"cmd/debertac/cache", "cmd/debertac/console", "cmd/debertac/fault", "cmd/debertac/flags",
		"cmd/debertac/source", "cmd/debertac/wording", "compiler", "runtime", "spec"}, nil},
	{"cmd/debertac/evaluation", []string{"cmd/debertac/built", "cmd/debertac/dataset", "cmd/debertac/fault", "cmd/debertac/output", "runtime/command",
		"runtime/disk", "runtime/example", "runtime/metrics", "runtime/prediction"}, []string{"github.com/rivo/uniseg", "gonum.org/v1/plot"}},
	{"cmd/debertac/model", []string{"cmd/debertac/console", "cmd/debertac/fault", "cmd/debertac/folder", "cmd/debertac/source", "cmd/debertac/wording",
		"compiler!", "runtime/disk", "spec!"}, nil},
	{"cmd", []string{"spec", "ir", "compiler", "codegen", "runtime", "cmd"}, []string{"github.com/alecthomas/kong", "github.com/klauspost/compress",
		"github.com/rogpeppe/go-internal", "golang.org/x/mod", "golang.org/x/sys", "golang.org/x/term"}},
	{"docs/pagetest", nil, nil}, // for tests
	{"docs", []string{"compiler!", "runtime/disk", "runtime/tasktable", "spec"}, nil}, // fills in tables from the code
	{"", nil, nil},
}

// listed is a part of what `go list -json` prints for a package.
type listed struct {
	ImportPath string
	Imports    []string
}

// within reports whether a path is in one of the named rooms.
func within(path string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		if alone, ok := strings.CutSuffix(n, "!"); ok {
			return path == alone
		}
		return path == n || strings.HasPrefix(path, n+"/")
	})
}

// TestImports compares the packages' imports (not those of tests) with the table.
func TestImports(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	require.NoError(t, err)
	for i, r := range rooms {
		for _, before := range rooms[:i] {
			require.False(t, within(r.name, []string{before.name}), "the row of %s never holds: %s stands before it", r.name, before.name)
		}
	}
	d := json.NewDecoder(strings.NewReader(string(out)))
	packages := 0
	for {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		packages++
		path := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, r := range rooms {
			if r.name != "" && !within(path, []string{r.name}) {
				continue
			}
			for _, imp := range p.Imports {
				own, inside := strings.CutPrefix(imp, module+"/")
				if imp == module {
					own, inside = ".", true
				}
				switch {
				case inside && !within(own, r.imports):
					t.Errorf("%s may not import %s", path, own)
				case !inside && strings.Contains(strings.Split(imp, "/")[0], ".") && !within(imp, r.modules):
					t.Errorf("%s may not import the module of %s", path, imp)
				}
			}
			break
		}
	}
	require.Greater(t, packages, 20)
}
