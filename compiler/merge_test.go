package compiler_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/spec"
)

// TestMerges checks that a model whose matrices have taken in their adapters computes the loss of the model with adapters.
func TestMerges(t *testing.T) {
	for _, c := range []struct {
		model string
		of    string // lora …
		want  []string
	}{
		{"deberta_v3_base", "q, v", []string{"encoder.layer.0.attention.self.query_proj.weight", "encoder.layer.0.attention.self.value_proj.weight"}},
		{"deberta_base", "q, k", []string{"encoder.layer.0.attention.self.in_proj.weight", "encoder.layer.0.attention.self.in_proj.weight"}},
		{"deberta_base", "v, kr", []string{"encoder.layer.0.attention.self.pos_proj.weight", "encoder.layer.0.attention.self.in_proj.weight"}},
	} {
		t.Run(c.model+" "+c.of, func(t *testing.T) {
			s, faults := spec.ParseAndResolve("small.dspec", []byte(`dspec 1
model m like `+c.model+` { dim vocab = 40; dim hidden = 12; dim heads = 2; dim inner = 10; dim layers = 2; dim span = 8; dim reach = 16; dim seq <= 24 }
head nli on m { take first; linear hidden; act; linear 3 as labels("a", "b", "c"); loss cross_entropy }
train tune on m.nli { batch 4 sequences; steps 10 steps; rate 1e-3; lora `+c.of+` rank 3 alpha 7 }
target t { emit train tune; emit infer m.nli }
`))
			require.Empty(t, faults)
			units, faults, err := compiler.Compile(s, compiler.Options{Emit: "tune"})
			require.NoError(t, err)
			require.Empty(t, faults)
			list := units[0].Program.Training.Merges
			forward := func(o compiler.Options) *compiler.Unit {
				o.After, o.Train, o.Emit = "build", true, "m.nli"
				units, faults, err := compiler.Compile(s, o)
				require.NoError(t, err)
				require.Empty(t, faults)
				return units[0]
			}
			with, base := forward(compiler.Options{Lora: s.Train("tune").Lora}), forward(compiler.Options{})
			of, _ := differentiated(t, with, nil)
			differentiated(t, base, nil)
			d := drawn(rand.New(rand.NewPCG(3, 5)), with.Program, of)
			want := d.run(t, nil)[of].Floats()[0]
			tensor := func(name string) *ir.Array {
				a, err := d.tensors.Tensor(name)
				require.NoError(t, err)
				return a
			}
			merged := eval.Store{}
			var names []string
			for _, a := range list {
				names = append(names, a.Of)
				if merged[a.Of] == nil {
					merged[a.Of] = tensor(a.Of)
				}
				merge(a, merged[a.Of], tensor(a.Down), tensor(a.Up))
			}
			for i, name := range c.want {
				require.Equal(t, "deberta."+name, names[i])
			}
			require.Len(t, names, 2*len(c.want))
			d.prog = base.Program
			require.InDelta(t, want, d.run(t, merged)[of].Floats()[0], 1e-12)
			require.NotEqual(t, want, d.run(t, nil)[of].Floats()[0])
		})
	}
}

// merge adds an adapter to its matrix.
func merge(a ir.Merge, w, down, up *ir.Array) {
	rank, columns := down.Shape[0], down.Shape[1]
	for r := range up.Shape[0] {
		to := r
		if a.Parts > 0 {
			per := w.Shape[0] / a.Heads / a.Parts
			to = (r/per*a.Parts+a.Part)*per + r%per
		}
		for c := range columns {
			for k := range rank {
				w.F[to*columns+c] += a.By * up.F[r*rank+k] * down.F[k*columns+c]
			}
		}
	}
}
