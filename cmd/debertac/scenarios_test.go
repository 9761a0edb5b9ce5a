//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	host "github.com/debertac/debertac/runtime/program"
	"github.com/debertac/debertac/runtime/safetensors"
)

// scenario is one command line with the files that exist before it runs. All paths are below a folder of its own.
type scenario struct {
	name string
	args []string // of debertac; after "program" they are for a program that it would build
	// files are the texts of the files that are written before the run, by path. Some texts have a meaning: "@path" copies the folder or file at this
	// path of the checkout; "->path" makes a link; "!command" runs a command when all other files are there; "!>command" does the same and writes its
	// output to the file; "*name" calls a function of makers; "gone" removes the file after all this.
	files map[string]string
	// bulk are prefixes of paths whose files are all written in the same way: only the first operation of each kind on them is made to fail.
	bulk []string
	// only are paths, or prefixes of paths that end in / or -. If there are any, operations on other paths do not fail: another scenario with the
	// same command covers those.
	only []string
	// reports marks a verb that prints faults of the machine as a part of its result.
	reports bool
	// varies marks a verb whose output differs from run to run, for example because it holds times. The number of writes of its last file differs too.
	varies bool
	// judges marks a verb for which a file that cannot be read is a failed check, which the result names.
	judges bool
	// after is a command that must succeed and print "done" after the fault, for verbs whose effect is not on the files that are compared.
	after []string
}

const injectedSpec = `dspec 1

model m like deberta_v3_base {
    tokenizer none
    dim vocab = 60
    dim hidden = 32
    dim heads = 2
    dim inner = 64
    dim layers = 1
    dim span = 8
    dim reach = 32
    dim seq <= 64
}

head kind on m { take first; linear hidden; act; linear 2 as labels("a", "b"); loss cross_entropy }

target t { isa go; emit infer m.kind }
`

// trainedSpec is the spec of a run whose checkpoint is in testdata of package export, and trainedRun describes the run.
const (
	trainedSpec = `dspec 1
model m like deberta_v3_base { dim vocab = 40; dim hidden = 12; dim heads = 2; dim inner = 10; dim layers = 2; dim span = 4; dim reach = 16; dim seq <= 24 }
head h on m { take first; linear hidden; act; linear 3 as labels("no", "maybe", "yes"); loss cross_entropy }
train tune on m.h { batch 4 sequences; steps 10 steps; rate 1e-3 }
target t { emit train tune }
`
	trainedRun = `{"format": 1, "training": "tune", "head": "m.h", "task": "labels", "data": [], "seed": 1, "steps": 10, "steps_per_epoch": 5, "settings": {},
"command": ["debertac", "train"], "debertac": "v1", "began": "2026-01-01T00:00:00Z"}`
)

