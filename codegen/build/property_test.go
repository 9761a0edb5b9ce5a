package build_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/program"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/spectest"
)

// drawnModel is a random spec, compiled, with its weights, its batch and the oracle's result.
type drawnModel struct {
	text    string
	program *ir.Program
	outputs []string // tensors that forward writes
	want    []float64
	weights string
	batch   string
}

// drawn returns tensors of random numbers, always the same for one name. The numbers are large enough that attention is far from uniform.
type drawn struct{}

func (drawn) Tensor(name string, shape []int) ([]float32, error) {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(5, h.Sum64()))
	n := 1
	for _, d := range shape {
		n *= d
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(0.3 * r.NormFloat64())
		if len(shape) == 1 {
			out[i] += 0.5
		}
	}
	return out, nil
}

// oracleTensors returns the same tensors to the oracle.
type oracleTensors map[string][]int

func (o oracleTensors) Tensor(name string) (*ir.Array, error) {
	v, err := drawn{}.Tensor(name, o[name])
	return &ir.Array{Shape: o[name], F32: v}, err
}

// drawModel compiles a random spec and computes the oracle's result before any pass.
func drawModel(t *testing.T, r *rand.Rand, name, dir string, change func(text string) string) *drawnModel {
	text, _ := spectest.Random(r)
	text = change(text)
	compiled := func(after string) *ir.Program {
		f, faults := spec.Parse("random.dspec", []byte(text))
		require.Empty(t, faults, text)
		s, faults := spec.Resolve(f)
		require.Empty(t, faults, text)
		units, faults, err := compiler.Compile(s, compiler.Options{After: after})
		require.NoError(t, err, text)
		require.Empty(t, faults, text)
		return units[0].Program
	}
	m := &drawnModel{text: text, program: compiled(""), weights: filepath.Join(dir, name+".weights"), batch: filepath.Join(dir, name+".batch")}
	m.program.Name = name
	b := drawBatch(r, m.program)
	require.NoError(t, golden.WriteBatch(m.batch, b, nil))
	require.NoError(t, pack.Write(m.weights, m.program, drawn{}, pack.Options{}))

	plain := compiled("build")
	if m.program.Meta.Weights != "" {
		plain = compiled("")
	}
	shapes := oracleTensors(ir.ShapesOf(slices.Concat(plain.Pack, plain.Run)))
	store := eval.StoreOf(b, 0)
	require.NoError(t, eval.Run(plain, store, eval.From(shapes)), text)
	for _, out := range plain.Meta.Outputs { // forward writes each of several outputs under its own name
		m.outputs = append(m.outputs, program.OutputTensor+"."+out.Name)
		m.want = append(m.want, store[out.Name].Floats()...)
	}
	if m.outputs == nil {
		m.outputs, m.want = []string{program.OutputTensor}, store[plain.Outputs[len(plain.Outputs)-1]].Floats()
	}
	return m
}

// drawBatch draws a ragged batch. In half of the batches, sequences have gaps or begin after one.
func drawBatch(r *rand.Rand, p *ir.Program) *runtime.Batch {
	return raggedtest.Batch([]int{1, 5 + r.IntN(12), 30 + r.IntN(10), 17}, p.Limits(), r.IntN(2) == 0, r.IntN)
}

// buildModels draws models and builds one program of them. DEBERTAC_DRAWS is how many are drawn.
func buildModels(t *testing.T, seed uint64, change func(text string) string) (models []*drawnModel, binary string) {
	if testing.Short() {
		t.Skip("it builds a program of many packages")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	n, err := strconv.Atoi(os.Getenv("DEBERTAC_DRAWS"))
	if err != nil {
		n = 20
	}
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(seed, 29))
	var packages []*codegen.Package
	for i := range n {
		m := drawModel(t, r, fmt.Sprintf("random%d", i), dir, change)
		p, err := codegen.Emit(m.program)
		require.NoError(t, err, m.text)
		models, packages = append(models, m), append(packages, p)
	}
	binary = filepath.Join(dir, "models")
	require.NoError(t, build.Build(t.Context(), packages, binary))
	return models, binary
}

