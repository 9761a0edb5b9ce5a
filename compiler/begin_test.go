package compiler_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// TestBegin checks how each tensor of a training begins: as the spec says, with biases of 0 and gains of 1. Those of a head and of adapters may be new.
func TestBegin(t *testing.T) {
	s, faults := spec.ParseAndResolve("begin.dspec", []byte(`dspec 1
model m like deberta_v3_base {
    dim vocab = 40; dim hidden = 12; dim heads = 2; dim inner = 10; dim layers = 2; dim span = 4; dim reach = 9; dim seq <= 24
    encoder.conv { kernel 3; act tanh; beside layer 1 }
    defaults { init normal(std: 0.5) }
}
head nli on m { take first; linear hidden; act; dropout 0.1; linear 3 as labels("a", "b", "c"); loss cross_entropy }
train tune on m.nli { batch 8 sequences; length 24 tokens; steps 10 steps; rate 1e-3; lora q rank 3 }
target t { emit train tune }
`))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults)
	seen := map[ir.Init]int{}
	for _, p := range units[0].Program.Training.Params {
		var want ir.Init
		adapter := strings.Contains(p.Name, ".lora_")
		switch {
		case strings.HasSuffix(p.Name, "lora_A.weight"):
			want.Uniform = 1 / math.Sqrt(12)
		case strings.HasSuffix(p.Name, "lora_B.weight"):
		case strings.HasSuffix(p.Name, "LayerNorm.weight"):
			want.Mean = 1
		case len(p.Shape) > 1:
			want.Normal = 0.5
		default:
			require.True(t, strings.HasSuffix(p.Name, "bias"), p.Name)
		}
		require.Equal(t, want, p.Init, p.Name)
		require.Equal(t, adapter || !strings.HasPrefix(p.Name, "deberta."), p.New, p.Name)
		seen[want]++
	}
	require.Len(t, seen, 4, "%v", seen)
}
