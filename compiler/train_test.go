package compiler_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
)

// TestTrain compares the loss and the gradients of the training step of each head of the small model with those of the plain program.
func TestTrain(t *testing.T) {
	for _, head := range []string{"nli", "mlm", "bio", "qa", "many", "amount", "choice"} {
		t.Run(head, func(t *testing.T) {
			plain := unitOf(t, head, compiler.Options{Train: true})
			names := compiler.Parameters(plain.Program)
			of, _ := differentiated(t, plain, names)
			step := unitOf(t, head, compiler.Options{Train: true})
			faults, err := step.Train(compiler.Training{})
			require.NoError(t, err)
			require.Empty(t, faults)
			s := drawn(rand.New(rand.NewPCG(3, 5)), plain.Program, of)
			want := s.run(t, nil)
			s.prog = step.Program
			got := s.run(t, nil)
			require.InDelta(t, want["loss"].Floats()[0], got["loss"].Floats()[0], 1e-12)
			compared := 0
			for _, p := range step.Program.Training.Params {
				if p.Grad == "" {
					continue
				}
				require.InDeltaSlice(t, want[p.Grad].Floats(), got[p.Grad].Floats(), 1e-10, p.Name)
				compared++
			}
			require.Greater(t, compared, len(names)-3)
			require.NotNil(t, step.Program.Plan)
		})
	}
}
