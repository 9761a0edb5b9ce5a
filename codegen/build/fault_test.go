package build_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/codegen/build"
)

// TestWhoseFaultABuildIs checks Fault on outputs of the toolchain. They were recorded from faults that were made on purpose.
func TestWhoseFaultABuildIs(t *testing.T) {
	failed := &exec.ExitError{}
	for output, ours := range map[string]bool{
		"# program/models/m0\nmodels/m0/forward.go:12:3: undefined: nonsense\n":                                                                      true,
		"# program/models/m0\nmodels/m0/kernels_amd64.s:7: unrecognized instruction \"NONSENSE\"\nasm: assembly of models/m0/kernels_amd64.s failed": true,
		"# program/models/m0\nmodels/m0/kernels_amd64.go:5:6: missing function body\n":                                                               true,
		"# program\nprogram/models/m0.forward: relocation target program/models/m0.gemm not defined\n":                                               true,
		"vendor/github.com/debertac/debertac/runtime/core.go:3:1: syntax error\n":                                                                    true,
		"build cache is disabled by GOCACHE=off, but required as of Go 1.12\n":                                                                       false,
		"build cache is required, but could not be located: GOCACHE is not defined and neither $XDG_CACHE_HOME nor $HOME are defined\n":              false,
		"failed to initialize build cache at /proc/x: mkdir /proc/x: no such file or directory\n":                                                    false,
		"# program\n/usr/local/go/pkg/tool/linux_amd64/link: writing /tmp/go-build1/b001/exe/a.out: no space left on device\n":                       false,
		"# program/models/m0\nmodels/m0/forward.go:1:1: write /tmp/go-build1/b002/_pkg_.a: no space left on device\n":                                false,
		"# runtime\n/usr/local/go/src/runtime/proc.go:12:2: could not import internal/abi (open : no such file or directory)\n":                      false,
		"go: creating work dir: stat /absent: no such file or directory\n":                                                                           false,
		"go: error obtaining buildID for go tool compile: fork/exec /usr/local/go/pkg/tool/linux_amd64/compile: resource temporarily unavailable\n":  false,
		"# program/models/m0\n/usr/local/go/pkg/tool/linux_amd64/compile: signal: killed\n":                                                          false,
		"main.go:4:2: package fmt is not in std (/usr/local/go/src/fmt)\n":                                                                           false,
	} {
		err := build.Fault("dir", output, failed)
		var compile *build.CompileError
		var machine *build.GoError
		require.Equal(t, ours, errors.As(err, &compile), output)
		require.Equal(t, !ours, errors.As(err, &machine), output)
		require.ErrorContains(t, err, output[:10], "the toolchain's own words are shown")
	}
}

// TestAFaultOfTheMachine makes a real toolchain fail.
func TestAFaultOfTheMachine(t *testing.T) {
	if _, err := build.FindGo(t.Context()); err != nil {
		t.Skip(err)
	}
	pkg := &codegen.Package{Name: "m"}
	pkg.Add("m.go", []byte("package m\n"))
	out := filepath.Join(t.TempDir(), "out")
	for name, value := range map[string]string{"GOCACHE": "off", "GOTMPDIR": filepath.Join(t.TempDir(), "absent")} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			err := build.Build(t.Context(), []*codegen.Package{pkg}, out)
			var machine *build.GoError
			require.ErrorAs(t, err, &machine)
		})
	}
}