// scenarios returns a scenario for every verb that reads or writes files, of debertac and of the programs that it builds. imported is a spec of the
// folder model.
func scenarios(imported string) []scenario {
	m := map[string]string{"m.dspec": injectedSpec}
	with := func(more ...string) map[string]string { return amended(m, more...) }
	both := func(more ...string) map[string]string {
		return with(append([]string{"model", "@examples/tasks/classify", "f.dspec", imported}, more...)...)
	}
	const (
		random  = "!pack m.dspec --random-weights 1 -o w"
		folders = "!pack model --spec f.dspec -o w"
		once    = "run f.dspec --random-weights 1 --tokenizer model text"
		doctor  = "doctor m.dspec --weights w"
		verify  = "verify --isa go --only forward case"

		verifyFolder = "verify --isa go --model case --outputs recorded"
		measure      = "bench m.dspec --random-weights 1 --isa go --lengths lengths --cpuprofile cpu.pprof --plot plot.svg --against before.json " +
			"--any-machine --any-spec --repeat 1"
	)
	recorded := func(more ...string) map[string]string {
		return amended(map[string]string{"case": "@cmd/debertac/testdata/cases/v2_seq_single", "case/outputs.safetensors": "*recorded"}, more...)
	}
	measured := []string{"lengths", "3 4 5\n", "plot.svg", "old", "before.json", "!>bench m.dspec --random-weights 1 --isa go --lengths lengths --json"}
	trained := map[string]string{"run/run.json": trainedRun, "run/model.dspec": trainedSpec, "run/metrics.jsonl": "{\"step\":1,\"eval_accuracy\":0.5}\n",
		"run/best.json":                             `{"step": 1, "metric": "eval_accuracy", "value": 0.5}`,
		"run/base/tokenizer_config.json":            "{}",
		"run/checkpoints/step-00000001.safetensors": "@cmd/debertac/export/testdata/classify/model.safetensors"}
	// A verb that builds a program has two scenarios. In one the program is in the cache. In the other it is not, and only the operations of the
	// build are made to fail. A build writes hundreds of source files, so a run with a build takes many times as long as one without.
	building := []string{"cache", "cache/built", "cache/built/", "tmp/debertac-build-"}
	// All verbs store a program in the cache by the same code, and the scenario that runs a spec fails every operation of it. For other verbs one
	// operation of each kind is enough.
	kept := []string{"cache/built/"}
	checkout := []string{"checkout/go.mod", "@go.mod", "checkout/go.sum", "@go.sum"}
	loose := strings.ReplaceAll(injectedSpec, "    dim", "  dim")
	const generated = "// Code generated by debertac. DO NOT EDIT.\n\npackage pkg\n"
	return []scenario{
		{name: "check", args: split("check m.dspec"), files: m},
		{name: "explain", args: split("explain m.dspec"), files: m},
		{name: "dump", args: split("dump m.dspec"), files: m},
		{name: "graph", args: split("graph m.dspec -o out.svg"), files: with("out.svg", "old")},
		{name: "fmt", args: split("fmt -w m.dspec"), files: with("m.dspec", loose)},
		{name: "fmt of a link", args: split("fmt -w link.dspec"), files: with("m.dspec", loose, "link.dspec", "->m.dspec")},
		{name: "import", args: split("import model -o out.dspec"), files: both()},
		{name: "import over a file", args: split("import model --force -o out.dspec"), files: both("out.dspec", "old")},
		{name: "compile", args: split("compile m.dspec -o pkg"), files: m},
		{name: "compile over a package", args: split("compile m.dspec -o pkg"),
			files: with("pkg/model.go", generated, "pkg/forward.go", "", "pkg/orphan.go", generated, "pkg/own.txt", "mine")},
		{name: "diff", args: split("diff m.dspec -o pkg"), files: with("pkg", "!compile m.dspec -o pkg")},
		{name: "init", args: split("init new/one --replace checkout"), files: with(checkout...), bulk: []string{"new/one/"}},
		{name: "init from a folder", args: split("init new/one --from model --replace checkout"), files: both(checkout...), bulk: []string{"new/one/"}},
		{name: "pack", args: split("pack model -o out.weights"), files: both("out.weights", "old")},
		{name: "pack a spec", args: split("pack m.dspec --random-weights 1 -o out.weights"), files: m},
		{name: "pack with an adapter", args: split("pack base --adapter-rank 4 --adapter a=first -o out.weights"),
			files: map[string]string{"base": "@cmd/debertac/adapter/testdata/beside/model", "first": "@cmd/debertac/adapter/testdata/beside/first"}},
		{name: "merge", args: split("merge base adapter -o merged"),
			files: map[string]string{"base": "@cmd/debertac/adapter/testdata/patterns/model", "adapter": "@cmd/debertac/adapter/testdata/patterns/adapter"}},
		{name: "export", args: split("export run -o exported"), files: trained},
		{name: "plot", args: split("plot run -o run.html"), files: amended(trained, "run.html", "old")},
		{name: "build", args: split("build m.dspec -o program"), files: with("program", "old")},
		{name: "build with weights", args: split("build f.dspec --weights w --embed -o program"), files: both("w", folders)},
		{name: "run packs", args: split("run model text"), files: both("cache", "!run model text", "cache/packed", "gone")},
		{name: "run again", args: split("run model text"), files: both("cache", "!run model text")},
		{name: "run a spec", args: split(once), files: both("cache", "!"+once, "cache/packed", "gone")},
		{name: "run a spec that is not built", args: split(once), files: both(), only: building},
		{name: "run on compressed texts", args: split("run model --input texts.txt.zst"),
			files: both("cache", "!run model text", "texts.txt.zst", "*compressed")},
		{name: "run on a table", args: split("run model --input t.parquet --text-field uid"),
			files: both("cache", "!run model text", "t.parquet", "@cmd/debertac/parquetfile/testdata/columns.parquet")},
		{name: "bench", args: split(measure), files: with(measured...)},
		{name: "bench what is not built", args: split(measure), files: with(append(measured, "cache/built", "gone")...), only: building, bulk: kept},
		{name: "verify", judges: true, args: split(verify), files: recorded("cache", "!"+verify)},
		{name: "verify what is not built", judges: true, args: split(verify), files: recorded(), only: building, bulk: kept},
		{name: "verify a tokenizer", args: split("verify --tokenizer words"), files: map[string]string{"words": "@runtime/token/testdata/wordpiece_cased"}},
		{name: "verify a folder", judges: true, args: split(verifyFolder),
			files: recorded("case/outputs.safetensors", "gone", "recorded", "*outputs", "cache", "!"+verifyFolder)},
		{name: "doctor", reports: true, args: split(doctor), files: with("w", random, "cache", "!"+doctor)},
		{name: "doctor of what is not built", reports: true, args: split(doctor), files: with("w", random), only: building, bulk: kept},
		{name: "cache list", varies: true, args: split("cache list"), files: both("cache", "!"+once), after: split(once)},
		{name: "cache clean", args: split("cache clean"), files: both("cache", "!"+once), after: split(once)},
		{name: "cache limit", args: split("cache limit 1B"), files: both("cache", "!"+once), after: split(once)},
		{name: "program run", args: split("program run --model f --weights w --verify --threads 1 --input texts.jsonl --json"),
			files: both("w", folders, "texts.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\"}\n")},
		{name: "program forward", args: split("program forward --model m --weights w --threads 1 --batch in --out out"),
			files: with("w", random, "in", "*batch", "out", "old")},
		{name: "program bench", varies: true, args: split("program bench --model m --weights w --threads 1 --lengths lengths --min-time 1ms --starts 0 " +
			"--cpuprofile cpu.pprof --json"), files: with("w", random, "lengths", "3 4 5\n")},
		{name: "program first", varies: true, args: split("program first --model m --weights w --threads 1"), files: with("w", random)},
		{name: "program doctor", reports: true, args: split("program doctor --model m --weights w --threads 1"), files: with("w", random)},
	}
}

