package cost_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cost"
	"github.com/debertac/debertac/runtime/growthtest"
	"github.com/debertac/debertac/spec"
)

// TestUsefulCount compares the count with figures that were computed by hand for one layer of DeBERTa v3 base: 8·N·H² + 4·N·H·F for the
// products, 4·N²·H for attention, and 4·N·H times the rows of the relative table that occur for a strip of 64 queries, on average.
func TestUsefulCount(t *testing.T) {
	m := spec.ZooModel("deberta_v3_base")
	require.NotNil(t, m)
	for _, c := range []struct {
		tokens                   int
		linear, attention, terms float64 // GFLOP per layer
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

// TestHead adds a classifier: two products of one row per sequence.
func TestHead(t *testing.T) {
	s, faults := spec.ParseAndResolve("test", []byte("dspec 1\nmodel m like deberta_v3_base { }\nhead h on m { take first; linear hidden; act; linear "+
		"3 as labels(\"a\", \"b\", \"c\"); loss cross_entropy }\n"))
	require.Empty(t, faults)
	m := s.Models[0]
	lengths := []int{5, 70}
	require.Equal(t, 2.0*2*768*(768+3), cost.Flops(m, s.Heads[0], lengths)-cost.Flops(m, nil, lengths))
}

// TestScore checks that no operations for offsets are counted for a model without them.
func TestScore(t *testing.T) {
	bert := spec.ZooModel("bert_base")
	require.NotNil(t, bert)
	n := 100.0
	require.Equal(t, 12*(n*(8*768*768+4*768*3072)+4*n*n*768), cost.Flops(bert, nil, []int{100}))
}

// TestNeeded checks that a classifier needs one query, one output row and one feed-forward row of the last layer, and all keys and values.
func TestNeeded(t *testing.T) {
	s, faults := spec.ParseAndResolve("test", []byte("dspec 1\nmodel m like bert_base { checkpoint own }\nhead h on m { take first; linear 2 as "+
		"labels(\"a\", \"b\"); loss cross_entropy }\nhead e on m { take each; linear 2 as labels(\"a\", \"b\"); loss cross_entropy }\n"))
	require.Empty(t, faults)
	m, n, h, f := s.Models[0], 100.0, 768.0, 3072.0
	saved := (n-1)*(2*h*h+2*h*h+4*h*f) + 4*n*(n-1)*h
	require.InEpsilon(t, saved, cost.Flops(m, s.Heads[0], []int{100})-cost.Needed(m, s.Heads[0], []int{100}), 1e-12)
	require.Equal(t, cost.Flops(m, s.Heads[1], []int{100}), cost.Needed(m, s.Heads[1], []int{100}), "every row is read")
	require.Equal(t, cost.Flops(m, nil, []int{100}), cost.Needed(m, nil, []int{100}))
}

// TestStrips compares the count of rows with counting them one by one, for buckets of every kind: clamped, logarithmic, and narrower than a token.
func TestStrips(t *testing.T) {
	for _, of := range []string{"dim span = 6; relative rel { bucket clamp }", "dim span = 300; relative rel { bucket clamp }",
		"dim span = 8; dim reach = 16", "dim span = 16; dim reach = 64", "dim span = 40; dim reach = 41", "dim span = 256; dim reach = 512"} {
		m := resolve(t, of)
		for _, n := range []int{1, 2, 3, 9, 63, 64, 65, 130, 700} {
			strips := 0
			for from := 0; from < n; from += 64 {
				rows := map[int]bool{}
				to := min(from+64, n)
				for i := from; i < to; i++ {
					for j := range n {
						rows[m.Relative.Row(i-j)] = true
					}
				}
				strips += (to - from) * len(rows)
			}
			terms := 0
			for _, s := range m.Encoder.Attention.Score {
				if s.Kind == spec.ContentOffset {
					terms++
				}
			}
			require.Positive(t, terms)
			bare := *m
			bare.Relative = nil
			require.Equal(t, float64(2*terms*m.Layers*m.Hidden*strips), cost.Flops(m, nil, []int{n})-cost.Flops(&bare, nil, []int{n}), "%s, %d tokens", of, n)
		}
	}
}

// TestLong checks that the time of the count is not quadratic in the length, up to the longest text that a spec can name.
func TestLong(t *testing.T) {
	m := resolve(t, "dim seq <= 16777216; dim span = 1048576; dim reach = 16777216")
	count := func(n int) func() { return func() { require.Positive(t, cost.Flops(m, nil, []int{n})) } }
	growthtest.Check(t, "operations", 200, count(m.Seq/64), count(m.Seq))
}

// resolve is a small model with the statements of its braces.
func resolve(t *testing.T, braces string) *spec.Model {
	t.Helper()
	s, faults := spec.ParseAndResolve("test", fmt.Appendf(nil, "dspec 1\nmodel m like deberta_v3_base { dim hidden = 8; dim heads = 1; dim layers = 1; "+
		"%s }\n", braces))
	require.Empty(t, faults)
	return s.Models[0]
}
