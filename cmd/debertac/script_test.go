package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/runtime/safetensors"
)

// child is an environment variable. It is set for a process of the tests that is to end in the middle of its work.
const child = "DEBERTAC_TEST_CRASH"

// asProgram is an environment variable. It is set for processes in which the test binary serves as debertac.
const asProgram = "DEBERTAC_TEST_PROGRAM"

// TestMain makes the test binary serve as debertac inside of scripts.
func TestMain(m *testing.M) {
	if os.Getenv(child) != "" { // of TestEveryFaultOfTheDisk, which needs no scripts
		os.Exit(m.Run())
	}
	if os.Getenv(asProgram) != "" { // of TestKills
		main()
	}
	testscript.Main(m, map[string]func(){"debertac": main})
}

// TestScripts runs testdata/script. Scripts that build programs are skipped by go test -short; they share one cache, as a user's runs do.
func TestScripts(t *testing.T) {
	absolute := func(elements ...string) string {
		path, err := filepath.Abs(filepath.Join(elements...))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	variables := map[string]string{
		"CASES":       absolute("testdata", "cases"),
		"RUNS":        absolute("trial", "testdata", "cases"),
		"FOLDERS":     absolute("..", "..", "examples", "tasks"),
		"ADAPTERS":    absolute("adapter", "testdata"),
		"EXPORTS":     absolute("export", "testdata"),
		"TORCH":       absolute("testdata", "torch"),
		"TOKENIZERS":  absolute("..", "..", "runtime", "token", "testdata"),
		"REPO":        absolute("..", ".."),
		"GOCACHE":     goEnv(t, "GOCACHE"),
		"GOMODCACHE":  goEnv(t, "GOMODCACHE"),
		"GOPROXY":     "off",
		"PROXY":       goEnv(t, "GOPROXY"), // for go mod tidy, which reads go.mod files of modules that no package needs
		"GOFLAGS":     "-trimpath",         // as for built programs, so that the standard library is compiled once
		"GOTOOLCHAIN": "local",
		"NO_COLOR":    "1",
		cache.Env:     t.TempDir(),
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE") != "",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			for name, value := range variables {
				e.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "tensors": tensors, "empty": empty, "special": special,
			"replace": replace, "still": still, "islink": islink, "lost": lost, "batch": batch, "same": same, "shares": shares},
	})
}

// memory makes a folder in memory if the system has a file system in memory. On a disk, tests that write thousands of small files would wait for it.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "debertac-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// goEnv asks the go command for one of its settings.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

// exits is the script command "exits CODE COMMAND …": the command must end with exactly this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND …")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.String()
		code = strings.TrimPrefix(code, "exit status ")
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, %s was expected", code, args[0])
	}
}

// empty is the script command "empty FOLDER": it truncates the files of a folder of the cache to length 0, except sums and locks.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty FOLDER")
	}
	entries, err := os.ReadDir(args[0])
	ts.Check(err)
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".sum" && ext != ".lock" {
			ts.Check(os.Truncate(filepath.Join(args[0], e.Name()), 0))
		}
	}
}

// replace is the script command "replace OLD NEW FILE": it replaces a text that stands once in a file.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := ts.ReadFile(args[2])
	if strings.Count(text, args[0]) != 1 {
		ts.Fatalf("%q does not stand once in %s", args[0], args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Replace(text, args[0], args[1], 1)), 0o600))
}

// tensors is the script command "tensors OUT IN …": it copies the tensors of several safetensors files into one.
func tensors(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: tensors OUT IN …")
	}
	var list []safetensors.Tensor
	data := map[string][]byte{}
	for _, path := range args[1:] {
		f, err := safetensors.Open(ts.MkAbs(path))
		ts.Check(err)
		defer f.Close()
		for _, name := range f.Names() {
			info, err := f.Info(name)
			ts.Check(err)
			list = append(list, safetensors.Tensor{Name: name, DType: info.DType, Shape: info.Shape})
			data[name], err = f.Bytes(name)
			ts.Check(err)
		}
	}
	out, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer out.Close()
	w, err := safetensors.NewWriter(out, nil, list)
	ts.Check(err)
	for _, name := range w.Order() {
		ts.Check(w.Write(name, data[name]))
	}
	ts.Check(w.Close())
}