// amended returns files with more added: pairs of a name and a text.
func amended(files map[string]string, more ...string) map[string]string {
	files = maps.Clone(files)
	for i := 0; i < len(more); i += 2 {
		files[more[i]] = more[i+1]
	}
	return files
}

func split(s string) []string { return strings.Fields(s) }

// makers holds functions that write binary files.
var makers = map[string]func(b *bench, path string){
	"compressed": func(b *bench, path string) {
		z, err := zstd.NewWriter(nil)
		require.NoError(b.t, err)
		require.NoError(b.t, os.WriteFile(path, z.EncodeAll([]byte("one\ntwo\n"), nil), 0o666))
	},
	"batch": func(b *bench, path string) {
		require.NoError(b.t, golden.WriteBatch(path, &runtime.Batch{IDs: []int32{1, 5, 2, 1, 7, 9, 2}, Starts: []int32{0, 3, 7}}, nil))
	},
	// recorded has only the logits of a case, because the program that stands in for a built one produces no other tensor.
	"recorded": func(b *bench, path string) { b.logits(path, "logits") },
	"outputs": func(b *bench, path string) {
		b.logits(path, "logits", "input_ids", "attention_mask", "token_type_ids")
	},
}

// logits writes the named tensors of a case's outputs and inputs.
func (b *bench) logits(path string, names ...string) {
	byName := map[string]raw{}
	for _, file := range []string{"outputs", "inputs"} {
		f, err := safetensors.Open(filepath.Join(b.checkout, "cmd/debertac/testdata/cases/v2_seq_single", file+".safetensors"))
		require.NoError(b.t, err)
		defer f.Close()
		for _, n := range f.Names() {
			info, err := f.Info(n)
			require.NoError(b.t, err)
			data, err := f.Bytes(n)
			require.NoError(b.t, err)
			byName[n] = raw{safetensors.Tensor{Name: n, DType: info.DType, Shape: info.Shape}, bytes.Clone(data)}
		}
	}
	var list []raw
	for _, n := range names {
		require.Contains(b.t, byName, n)
		list = append(list, byName[n])
	}
	writeRaw(b.t, path, list...)
}