// TestRandomModels builds one program of random specs and compares every instruction set with the oracle. The error of the assembly may be at most 20 times the
// error of the portable float32 form.
func TestRandomModels(t *testing.T) {
	models, binary := buildModels(t, 23, strings.Clone)
	worst := map[string]float64{}
	for _, m := range models {
		base := 0.0
		for _, isa := range []cpu.ISA{cpu.ISAGo, cpu.ISAAVX2, cpu.ISAAVX512} {
			if !isa.Supported() {
				t.Logf("skipped: this CPU has no %s", isa)
				continue
			}
			e := m.run(t, binary, isa.String())
			if isa == cpu.ISAGo {
				base = math.Max(e, 1e-6)
				require.Less(t, e, 1e-3, "the portable form is off by %.3g\n%s", e, m.text)
				continue
			}
			worst[isa.String()] = math.Max(worst[isa.String()], e/base)
			if !(e <= 20*base) {
				t.Errorf("%s is off by %.3g, the portable form by %.3g\n%s", isa, e, base, m.text)
			}
		}
	}
	t.Logf("error against the portable form's, at the most: %v", worst)
}

// TestRandomModelsBF16 does the same for weights in bfloat16. The oracle is the compiled program in float64, with the same roundings to bfloat16. A number near
// the middle of two numbers of bfloat16 can be rounded to either, which are 2⁻⁸ apart, so some models differ by more than float32 does.
func TestRandomModelsBF16(t *testing.T) {
	drawn := 0
	models, binary := buildModels(t, 31, func(text string) string {
		words := "isa avx512bf16, avx512, avx2, go; weights bf16;"
		if drawn++; drawn%3 == 0 {
			words += " adapters rank <= 4;"
		}
		return strings.Replace(text, "isa avx512, avx2, go;", words, 1)
	})
	for _, isa := range []cpu.ISA{cpu.ISAGo, cpu.ISAAVX2, cpu.ISAAVX512, cpu.ISAAVX512BF16} {
		if !isa.Supported() {
			t.Logf("skipped: this CPU has no %s", isa)
			continue
		}
		exact, worst := 0, 0.0
		for _, m := range models {
			e := m.run(t, binary, isa.String())
			worst = max(worst, e)
			if e < 1e-5 {
				exact++
			}
			require.LessOrEqual(t, e, 0.03, "%s is off\n%s", isa, m.text)
		}
		require.Greater(t, 2*exact, len(models), "%s differs from the oracle by more than float32 does in most models", isa)
		t.Logf("%s: %d of %d as in float32, error at the most %.3g", isa, exact, len(models), worst)
	}
}

// run computes the model's batch in the built program. It returns the largest difference from the oracle, relative to the largest number.
func (m *drawnModel) run(t *testing.T, binary, isa string) float64 {
	out := m.weights + "." + isa
	cmd := exec.CommandContext(t.Context(), binary, "forward", "--model", m.program.Name, "--weights", m.weights,
		"--batch", m.batch, "--out", out, "--isa", isa)
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", said, m.text)
	f, err := safetensors.Open(out)
	require.NoError(t, err)
	defer f.Close()
	var got []float32
	for _, name := range m.outputs {
		info, err := f.Info(name)
		require.NoError(t, err, m.text)
		part := make([]float32, info.Elements())
		require.NoError(t, f.Floats(name, part))
		got = append(got, part...)
	}
	require.Len(t, got, len(m.want), m.text)
	diff, top := 0.0, 1.0
	for i, v := range got {
		d := math.Abs(float64(v) - m.want[i])
		if math.IsNaN(d) {
			t.Fatalf("%s: output %d is %v\n%s", isa, i, v, m.text)
		}
		diff, top = math.Max(diff, d), math.Max(top, math.Abs(m.want[i]))
	}
	return diff / top
}
