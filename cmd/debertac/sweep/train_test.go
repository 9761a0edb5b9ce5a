package sweep

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/cost"
	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
)

// TestWorkOfTraining compares what is counted for a training step with what follows from the model: the useful operations of the forward pass, about twice as
// many for the gradients, and the bytes of an update, which reads parameters, gradients and two moments, and writes all but the gradients.
func TestWorkOfTraining(t *testing.T) {
	c := &console.Console{Context: t.Context(), In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	src, err := source.Parse(c, "m.dspec", []byte(`dspec 1
model m like deberta_v3_base { dim layers = 4; dim hidden = 64; dim heads = 2; dim vocab = 100 }
head nli on m { take first; linear hidden; act; linear 3 as labels("a", "b", "c"); loss cross_entropy }
train fit on m.nli { batch 8 sequences; length 512 tokens; steps 100 steps; rate 1e-3; clip 1 }
train half on m.nli { batch 8 sequences; length 512 tokens; steps 100 steps; rate 1e-3; clip 1; precision bf16 }
`))
	require.NoError(t, err)
	u, err := source.TrainingOf(c, src, "", "fit", compiler.Options{})
	require.NoError(t, err)
	p := u.Program
	parts := measure.Work(p, p.Bounds.Sizes())
	lengths := []int{512, 512, 512, 512, 512, 512, 512, 512}
	require.InEpsilon(t, cost.Flops(u.Model, u.Head, lengths), parts[0].FLOPs, 0.3)
	ratio := parts[1].FLOPs / parts[0].FLOPs
	require.Greater(t, ratio, 1.8)
	require.Less(t, ratio, 2.6)
	numbers := 0
	for _, q := range p.Training.Params {
		numbers += ir.NewArray(q.Shape...).Len()
	}
	require.InEpsilon(t, 4*8*float64(numbers), parts[2].Bytes, 0.05) // seven for the update, and the gradients once more for their norm

	var forward, backward, kept float64
	for _, l := range measure.Lines(p, p.Bounds.Sizes()) {
		require.True(t, l.Statement != "" || l.At.IsZero(), "%v: no statement", l.At)
		forward, backward, kept = forward+l.Forward.FLOPs, backward+l.Backward.FLOPs, kept+l.Kept
	}
	require.InEpsilon(t, parts[0].FLOPs, forward, 1e-9)
	require.InEpsilon(t, parts[1].FLOPs, backward, 1e-9)
	arena := 4 * float64(compiler.KeptBy(p, p.Bounds)[3].Floats)
	require.Less(t, kept, arena) // which has room for the gradients of rows too
	require.Greater(t, kept, arena/2)

	u, err = source.TrainingOf(c, src, "", "half", compiler.Options{})
	require.NoError(t, err)
	half := measure.Work(u.Program, u.Program.Bounds.Sizes())
	for i, of := range parts {
		require.Zero(t, of.BF16)
		require.InEpsilon(t, of.FLOPs, half[i].FLOPs, 0.02) // and the rounding
		require.InEpsilon(t, of.Bytes, half[i].Bytes, 1e-9)
	}
	require.InEpsilon(t, products(p), half[0].BF16+half[1].BF16, 1e-9)
	require.Zero(t, half[2].BF16)
}

// products counts the operations of the products with weights, and of the gradients of weights, of a training in float32.
func products(p *ir.Program) (flops float64) {
	for r := range ir.Steps(p.Run) {
		for _, n := range r.Nodes {
			if n.Op == "linear" || n.Op == "matmul" {
				flops += ir.Lookup(n.Op).CostOf(n, p.Bounds.Sizes()).FLOPs
			}
		}
	}
	return flops
}
