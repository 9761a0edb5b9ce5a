package codegen_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
)

// testPackages compiles the trainings of a spec to packages and runs the packages' own tests: all instruction sets, any number of threads, a pause, parts of a
// batch. more holds further tests, by the path of their file.
func testPackages(t *testing.T, text string, more map[string]string) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds programs")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no Go toolchain")
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	folder := t.TempDir()
	add := func(path string, text []byte) {
		file := filepath.Join(folder, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, text, 0o644))
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	add("go.sum", sums)
	add("go.mod", fmt.Appendf(nil,
		"module trainings\n\ngo 1.26\n\nrequire github.com/debertac/debertac v0.0.0\n\nreplace github.com/debertac/debertac => %s\n", root))
	s, faults := spec.ParseAndResolve("trainings.dspec", []byte(text))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.False(t, faults.HasErrors(), faults)
	require.Len(t, units, len(s.Trains))
	for _, u := range units {
		pkg, err := codegen.Emit(u.Program)
		require.NoError(t, err)
		for _, f := range pkg.Files {
			add(u.Training.Name+"/"+f.Name, f.Text)
		}
	}
	for path, text := range more {
		add(path, []byte(text))
	}
	run := exec.CommandContext(t.Context(), tool, "test", "-mod=mod", "-p=1", "./...")
	run.Dir = folder
	run.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off")
	var printed bytes.Buffer
	run.Stdout, run.Stderr = &printed, &printed
	require.NoError(t, run.Run(), "%s", &printed)
	t.Log(printed.String())
}
