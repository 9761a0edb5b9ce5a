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
	"github.com/debertac/debertac/ir"
)

// stepsModule is a Go module, named steps, that reads this one.
type stepsModule struct {
	t            *testing.T
	tool, folder string
}

// newStepsModule makes an empty module in a folder of its own. Without a Go toolchain, and among short tests, it skips the test.
func newStepsModule(t *testing.T) *stepsModule {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a program")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no Go toolchain")
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	m := &stepsModule{t, tool, t.TempDir()}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	m.add("go.sum", sums)
	m.add("go.mod", fmt.Appendf(nil,
		"module steps\n\ngo 1.26\n\nrequire github.com/debertac/debertac v0.0.0\n\nreplace github.com/debertac/debertac => %s\n", root))
	return m
}

// add writes a file.
func (m *stepsModule) add(path string, text []byte) {
	m.t.Helper()
	file := filepath.Join(m.folder, path)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(m.t, os.WriteFile(file, text, 0o644))
}

// emit writes the package of a program into a folder of its name.
func (m *stepsModule) emit(name string, p *ir.Program) {
	m.t.Helper()
	pkg, err := codegen.Emit(p)
	require.NoError(m.t, err)
	for _, f := range pkg.Files {
		m.add(name+"/"+f.Name, f.Text)
	}
}

// run runs the Go toolchain in the module, and returns what it prints.
func (m *stepsModule) run(args ...string) []byte {
	m.t.Helper()
	run := exec.CommandContext(m.t.Context(), m.tool, args...)
	run.Dir = m.folder
	run.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off")
	var errs bytes.Buffer
	run.Stderr = &errs
	printed, err := run.Output()
	require.NoError(m.t, err, "%s%s", printed, errs.String())
	return printed
}
