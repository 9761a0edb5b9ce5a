package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/fault"
)

// starting is one new program.
type starting struct {
	folder string
	flags  []string
	call   string
	args   []string
	want   string // a pattern of the output
}

// started lists the model folders of examples/tasks, with how a new program is made from each and what it prints.
var started = []starting{
	{"answer", nil, "Answer", []string{"Where does Maria live?", "Maria lives in Vienna. She works for Nova Labs."}, `^Vienna\t[01]\.\d{3}\n`},
	{"answer_roberta", nil, "Answer", []string{"Where does Maria live?", "Maria lives in Vienna."}, `^.+\t[01]\.\d{3}\n`},
	{"choose", nil, "Choose", []string{"She took an", "umbrella", "bed"}, `^\d\.\d{3}\tumbrella\n\d\.\d{3}\tbed\n$`},
	{"classify", nil, "Classify", []string{"The film was very good.", "A waste of time."},
		`^positive\t\d\.\d{3}\tThe film was very good\.\nnegative\t\d\.\d{3}\tA waste of time\.\n$`},
	{"classify_bert", nil, "Classify", []string{"x"}, `^\S+\t\d\.\d{3}\tx\n$`},
	{"classify_deberta", nil, "Classify", []string{"x"}, `^\S+\t\d\.\d{3}\tx\n$`},
	{"own_labels", nil, "Match", []string{"travel,sport", "The ball was in the net."}, `^((travel|sport)\t\d\.\d{3}\t.*\n)*$`},
	{"schema", nil, "Extract", []string{"person,place", "Ada Lovelace lives in London."}, `^((person|place)\t\d\.\d{3}\t.*\n)*$`},
	{"multilabel", nil, "Classify", []string{"x"}, `\t\d\.\d{3}\tx\n$`},
	{"crf", nil, "Tag", []string{"The quick brown fox"}, `^(X\t.*\n)*$`},
	{"embed", nil, "Embed", []string{"one", "two"}, `^\[.*\]\tone\n\[.*\]\ttwo\n$`},
	{"emd", []string{"--head", "emd"}, "Fill", []string{"The [MASK] fox"}, `^The .* fox\n(\t.*\t\d\.\d{3}\n){5}$`},
	{"entities", nil, "Entities", []string{"person,location", "Ada Lovelace lives in London."}, `^((person|location)\t.*\n)*$`},
	{"fill", nil, "Fill", []string{"The quick brown fox jumps over [MASK] lazy dog."}, `^The quick brown fox jumps over the lazy dog\.\n\tthe\t`},
	{"fill_bert", nil, "Fill", []string{"a [MASK]"}, `(\t.*\n){5}$`},
	{"fill_deberta", nil, "Fill", []string{"a [MASK]"}, `(\t.*\n){5}$`},
	{"fill_legacy", nil, "Fill", []string{"a [MASK]"}, `(\t.*\n){5}$`},
	{"fill_roberta", nil, "Fill", []string{"a <mask>"}, `(\t.*\n){5}$`},
	{"fill", []string{"--head", "perplexity"}, "Perplexity", []string{"The quick brown fox"}, `^\d.*\tThe quick brown fox\n$`},
	{"generate", []string{"--head", "generate"}, "Generate", []string{"The quick brown"}, `^The quick brown fox jumps over the `},
	{"nli", nil, "ClassifyPairs", []string{"Snow lay on the roofs.", "It is cold."}, `^\d\.\d{3}\tcontradiction\n\d\.\d{3}\tneutral\n\d\.\d{3}\tentailment\n$`},
	{"nli", []string{"--head", "zero-shot"}, "Entail", []string{"sports,politics,the weather", "Snow lay on the roofs."}, `^the weather\t\d\.\d{3}\tSnow`},
	{"nli_small", nil, "ClassifyPairs", []string{"a", "b"}, `entail`},
	{"rank", []string{"--head", "rank"}, "Rank", []string{"Where does Tom live?", "Anna Smith works for Acme.", "Tom lives in Rome."},
		`^\S+\tTom lives in Rome\.\n`},
	{"rtd", []string{"--head", "rtd"}, "Detect", []string{"The quick brown fox"}, `^(\d\.\d{3}\t.*\n){10}$`},
	{"score", nil, "Score", []string{"x"}, `^-?\d.*\tx\n$`},
	{"tag", nil, "Tag", []string{"Anna Smith lives in New York."}, `^PER\t.*\tAnna Smith\nLOC\t.*\tNew York\n$`},
	{"tag_bert", nil, "Tag", []string{"x"}, ``},
	{"tag_deberta", nil, "Tag", []string{"x"}, ``},
}

