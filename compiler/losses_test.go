package compiler_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/spec"
)

// lossHeads are the heads of the recorded losses, by the words with which the file calls them.
var lossHeads = map[string]struct {
	rows  ir.Dim
	steps string
}{
	"tags":        {ir.T, `take each; linear 3 as labels("a", "b", "c"); loss cross_entropy`},
	"classes":     {ir.B, `take first; linear 3 as labels("a", "b", "c"); loss cross_entropy`},
	"many":        {ir.B, `take first; linear 3 as labels("a", "b", "c"); loss binary_cross_entropy`},
	"focal":       {ir.B, `take first; linear 3 as labels("a", "b", "c"); loss focal`},
	"spans":       {ir.G, `take words(first); prompt labels mark "a" end "b"; spans <= 3 markers; loss binary_cross_entropy`},
	"focal spans": {ir.G, `take words(first); prompt labels mark "a" end "b"; spans <= 3 markers; loss focal(alpha: 0.75, gamma: 1.5)`},
	"tokens":      {ir.G, `take words(first); prompt labels mark "a" end "b"; tokens start end inside; loss binary_cross_entropy`},
	"choices":     {ir.B, `take first; linear 1 as choices; loss cross_entropy`},
	"pairwise":    {ir.B, `take first; linear 1 as score; loss pairwise`},
	"listwise":    {ir.B, `take first; linear 1 as score; loss listwise`},
	"contrastive": {ir.B, `take mean; linear 3; loss contrastive(temperature: 0.25)`},
	"cosines":     {ir.B, `take mean; linear 3; loss cosine_similarity`},
	"span":        {ir.T, `take each; linear 2 as span; loss cross_entropy`},
}

// recordedLoss is a loss and its gradient that another program has computed.
type recordedLoss struct {
	Name, Head             string
	Columns                int
	Z, Grad                []float64
	Loss                   float64
	Soft                   bool
	Smooth                 float64
	Weigh                  []float64
	Integers               map[string][]int32
	Floats                 map[string][]float64
	Words, Labels, Lengths []int
}

// firsts returns the number of the first entry of each sequence, and the number of all.
func firsts(lengths []int) *ir.Array {
	a := ir.NewInts(len(lengths) + 1)
	for i, n := range lengths {
		a.I[i+1] = a.I[i] + int32(n)
	}
	return a
}

// TestRecordedLosses compares losses and their gradients with those of PyTorch.
func TestRecordedLosses(t *testing.T) {
	text, err := os.ReadFile("testdata/losses.json")
	require.NoError(t, err)
	var file struct{ Cases []recordedLoss }
	require.NoError(t, json.Unmarshal(text, &file))
	seen := map[string]bool{}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			h := lossHeads[c.Head]
			seen[c.Head] = true
			s, faults := spec.ParseAndResolve("head.dspec", []byte(smallModel("m", "checkpoint own")+"head h on m { "+h.steps+" }\n"))
			require.Empty(t, faults)
			p, faults, err := compiler.LossProgram(s.Heads[0], h.rows, c.Columns, compiler.Targets{Soft: c.Soft, Smooth: c.Smooth, Weigh: c.Weigh})
			require.NoError(t, err)
			require.Empty(t, faults)
			_, faults, err = compiler.Grad(p, compiler.Sweep{Of: compiler.StoreLoss, With: []string{"z"}})
			require.NoError(t, err)
			require.Empty(t, faults)
			require.NoError(t, ir.Verify(p), "%s", ir.Print(p))
			rows := len(c.Z) / c.Columns
			store := eval.Store{"z": {Shape: []int{rows, c.Columns}, F: c.Z}, "starts": firsts(c.Lengths), "word_starts": firsts(c.Words),
				"mark_starts": firsts(c.Labels)}
			for name, list := range c.Integers {
				store[name] = &ir.Array{Shape: []int{len(list)}, I: list}
			}
			for name, list := range c.Floats {
				store[name] = &ir.Array{Shape: []int{rows}, F: list}
				if len(list) > rows {
					store[name].Shape = []int{rows, c.Columns}
				}
			}
			require.NoError(t, eval.Run(p, store))
			require.InDelta(t, c.Loss, store[compiler.StoreLoss].F[0], 1e-12)
			require.InDeltaSlice(t, c.Grad, store[compiler.GradOf("z")].Floats(), 1e-12)
		})
	}
	for name := range lossHeads {
		require.True(t, seen[name], "no loss of %s is recorded", name)
	}
}
