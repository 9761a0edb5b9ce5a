package compiler_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/spectest"
)

// draws returns the number of random specs for the property tests: 20, or DEBERTAC_DRAWS.
func draws(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("DEBERTAC_DRAWS"))
	if err != nil {
		return 20
	}
	t.Logf("%d random specs", n)
	return n
}

// drawnTensors returns random numbers for any tensor, always the same for one name. The numbers are large enough that attention is far from uniform.
type drawnTensors map[string][]int

func (d drawnTensors) Tensor(name string) (*ir.Array, error) {
	shape, ok := d[name]
	if !ok {
		return nil, fmt.Errorf("no shape is known for %s", name)
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(5, h.Sum64()))
	a := ir.NewArray(shape...)
	for i := range a.F {
		a.F[i] = 0.3 * r.NormFloat64()
		if len(shape) == 1 {
			a.F[i] += 0.5
		}
	}
	return a, nil
}

// shapesOf returns the tensors that a program reads, with their shapes.
func shapesOf(p *ir.Program) drawnTensors {
	return drawnTensors(ir.ShapesOf(slices.Concat(p.Pack, p.Run)))
}

// batchOf draws sequences of the given lengths, with gaps, and all that the program reads of a batch.
func batchOf(r *rand.Rand, p *ir.Program, lens ...int) eval.Store {
	l := p.Limits()
	return eval.StoreOf(raggedtest.Batch(lens, l, true, r.IntN), l.Delta)
}

// compileTo compiles a spec's only emit up to a pass.
func compileTo(t *testing.T, text, after string) *ir.Program {
	t.Helper()
	f, faults := spec.Parse("random.dspec", []byte(text))
	require.Empty(t, faults)
	s, faults := spec.Resolve(f)
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{After: after})
	require.NoError(t, err)
	require.Empty(t, faults, text)
	require.Len(t, units, 1)
	return units[0].Program
}

// TestPassesKeepTheMeaning compares the oracle's result after each pass with the result before any pass, on random specs.
func TestPassesKeepTheMeaning(t *testing.T) {
	n := draws(t)
	r := rand.New(rand.NewPCG(11, 13))
	for i := range n {
		text, _ := spectest.Random(r)
		seed := r.Uint64()
		result := func(after string) []float64 {
			p := compileTo(t, text, after)
			store := batchOf(rand.New(rand.NewPCG(seed, 1)), p, 1, 9, 17)
			require.NoError(t, eval.Run(p, store, eval.From(shapesOf(p))), "after %s:\n%s", after, text)
			var all []float64
			for _, name := range p.Outputs {
				all = append(all, store[name].Floats()...)
			}
			return all
		}
		want := result("build")
		for _, pass := range compiler.Passes() {
			got := result(pass.Name)
			require.Len(t, got, len(want), "after %s:\n%s", pass.Name, text)
			for k := range want {
				if !(math.Abs(got[k]-want[k]) <= 1e-9*(1+math.Abs(want[k]))) {
					t.Fatalf("draw %d, after %s: output %d is %v, before all passes it was %v\n%s", i, pass.Name, k, got[k], want[k], text)
				}
			}
		}
	}
}

// TestProgramsPrintAndParse checks that the text form of compiled programs parses and prints the same again.
func TestProgramsPrintAndParse(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 19))
	for range 5 {
		text, _ := spectest.Random(r)
		for _, after := range []string{"build", "fuse", ""} {
			p := compileTo(t, text, after)
			printed := ir.Print(p)
			q, err := ir.Parse(printed)
			require.NoError(t, err, printed)
			require.NoError(t, ir.Verify(q))
			require.Equal(t, printed, ir.Print(q))
		}
	}
}