// raw is a tensor with its bytes.
type raw struct {
	safetensors.Tensor
	data []byte
}

func writeRaw(t *testing.T, path string, list ...raw) {
	t.Helper()
	out, err := os.Create(path)
	require.NoError(t, err)
	byName := map[string][]byte{}
	var decls []safetensors.Tensor
	for _, r := range list {
		decls = append(decls, r.Tensor)
		byName[r.Name] = r.data
	}
	w, err := safetensors.NewWriter(out, nil, decls)
	require.NoError(t, err)
	for _, n := range w.Order() {
		require.NoError(t, w.Write(n, byName[n]))
	}
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
}

// fakes writes a go command and the program that it "builds". These tests are about what debertac does before and after a build, and a real build
// takes long. The program prints a hash of its weights and of its input, so that damage shows in its output. It has the results of a case and of a
// measurement.
func (b *bench) fakes(bin string) {
	logits := filepath.Join(bin, "logits")
	b.logits(logits, "logits")
	list, err := safetensors.Open(logits)
	require.NoError(b.t, err)
	info, err := list.Info("logits")
	require.NoError(b.t, err)
	data, err := list.Bytes("logits")
	require.NoError(b.t, err)
	writeRaw(b.t, filepath.Join(bin, "output"), raw{safetensors.Tensor{Name: host.OutputTensor, DType: info.DType, Shape: info.Shape}, bytes.Clone(data)})
	require.NoError(b.t, list.Close())
	measured, err := json.Marshal(measure.Result{Model: "m", Batch: 1, Tokens: 4, Lengths: "lengths", Threads: 1, ISA: "go", MinMS: 1, P50MS: 2,
		P90MS: 3, P99MS: 4, TokensPerS: 4000,
		SequencesPerS: 1000, GFLOP: 0.001, GFLOPS: 1, StartMS: 5, Calls: 10})
	require.NoError(b.t, err)
	for name, text := range map[string]string{
		"go": `#!/bin/sh
case "$1" in
env) echo go1.99.0 ;;
build) while [ $# -gt 0 ]; do if [ "$1" = -o ]; then cp BIN/program "$2"; fi; shift; done ;;
esac
`,
		"program": `#!/bin/sh
verb=$1
for a; do case "$a" in
--weights=*) weights=${a#*=} ;;
--out=*) out=${a#*=} ;;
--cpuprofile=*) echo profile > "${a#*=}" ;;
--input=-) cksum ;;
esac; done
if [ -n "$weights" ]; then sum=$(cksum < "$weights") || exit 4; fi
case "$verb" in
forward) cp BIN/output "$out" ;;
bench) echo 'MEASURED' ;;
peak*) echo '{"gflops": 100, "gbytes_per_s": 10}' ;;
*) echo "$sum"; echo done ;;
esac
`} {
		text = strings.NewReplacer("BIN", bin, "MEASURED", string(measured)).Replace(text)
		require.NoError(b.t, os.WriteFile(filepath.Join(bin, name), []byte(text), 0o777))
	}
}

