package build_test

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/appended"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/program"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
)

// tiny is a small model that has everything that a program needs: tables of relative positions, and a head with labels.
const tiny = `dspec 1

model NAME like deberta_v3_base {
    tokenizer none
    dim vocab  = 60
    dim hidden = 32
    dim heads  = 2
    dim inner  = INNER
    dim layers = 2
    dim span   = 8
    dim reach  = 32
    dim seq   <= 64
}

head kind on NAME { take first; linear hidden; act; linear 3 as labels("a", "b", "c"); loss cross_entropy }
`

// generate compiles the tiny model and packs random weights.
func generate(t *testing.T, name string) (*codegen.Package, string) {
	t.Helper()
	text := strings.NewReplacer("NAME", name, "INNER", strconv.Itoa(8*len(name))).Replace(tiny) // each length of a name makes another model
	file, faults := spec.Parse("tiny.dspec", []byte(text))
	require.Empty(t, faults)
	s, faults := spec.Resolve(file)
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{Emit: name + ".kind"})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Len(t, units, 1)
	pkg, err := codegen.Emit(units[0].Program)
	require.NoError(t, err)
	weights := filepath.Join(t.TempDir(), name+".weights")
	require.NoError(t, pack.Write(weights, units[0].Program, pack.Random{Seed: 1, Std: 0.2}, pack.Options{}))
	return pkg, weights
}

// batchFile writes a batch for the verb forward.
func batchFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.safetensors")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	w, err := safetensors.NewWriter(f, nil, []safetensors.Tensor{{Name: "ids", DType: safetensors.I32, Shape: []int{5}},
		{Name: "starts", DType: safetensors.I32, Shape: []int{3}}})
	require.NoError(t, err)
	data := map[string][]byte{"ids": {1, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}, "starts": {0, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0}}
	for _, name := range w.Order() {
		require.NoError(t, w.Write(name, data[name]))
	}
	require.NoError(t, w.Close())
	return path
}

// forward runs a built program and returns its output [2, 3].
func forward(t *testing.T, binary string, args ...string) []float32 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.safetensors")
	out, err := exec.Command(binary, append([]string{"forward", "--batch", batchFile(t), "--out", path}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Check(program.OutputTensor, 2, 3))
	v := make([]float32, 6)
	require.NoError(t, f.Floats(program.OutputTensor, v))
	return v
}

// TestBuild builds one program of two models. It runs both on every instruction set, and with the weights inside.
func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the Go toolchain")
	}
	first, firstWeights := generate(t, "first")
	second, secondWeights := generate(t, "second") // another width of the inner layer, see generate
	binary := filepath.Join(t.TempDir(), "program")
	require.NoError(t, build.Build(t.Context(), []*codegen.Package{first, second}, binary))
	want := forward(t, binary, "--model", first.Name, "--weights", firstWeights, "--isa", "go")
	for _, isa := range cpu.SupportedISAs() {
		for _, m := range []struct{ name, weights string }{{first.Name, firstWeights}, {second.Name, secondWeights}} {
			if isa > cpu.ISAAVX512 || isa == cpu.ISAAVXVNNI {
				continue // the package has no kernels for it
			}
			got := forward(t, binary, "--model", m.name, "--weights", m.weights, "--isa", isa.String())
			for i := range want {
				if m.name == first.Name && math.Abs(float64(got[i]-want[i])) > 1e-4*(1+math.Abs(float64(want[i]))) {
					t.Errorf("%s on %v: output %d is %v, portable Go gives %v", m.name, isa, i, got[i], want[i])
				}
			}
		}
	}
	out, err := exec.Command(binary, "forward", "--model", first.Name, "--weights", secondWeights, "--batch", batchFile(t),
		"--out", filepath.Join(t.TempDir(), "out")).CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, program.ExitInput, exit.ExitCode(), "weights of another spec are refused: %s", out)

	require.NoError(t, appended.Append(binary, []appended.Source{{Name: first.Name, Path: firstWeights}}))
	require.Equal(t, want, forward(t, binary, "--model", first.Name, "--isa", "go"), "weights inside")
	out, err = exec.Command(binary, "doctor", "--model", first.Name).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "every tensor holds what was packed")
}

