package ops_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
)

// TestChainLikelihood compares the likelihoods of sequences with a sum over all labellings, and checks that the probabilities of all labellings add up to 1.
func TestChainLikelihood(t *testing.T) {
	op := ir.Lookup("chain_likelihood")
	tr := newTrial(t, op, op.Sample()[1], 3)
	z, pairs, start, end := tr.in[0].F, tr.in[1].F, tr.in[2].F, tr.in[3].F
	target := ir.NewInts(8) // a sequence of 1 token, which is not labelled, and one of 7, of which 5 are
	in := append([]*ir.Array(nil), tr.in...)
	in[4] = target
	rows := []int{1, 2, 4, 5, 7}
	sum := 0.0
	for code := range 243 {
		for i := range target.I {
			target.I[i] = -1
		}
		score, before := 0.0, -1
		for _, row := range rows {
			y := code % 3
			code /= 3
			target.I[row] = int32(y)
			score += z[row*3+y]
			if before < 0 {
				score += start[y]
			} else {
				score += pairs[before*3+y]
			}
			before = y
		}
		score += end[before]
		got := tr.run(t, in)[0].F
		require.Zero(t, got[0])
		sum += math.Exp(got[1])
		require.InDelta(t, score-got[1], partition(z, pairs, start, end, rows, -1), 1e-9)
	}
	require.InDelta(t, 1, sum, 1e-9)
}

// partition returns log Σ exp(score) over all labellings of rows after a label, in the simplest way; before is -1 at the first row.
func partition(z, pairs, start, end []float64, rows []int, before int) float64 {
	if len(rows) == 0 {
		return end[before]
	}
	sum := 0.0
	for y := range 3 {
		s := z[rows[0]*3+y]
		if before < 0 {
			s += start[y]
		} else {
			s += pairs[before*3+y]
		}
		sum += math.Exp(s + partition(z, pairs, start, end, rows[1:], y))
	}
	return math.Log(sum)
}
