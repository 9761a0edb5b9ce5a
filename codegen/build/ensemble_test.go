package build_test

import (
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
)

// seeded draws tensors that depend on the seed, except the token table.
type seeded string

func (s seeded) Tensor(name string, shape []int) ([]float32, error) {
	if name != "embed.token" {
		name = string(s) + name
	}
	return drawn{}.Tensor(name, shape)
}

// ensembleSpec has two models of different sizes and their ensemble.
const ensembleSpec = `dspec 1
model a {
    checkpoint own; tokenizer none
    dim vocab = 500; dim hidden = 32; dim heads = 2; dim head = hidden / heads; dim inner = 40; dim layers = 2; dim seq <= 32
    defaults { norm layernorm(eps: 1e-7); act gelu }
    embed { token vocab; norm }
    encoder layers {
        attention { q, k, v = linear(x); score q[i]·k[j]; scale 1 / sqrt(head * terms); mask j }
        ffn inner
    }
}
model b like a { dim layers = 1; embed { segment 2 } }
head c on a { take first; linear hidden; act; linear 3 as labels("x", "y", "z"); loss LOSS }
head c on b { take mean; linear 3 as labels("x", "y", "z"); loss LOSS }
ensemble both { member a.c weight 3; member b.c; mean MEAN }
target t { WEIGHTS batch <= 8 sequences; tokens <= 256; emit infer both; emit infer a.c as package "firstmember"; emit infer b.c as package "secondmember" }
`

// TestEnsembles compares an ensemble with the mean of its members, each run by itself. It also checks that the packed file of the ensemble stores equal tensors
// once.
func TestEnsembles(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	for _, c := range []struct {
		loss, mean string
		join       func(z []float64) []float64 // applied to a member's logits before the mean
		weights    string
	}{
		{"cross_entropy", "probabilities", softmax, ""}, {"cross_entropy", "logits", func(z []float64) []float64 { return z }, ""},
		{"binary_cross_entropy", "probabilities", sigmoids, ""}, {"cross_entropy", "probabilities", softmax, "weights bf16;"},
	} {
		t.Run(c.loss+"_"+c.mean+"_"+c.weights, func(t *testing.T) {
			dir := t.TempDir()
			f, faults := spec.Parse("both.dspec", []byte(strings.NewReplacer("LOSS", c.loss, "MEAN", c.mean, "WEIGHTS", c.weights).Replace(ensembleSpec)))
			require.Empty(t, faults)
			s, faults := spec.Resolve(f)
			require.Empty(t, faults)
			units, faults, err := compiler.Compile(s, compiler.Options{})
			require.NoError(t, err)
			require.Empty(t, faults)
			require.Len(t, units, 3)
			members := pack.Members{"a.c.": seeded("a"), "b.c.": seeded("b")}
			var packages []*codegen.Package
			for i, u := range units {
				p, err := codegen.Emit(u.Program)
				require.NoError(t, err)
				packages = append(packages, p)
				src := []pack.Source{members, members["a.c."], members["b.c."]}[i]
				require.NoError(t, pack.Write(filepath.Join(dir, u.Program.Name+".weights"), u.Program, src, pack.Options{}))
			}
			binary := filepath.Join(dir, "models")
			require.NoError(t, build.Build(t.Context(), packages, binary))
			b := raggedtest.Batch([]int{1, 9, 32}, units[0].Program.Limits(), false, rand.New(rand.NewPCG(3, 4)).IntN)
			run := func(name string, b *runtime.Batch, isa cpu.ISA) []float64 {
				return forwardOf(t, binary, dir, name, b, isa)
			}
			untyped := *b
			untyped.Types = nil
			for _, isa := range []cpu.ISA{cpu.ISAGo, cpu.ISAAVX2, cpu.ISAAVX512} {
				if !isa.Supported() {
					t.Logf("skipped: this CPU has no %s", isa)
					continue
				}
				one, two, both := run("firstmember", &untyped, isa), run("secondmember", b, isa), run("both", b, isa)
				for row := 0; row < 9; row += 3 {
					x, y, got := c.join(one[row:row+3]), c.join(two[row:row+3]), both[row:row+3]
					if c.mean == "probabilities" {
						got = c.join(got)
					}
					for i := range got {
						want := 0.75*x[i] + 0.25*y[i]
						require.InDelta(t, want, got[i], 1e-6*math.Max(1, math.Abs(want)), "%s, row %d", isa, row/3)
					}
				}
			}
			size := func(name string) int64 {
				st, err := os.Stat(filepath.Join(dir, name+".weights"))
				require.NoError(t, err)
				return st.Size()
			}
			table := int64(500 * 32 * 4)
			if c.weights != "" {
				table /= 2
			}
			saved := size("firstmember") + size("secondmember") - size("both")
			require.Greater(t, saved, table-4096, "the token table, which is equal, is stored once") // the lists of names in the headers differ a little
			require.Less(t, saved, table+8192, "nothing else is")
		})
	}
}

// forwardOf returns the 9 numbers that a model of the built program computes for a batch. Weights and other files are in dir.
func forwardOf(t *testing.T, binary, dir, name string, b *runtime.Batch, isa cpu.ISA) []float64 {
	t.Helper()
	batch, out := filepath.Join(dir, name+".batch"), filepath.Join(dir, name+".out")
	require.NoError(t, golden.WriteBatch(batch, b, nil))
	said, err := exec.CommandContext(t.Context(), binary, "forward", "--model", name, "--weights", filepath.Join(dir, name+".weights"),
		"--batch", batch, "--out", out, "--isa", isa.String()).CombinedOutput()
	require.NoError(t, err, "%s", said)
	f, err := safetensors.Open(out)
	require.NoError(t, err)
	defer f.Close()
	z := make([]float32, 9)
	require.NoError(t, f.Floats("output", z))
	wide := make([]float64, len(z))
	for i, v := range z {
		wide[i] = float64(v)
	}
	return wide
}

// softmax and sigmoids return the probabilities of a row of logits.
func softmax(z []float64) []float64 {
	out, sum := make([]float64, len(z)), 0.0
	for i, v := range z {
		out[i] = math.Exp(v)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func sigmoids(z []float64) []float64 {
	out := make([]float64, len(z))
	for i, v := range z {
		out[i] = 1 / (1 + math.Exp(-v))
	}
	return out
}