// TestBuildAlone builds in an empty folder, without modules, network and home. Go's build cache may already hold compiled packages. It cannot hide a missing
// source, because Go finds them by the content of the sources.
func TestBuildAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the Go toolchain")
	}
	compiled, err := exec.Command("go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	pkg, weights := generate(t, "alone")
	t.Chdir(t.TempDir())
	for name, value := range map[string]string{
		"GOPROXY": "off", "GOCACHE": strings.TrimSpace(string(compiled)), "GOMODCACHE": t.TempDir(), "HOME": "", "XDG_CACHE_HOME": "",
		"GOFLAGS": "-mod=mod -tags=nonsense", "GOWORK": "/nonsense", "CGO_ENABLED": "1", "GOARCH": "mips",
	} {
		t.Setenv(name, value)
	}
	require.NoError(t, build.Build(t.Context(), []*codegen.Package{pkg}, "alone"))
	require.Len(t, forward(t, "./alone", "--weights", weights), 6)
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing but the program is left")
	if file, err := exec.LookPath("file"); err == nil && runtime.GOOS == "linux" {
		out, err := exec.Command(file, "alone").Output()
		require.NoError(t, err)
		require.Contains(t, string(out), "statically linked")
	}
}

// TestOtherMachines cross-compiles, with and without assembly.
func TestOtherMachines(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the Go toolchain")
	}
	pkg, _ := generate(t, "other")
	out := filepath.Join(t.TempDir(), "program")
	require.NoError(t, build.Binary(t.Context(), build.Options{Packages: []*codegen.Package{pkg}, Out: out, OS: "linux", Arch: "arm64"}))
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, []byte{0x7f, 'E', 'L', 'F'}, text[:4])
	require.Equal(t, byte(0xb7), text[18], "the machine in the ELF header is AArch64")
	require.NoError(t, build.Binary(t.Context(), build.Options{Packages: []*codegen.Package{pkg}, Out: out, Tags: []string{"noasm"}}))
}

func TestFaults(t *testing.T) {
	bad := &codegen.Package{Name: "bad"}
	bad.Add("bad.go", []byte("package bad\n\nfunc Program() nonsense { return 0 }\n"))
	out := filepath.Join(t.TempDir(), "program")
	require.ErrorContains(t, build.Build(t.Context(), nil, out), "no packages")
	require.ErrorContains(t, build.Build(t.Context(), []*codegen.Package{bad, bad}, out), `the name "bad"`)
	escaping := &codegen.Package{Name: "escaping", Files: []codegen.File{{Name: "../main.go"}}}
	require.ErrorContains(t, build.Build(t.Context(), []*codegen.Package{escaping}, out), "main.go")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, build.Build(ctx, []*codegen.Package{bad}, out), context.Canceled)

	if !testing.Short() {
		t.Setenv("TMPDIR", t.TempDir())
		err := build.Build(t.Context(), []*codegen.Package{bad}, out)
		var c *build.CompileError
		require.ErrorAs(t, err, &c)
		require.ErrorContains(t, err, "undefined: nonsense")
		require.FileExists(t, filepath.Join(c.Dir, "models", "m0", "bad.go"), "the sources are kept, to look at")
	}
	require.NoFileExists(t, out)
}

// TestToolchain puts other go commands into PATH.
func TestToolchain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the go commands of this test are shell scripts")
	}
	g, err := build.FindGo(t.Context())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(g.Version, "go1."), g.Version)
	require.Regexp(t, `^go1\.\d+`, build.Needed())
	for script, want := range map[string]string{
		"echo go1.22.3":                         "too old for programs that need go1.",
		"echo go1.9":                            "too old",
		"echo devel go1.21-abcdef Mon Jan 1":    "too old",
		"echo nonsense":                         "too old",
		"echo 'cannot find GOROOT' >&2; exit 2": "does not work (exit status 2: cannot find GOROOT)",
		"echo devel go1.99-abcdef Mon Jan 1":    "",
		"echo go1.99.0":                         "",
		"echo go1.99rc1":                        "",
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\n"+script+"\n"), 0o777))
		t.Setenv("PATH", dir)
		_, err := build.FindGo(t.Context())
		if want == "" {
			require.NoError(t, err, script)
			continue
		}
		var bad *build.ToolchainError
		require.True(t, errors.As(err, &bad), "%s: %v", script, err)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "install Go 1.")
	}
}

// TestKinds checks that a program cannot hold models and training steps.
func TestKinds(t *testing.T) {
	err := build.Build(t.Context(), []*codegen.Package{{Name: "a"}, {Name: "b", Train: true}}, filepath.Join(t.TempDir(), "out"))
	require.ErrorContains(t, err, "a program holds models or training steps, not both: a and b are of different kinds")
}

func TestReadPackage(t *testing.T) {
	pkg, _ := generate(t, "reread")
	dir := t.TempDir()
	require.NoError(t, pkg.WriteTo(dir))
	got, err := build.ReadPackage(dir, pkg.Name)
	require.NoError(t, err)
	var want []codegen.File
	for _, f := range pkg.Files {
		if !strings.HasSuffix(f.Name, "_test.go") {
			want = append(want, f)
		}
	}
	require.Equal(t, want, got.Files)
	_, err = build.ReadPackage(t.TempDir(), "none")
	require.ErrorContains(t, err, "holds no Go package")
}
