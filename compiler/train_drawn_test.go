package compiler_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/spectest"
)

// TestTrainDrawn makes a training step of each random spec whose head has a loss.
func TestTrainDrawn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	trained := 0
	for range 100 {
		text, _ := spectest.Random(r)
		s, faults := spec.ParseAndResolve("random.dspec", []byte(text))
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{After: "build", Train: true})
		require.NoError(t, err)
		require.Empty(t, faults, text)
		if u := units[0]; u.Head != nil && u.Head.Loss != "" {
			faults, err := u.Train(compiler.Training{})
			require.NoError(t, err, text)
			if len(faults) > 0 {
				continue
			}
			trained++
			for _, r := range u.Program.Regions {
				for _, v := range r.In {
					require.False(t, v.Kind == ir.Packed && strings.Contains(v.Name, "{l"), "region %s: the constant %s is kept for each layer", r.Name, v.Name)
				}
			}
		}
	}
	require.Greater(t, trained, 20)
}