// TestInitFrom makes a program from each model folder of examples/tasks, builds it and runs it. All are built as packages of one module and linked into one
// program: linking each by itself would take most of the time, and TestInitFromNames does so for some.
func TestInitFrom(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	folders, err := filepath.Glob(filepath.Join(root, "examples", "tasks", "*", "*config.json"))
	require.NoError(t, err)
	for _, f := range folders {
		name := filepath.Base(filepath.Dir(f))
		require.True(t, slices.ContainsFunc(started, func(s starting) bool { return s.folder == name }), "%s has no row", name)
	}
	all := newPrograms{dir: t.TempDir(), root: root}
	for _, s := range started {
		all.add(t, filepath.Join(root, "examples", "tasks", s.folder), &s)
	}
	all.add(t, numbered(t, root), &starting{"numbered", []string{"--head", "zero-shot"}, "Entail",
		[]string{"LABEL_2", "sports,politics,the weather", "Snow lay on the roofs."}, `^the weather\t\d\.\d{3}\tSnow`})
	all.build(t)
	for i, s := range all.list {
		t.Run(s.folder+strings.Join(s.flags, ""), func(t *testing.T) {
			name := fmt.Sprintf("start%d", i)
			got := all.do(t, filepath.Join(all.dir, "program"), append([]string{name, filepath.Join(name, name+".weights")}, s.args...)...)
			require.Regexp(t, regexp.MustCompile(s.want), got)
		})
	}
}

// numbered makes a folder whose labels have numbers as names, so that a program must be told which one means entailment.
func numbered(t *testing.T, root string) string {
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(filepath.Join(root, "examples", "tasks", "nli"))))
	config, err := os.ReadFile(filepath.Join(folder, "config.json"))
	require.NoError(t, err)
	config = []byte(strings.NewReplacer("contradiction", "LABEL_0", "neutral", "LABEL_1", "entailment", "LABEL_2").Replace(string(config)))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), config, 0o666))
	return folder
}

// newPrograms are new programs as packages of one module.
type newPrograms struct {
	dir, root string
	list      []*starting
}

// add makes a program from a folder, and turns it into a package: its main becomes a function that the main of all programs calls.
func (a *newPrograms) add(t *testing.T, folder string, s *starting) {
	name := fmt.Sprintf("start%d", len(a.list))
	a.list = append(a.list, s)
	made := filepath.Join(a.dir, name)
	var said strings.Builder
	code := run(t.Context(), append([]string{"init", made, "--from", folder, "--replace", a.root}, s.flags...), nil, io.Discard, &said)
	require.Equal(t, fault.ExitDone, code, said.String())
	main, err := os.ReadFile(filepath.Join(made, "main.go"))
	require.NoError(t, err)
	text := string(main)
	require.Contains(t, text, "model."+s.call+"(")
	for _, change := range [][2]string{{"\npackage main\n", "\npackage " + name + "\n"}, {"\nfunc main() {", "\nfunc Main() {"},
		{`"` + name + "/", `"whole/` + name + "/"}} {
		require.Equal(t, 1, strings.Count(text, change[0]), text)
		text = strings.Replace(text, change[0], change[1], 1)
	}
	require.NoError(t, os.WriteFile(filepath.Join(made, "main.go"), []byte(text), 0o666))
	mod, err := os.ReadFile(filepath.Join(made, "go.mod"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(mod), "module "+name+"\n"))
	require.NoError(t, os.WriteFile(filepath.Join(a.dir, "go.mod"), []byte("module whole\n"+strings.TrimPrefix(string(mod), "module "+name+"\n")), 0o666))
	require.NoError(t, os.Rename(filepath.Join(made, "go.sum"), filepath.Join(a.dir, "go.sum")))
	require.NoError(t, os.Remove(filepath.Join(made, "go.mod")))
}

