// Package tasks_test compares the results of the models of examples/tasks with recorded ones, and the outputs of the commands on the pages here with
// the outputs that the pages show.
package tasks_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/docs/pagetest"
	"github.com/debertac/debertac/runtime/cpu"
)

func TestMain(m *testing.M) { pagetest.Main(m) }

// recording is a list of texts and the results of a reference for them.
type recording struct {
	Name   string            `json:"name"`
	By     string            `json:"by"`     // the reference
	Folder string            `json:"folder"` // of the model; default the file's name
	Spec   string            `json:"spec"`   // to compile instead of the one that import writes
	Flags  []string          `json:"flags"`
	Input  []json.RawMessage `json:"input"`
	Want   []any             `json:"want"` // fields that are not in it are not compared

	file  string // without .json
	first bool   // the first recording of its file
	model *compiled
}

const models = "../../examples/tasks"

// compiled is one model of the program that computes all recorded texts. One program for all models saves most of the time that debertac run takes
// for the first text of each model. The commands of the pages use debertac run.
type compiled struct {
	name, folder, emit, weights string
}

// only restricts TestRecorded: compiling the models of all recordings takes a while.
var only = flag.String("recording", "*", "compare the recordings of examples/tasks/expected whose names, without .json, match the pattern")

// TestRecorded compares what the compiled models print with examples/tasks/expected.
func TestRecorded(t *testing.T) {
	pagetest.Debertac(t)
	files, err := filepath.Glob(filepath.Join(models, "expected", *only+".json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	var every []*recording
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var list []*recording
		require.NoError(t, json.Unmarshal(text, &list))
		require.NotEmpty(t, list)
		for i, r := range list {
			r.file, r.first = strings.TrimSuffix(filepath.Base(file), ".json"), i == 0
			if r.Folder == "" {
				r.Folder = r.file
			}
		}
		every = append(every, list...)
	}
	build(t, dir, program, every)
	for _, r := range every {
		t.Run(r.file+"/"+r.Name, func(t *testing.T) {
			t.Parallel()
			r.compare(t, program, nil)
			for _, isa := range []cpu.ISA{cpu.ISAGo, cpu.ISAAVX2, cpu.ISAAVX512} {
				if r.first && isa.Supported() {
					r.compare(t, program, []string{"--isa", isa.String()})
				}
			}
		})
	}
}

// headOn finds the head of a spec.
var headOn = regexp.MustCompile(`(?m)^head (\w+) on`)

// build compiles the models of all recordings into one program and packs their weights.
func build(t *testing.T, dir, program string, list []*recording) {
	t.Helper()
	known := map[string]*compiled{}
	spec, emits := "dspec 1\n", ""
	for _, r := range list {
		var choice []string // flags that choose what is compiled
		for i := 0; i < len(r.Flags); {
			if slices.Contains([]string{"--head", "--layer", "--mask"}, r.Flags[i]) {
				choice, r.Flags = append(choice, r.Flags[i:i+2]...), slices.Delete(r.Flags, i, i+2)
			} else {
				i++
			}
		}
		key := strings.Join(append([]string{r.Folder, r.Spec}, choice...), " ")
		if r.model = known[key]; r.model != nil {
			continue
		}
		name := fmt.Sprintf("m%d", len(known))
		var text string
		if r.Spec != "" {
			one, err := os.ReadFile(filepath.Join(models, r.Spec))
			require.NoError(t, err)
			text = regexp.MustCompile(`(?m)^(model|head \w+ on) \w+`).ReplaceAllString(string(one), "$1 "+name)
		} else {
			text = string(pagetest.Run(t, slices.Concat([]string{"import", filepath.Join(models, r.Folder), "--name", name, "-o", "-"}, choice)...))
		}
		m := &compiled{name, filepath.Join(models, r.Folder), name, filepath.Join(dir, name+".weights")}
		if head := headOn.FindStringSubmatch(text); head != nil {
			m.emit += "." + head[1]
		}
		spec += strings.Replace(text, "dspec 1", "", 1)
		emits += fmt.Sprintf("    emit infer %s as package %q\n", m.emit, name)
		known[key], r.model = m, m
	}
	path := filepath.Join(dir, "all.dspec")
	require.NoError(t, os.WriteFile(path, []byte(spec+"target cpu {\n"+emits+"}\n"), 0o666))
	pagetest.Run(t, "build", path, "-o", program)
	for _, m := range known {
		pagetest.Run(t, "pack", m.folder, "--spec", path, "--head", m.emit, "-o", m.weights)
	}
}

// compare runs the model on the recorded texts.
func (r *recording) compare(t *testing.T, program string, more []string) {
	t.Helper()
	var lines bytes.Buffer
	for _, one := range r.Input {
		lines.Write(one)
		lines.WriteByte('\n')
	}
	cmd := exec.CommandContext(t.Context(), program, slices.Concat([]string{"run", "--model", r.model.name, "--weights", r.model.weights,
		"--json", "--quiet", "--input", "-", "--format", "jsonl"}, r.Flags, more)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = &lines, &said
	out, err := cmd.Output()
	require.NoError(t, err, "%s\n%s", strings.Join(r.Flags, " "), &said)
	var got []any
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var v any
		require.NoError(t, d.Decode(&v), "%s", out)
		got = append(got, v)
	}
	require.Len(t, got, len(r.Want), "results")
	for i, want := range r.Want {
		if fault := pagetest.Differ(want, got[i], ""); fault != "" {
			text, _ := json.Marshal(got[i])
			t.Errorf("%s: %s (by %s)\ninput %s\ngot %.2000s", strings.Join(append(r.Flags, more...), " "), fault, r.By, r.Input[i%len(r.Input)], text)
		}
	}
}