// TestInitKeepsWhatWasThere checks that a second run of init that fails leaves the files of the first.
func TestInitKeepsWhatWasThere(t *testing.T) {
	b := newBench(t)
	dir := b.prepare(&scenario{files: map[string]string{"model": "@examples/tasks/classify", "checkout/go.mod": "@go.mod", "checkout/go.sum": "@go.sum"}})
	args := split("init new --from model --replace checkout")
	code, _, said := b.try(dir, args, nil)
	require.Equal(t, fault.ExitDone, code, said)
	before := snap(t, dir).files()
	for _, path := range []string{"new/go.mod", "new/main.go", "new/model.dspec", "new/new.weights"} {
		require.Contains(t, before, path)
		failed := false
		code, _, said := b.try(dir, args, func(op disk.Op, p string) error {
			if op == disk.OpWrite && p == path {
				failed = true
				return errnoOf(disk.OpCreate)
			}
			return nil
		})
		require.True(t, failed, path)
		require.Equal(t, fault.ExitInput, code, said)
		require.Equal(t, before, snap(t, dir).files(), path)
	}
}

// models returns the models that a program of both specs would hold. The oracle computes them.
func (b *bench) models() []host.Model {
	c := &console.Console{Context: b.t.Context(), Out: io.Discard, Err: io.Discard}
	var list []host.Model
	for name, text := range map[string]string{"m": injectedSpec, "f": b.imported()} {
		src, err := source.Parse(c, name+".dspec", []byte(text))
		require.NoError(b.t, err)
		unit, err := source.UnitFor(c, src, "", "", compiler.Options{})
		require.NoError(b.t, err)
		list = append(list, host.Model{Name: name, Program: interpreter(unit.Program)})
	}
	return list
}

// prepare makes the folder of a scenario.
func (b *bench) prepare(s *scenario) string {
	t, dir := b.t, b.dir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "tmp"), 0o777))
	later, printed, made, gone := map[string]string{}, map[string]string{}, map[string]string{}, []string{}
	for path, text := range s.files {
		to := filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o777))
		switch {
		case strings.HasPrefix(text, "@"):
			copyTree(t, filepath.Join(b.checkout, text[1:]), to)
		case strings.HasPrefix(text, "->"):
			require.NoError(t, os.Symlink(text[2:], to))
		case strings.HasPrefix(text, "!>"):
			printed[to] = text[2:]
		case strings.HasPrefix(text, "!"):
			later[path] = text[1:]
		case strings.HasPrefix(text, "*"):
			made[to] = text[1:]
		case text == "gone":
			gone = append(gone, to)
		default:
			require.NoError(t, os.WriteFile(to, []byte(text), 0o666))
		}
	}
	for path, name := range made {
		makers[name](b, path)
	}
	commands := slices.Sorted(maps.Keys(later))
	if i := slices.Index(commands, "cache"); i >= 0 { // the command that fills the cache reads files that the others make
		commands = append(slices.Delete(commands, i, i+1), "cache")
	}
	for _, path := range commands {
		code, _, said := b.try(dir, split(later[path]), nil)
		require.Equal(t, fault.ExitDone, code, said)
	}
	for path, command := range printed {
		code, out, said := b.try(dir, split(command), nil)
		require.Equal(t, fault.ExitDone, code, said)
		require.NoError(t, os.WriteFile(path, []byte(out), 0o666))
	}
	for _, path := range gone {
		require.NoError(t, os.RemoveAll(path))
	}
	return dir
}

// copyTree makes a copy of a file, or of a folder with its links and times.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		st, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o777)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			return errors.Join(err, os.Symlink(link, target))
		}
		text, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(target, text, st.Mode().Perm()|0o200), os.Chtimes(target, st.ModTime(), st.ModTime()))
	}))
}

// wholeProfile reports whether a text is a CPU profile that can be read to its end.
func wholeProfile(text string) bool {
	z, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, z)
	return err == nil
}