// build builds the program of all.
func (a *newPrograms) build(t *testing.T) {
	imports, calls, packages := "", "", []string{"vet", "."}
	for i := range a.list {
		imports += fmt.Sprintf("\t\"whole/start%d\"\n", i)
		calls += fmt.Sprintf("\t\t\"start%d\": start%d.Main,\n", i, i)
		packages = append(packages, fmt.Sprintf("./start%d", i))
	}
	text := "package main\n\nimport (\n\t\"os\"\n\n" + imports + ")\n\nfunc main() {\n\tcalls := map[string]func(){\n" + calls + "\t}\n" +
		"\tname := os.Args[1]\n\tos.Args = os.Args[1:]\n\tcalls[name]()\n}\n"
	require.NoError(t, os.WriteFile(filepath.Join(a.dir, "main.go"), []byte(text), 0o666))
	a.do(t, "go", packages...)
	a.do(t, "go", "build", "-o", "program", ".")
}

// do runs a command in the module, and returns what it prints.
func (a *newPrograms) do(t *testing.T, name string, args ...string) string {
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-trimpath", "GOWORK=off")
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		t.Fatalf("%s %q: %v\n%s", name, args, err, exit.Stderr)
	}
	require.NoError(t, err)
	return string(out)
}

// TestInitFromNames: programs of folders whose names mean something to Go, or to the program, are built by go build.
func TestInitFromNames(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	dir := t.TempDir()
	for name, module := range map[string]string{"names": "names", "model": "model", "log": "my-log", "args": "args", "ner2": "ner2", "9lives": "my-9lives"} {
		made := filepath.Join(dir, name)
		require.Zero(t, run(t.Context(), []string{"init", made, "--from", filepath.Join(root, "examples", "tasks", "tag"), "--replace", root}, nil,
			io.Discard, io.Discard), name)
		cmd := exec.CommandContext(t.Context(), "go", "build", ".")
		cmd.Dir = made
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-trimpath", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
		text, err := os.ReadFile(filepath.Join(made, "go.mod"))
		require.NoError(t, err)
		require.Contains(t, string(text), "module "+module+"\n")
	}
	var said strings.Builder
	require.Equal(t, 2, run(t.Context(), []string{"init", filepath.Join(dir, "x"), "--module", "log/x", "--replace", root}, nil, io.Discard, &said))
	require.Contains(t, said.String(), "--module log/x: log is a package of Go")
}

// TestRawArguments: an argument that is not valid UTF-8 is an error of the command line, unless it is a text of run, whose bytes stay as they are.
func TestRawArguments(t *testing.T) {
	bad := "a\xff"
	args, raw, err := markRaw([]string{"run", "model", bad, "fine", "--", "-" + bad})
	require.NoError(t, err)
	for _, arg := range args {
		require.True(t, utf8.ValidString(arg))
	}
	require.Equal(t, []string{bad, "fine", "-" + bad}, raw.unmark([]string{args[2], args[3], args[5]}))
	require.Empty(t, raw)
	for _, args := range [][]string{{"check", bad}, {"run", "model", "--pair=" + bad, "x"}, {"run", "model", "--pair", bad, "x"}, {"run", bad, "x"}, {bad}} {
		var said strings.Builder
		require.NotZero(t, run(t.Context(), args, nil, io.Discard, &said))
		require.Contains(t, said.String(), `a\xff" is not valid UTF-8`, "%q", args)
	}
}
