package compiler_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
)

// TestVocabulary compares a loss that is computed by chunks of the vocabulary, and its gradients, with the loss over stored logits.
func TestVocabulary(t *testing.T) {
	for _, head := range []string{"mlm", "nli"} {
		t.Run(head, func(t *testing.T) {
			plain := unitOf(t, head, compiler.Options{Train: true})
			names := compiler.Parameters(plain.Program)
			of, _ := differentiated(t, plain, names)
			s := drawn(rand.New(rand.NewPCG(3, 5)), plain.Program, of)
			want := s.run(t, nil)
			u := unitOf(t, head, compiler.Options{Train: true})
			faults, err := u.AddLoss(false)
			require.NoError(t, err)
			require.Empty(t, faults)
			p := u.Program
			p.Outputs = []string{compiler.StoreLoss}
			require.NoError(t, compiler.ChunkedLoss(p, 1000))
			require.Zero(t, count(p, "token_loss"), "the head has too few columns")
			require.NoError(t, compiler.ChunkedLoss(p, 2))
			require.NoError(t, ir.Verify(p), "%s", ir.Print(p))
			require.Equal(t, 1, count(p, "token_loss"))
			require.Zero(t, count(p, "log_softmax_rows"))
			_, logits := p.Writer("logits")
			require.Nil(t, logits, "logits are stored")
			flat, faults, err := compiler.Grad(p, compiler.Sweep{Of: of, With: names})
			require.NoError(t, err)
			require.Empty(t, faults)
			require.NoError(t, compiler.Chunks(p))
			require.NoError(t, ir.Verify(p), "%s", ir.Print(p))
			require.Zero(t, count(p, "token_loss"))
			s.prog = p
			got := s.run(t, nil)
			require.InDelta(t, want[of].Floats()[0], got[of].Floats()[0], 1e-12)
			require.NotEqual(t, len(names), len(flat))
			for _, name := range names {
				if g := want[compiler.GradOf(name)]; g != nil {
					require.InDeltaSlice(t, g.Floats(), got[compiler.GradOf(name)].Floats(), 1e-10, name)
				}
			}
		})
	}
}

// count returns the number of nodes of an op in the schedule's regions.
func count(p *ir.Program, op string) (n int) {
	for r := range ir.Steps(p.Run) {
		for _, node := range r.Nodes {
			if node.Op == op {
				n++
			}
		}
	}
	return n
}
