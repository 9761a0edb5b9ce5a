package cost_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cost"
	"github.com/debertac/debertac/spec"
)

// TestUsefulCount holds the count to figures that were computed by hand for one layer of DeBERTa v3 base: 8·N·H² + 4·N·H·F for the
// products, 4·N²·H for attention, and 4·N·H times the rows of the relative table that occur for a strip of 64 queries, on average.
func TestUsefulCount(t *testing.T) {
	m := spec.ZooModel("deberta_v3_base")
	require.NotNil(t, m)
	for _, c := range []struct {
		tokens                   int
		linear, attention, terms float64 // GFLOP a layer
	}{
		{128, 1.81, 0.05, 0.08},
		{512, 7.25, 0.81, 0.59},
		{2048, 29.0, 12.9, 3.00},
	} {
		flops := cost.Flops(m, nil, []int{c.tokens}) / float64(m.Layers) / 1e9
		require.InEpsilon(t, c.linear+c.attention+c.terms, flops, 0.005, "at %d tokens", c.tokens)
	}
	require.InEpsilon(t, 2*cost.Flops(m, nil, []int{100}), cost.Flops(m, nil, []int{100, 100}), 1e-12, "sequences do not see each other")
	require.Less(t, cost.Flops(m, nil, []int{100, 100}), cost.Flops(m, nil, []int{200}))
}

// TestParams holds the count to the published sizes of the encoders' tensors.
func TestParams(t *testing.T) {
	h, f, v, rows, layers := 768, 3072, 128100, 512, 12
	layer := 4*(h*h+h) + 2*h + 2*h*f + f + h + 2*h
	want := int64(v*h + 2*h + rows*h + 2*h + layers*layer)
	require.Equal(t, want, cost.Params(spec.ZooModel("deberta_v3_base"), nil))
	require.InDelta(t, 183.8e6, float64(want), 0.2e6) // 184 million, as published
}
