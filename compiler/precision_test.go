package compiler_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
)

// preciseTraining returns the step of a training whose model has every kind of product with weights: convolution, adapters, relative tables.
func preciseTraining(t *testing.T, words string) *ir.Program {
	text := smallModel("m", "checkpoint own; encoder.conv { kernel 3; act gelu; beside layer 1 }") + `
head h on m { take first; linear hidden; act; linear 3 as labels("a", "b", "c"); loss cross_entropy }
train tr on m.h { batch 3 sequences; length 7 tokens; steps 3 steps; optimizer adamw(decay: 0.01); rate 1e-3; clip 1.0; ` + words + ` }
target t { emit train tr }
`
	units, faults, err := compiler.Compile(resolved(t, text), compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Len(t, units, 1)
	return units[0].Program
}

// gradientsOf runs a step up to its gradients in the oracle, on drawn weights. It returns the loss and the gradients.
func gradientsOf(t *testing.T, p *ir.Program) (float64, map[string][]float64) {
	rng := rand.New(rand.NewPCG(3, 4))
	store := eval.StoreOf(raggedtest.Batch([]int{4, 7, 1}, p.Limits(), false, rng.IntN), 0)
	store["target"] = &ir.Array{Shape: []int{3}, I: []int32{2, 0, 1}}
	for _, q := range p.Training.Params {
		a := ir.NewArray(q.Shape...)
		for i := range a.F {
			a.F[i] = float64(float32(rng.NormFloat64() * 0.3))
			if len(q.Shape) == 1 {
				a.F[i] = float64(float32(1 + 0.1*rng.NormFloat64()))
			}
		}
		store[q.Name] = a
	}
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			if name := ir.At(v.Name, l); v.Kind == ir.Batch && strings.HasPrefix(name, ir.KeyPrefix) {
				store[name] = &ir.Array{Shape: []int{2}, I: []int32{int32(l), int32(len(name))}}
			}
		}
	}
	some := *p
	some.Run = p.Training.Gradients(p)
	require.NoError(t, eval.Run(&some, store))
	out := map[string][]float64{}
	for _, q := range p.Training.Params {
		if q.Grad != "" {
			out[q.Name] = store[q.Grad].Floats()
		}
	}
	return store[compiler.StoreLoss].F[0], out
}

// TestPrecision checks which nodes a training in bf16 has: every product with a tensor of the checkpoint, and every gradient of one, reads numbers that are
// rounded; each operand is rounded once in a region; and nothing else reads such numbers. Parameters, gradients and states stay float32.
func TestPrecision(t *testing.T) {
	p := preciseTraining(t, "precision bf16 master f32")
	count := map[string]int{}
	for _, r := range p.Regions {
		seen := map[rounding]bool{}
		for _, n := range r.Nodes {
			count[n.Op]++
			switch n.Op {
			case "linear":
				t.Errorf("region %s has a product of float32", r.Name)
			case "matmul":
				t.Errorf("region %s has the product %s of float32", r.Name, n.Out[0].Type)
			case "bf16_pairs":
				key := rounding{n.In[0], n.Flag("rows")}
				require.False(t, seen[key], "%s is rounded twice in region %s", n.In[0].Name, r.Name)
				seen[key] = true
			}
			for _, v := range n.In {
				if v != nil && v.Def != nil && v.Def.Op == "bf16_pairs" {
					require.Contains(t, []string{"product_bf16", "product_tn_bf16"}, n.Op)
				}
			}
			for _, v := range slices.Concat(n.In, n.Out) {
				if v != nil && (v.Kind == ir.Tensor || v.Kind == ir.State) {
					require.Equal(t, ir.F32, v.Type.DType, v.Name)
				}
			}
		}
	}
	require.Greater(t, count["product_bf16"], 20)
	require.Greater(t, count["product_tn_bf16"], 10)
	require.Less(t, count["bf16_pairs"], 2*count["product_bf16"])
	for _, r := range preciseTraining(t, "precision f32").Regions {
		for _, n := range r.Nodes {
			require.NotContains(t, n.Op, "bf16")
		}
	}
}

// rounding is what a node of bf16_pairs does.
type rounding struct {
	of   *ir.Value
	rows bool
}

// TestPrecisionOfGradients compares the gradients of a training in bf16 with those in float32, both in the oracle. Roundings are independent, so the difference
// of a gradient is a few times 2⁻⁹ of its length.
func TestPrecisionOfGradients(t *testing.T) {
	loss, want := gradientsOf(t, preciseTraining(t, "precision f32"))
	half, got := gradientsOf(t, preciseTraining(t, "precision bf16"))
	require.NotEqual(t, loss, half)
	require.InEpsilon(t, loss, half, 0.02)
	for name, g := range want {
		apart, length := 0.0, 1e-9
		for i, v := range g {
			apart, length = apart+(got[name][i]-v)*(got[name][i]-v), length+v*v
		}
		require.Less(t, math.Sqrt(apart/length), 0.05, name)
	}
}
