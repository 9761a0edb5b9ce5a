package extraction

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// drawCandidates draws candidates of a few scores, so that ties are frequent. No two have the same place.
func drawCandidates(r *rand.Rand, most int) []candidate {
	var c []candidate
	for i := range r.IntN(most + 1) {
		start := r.IntN(8)
		c = append(c, candidate{float64(1+r.IntN(8)) / 8, start, start + 1 + r.IntN(4), i})
	}
	return distinct(c)
}

func crosses(a, b candidate) bool {
	return a.start < b.end && b.start < a.end && !a.inside(b) && !b.inside(a)
}

func shares(a, b candidate) bool { return a.start < b.end && b.start < a.end }

// sum returns the sum of the scores of candidates, which are eighths, so that sums are exact.
func sum(c []candidate) (s float64) {
	for _, a := range c {
		s += a.score
	}
	return s
}

// TestFlatIsBest compares flat with all sets of candidates.
func TestFlatIsBest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		c := drawCandidates(r, 10)
		slices.SortFunc(c, rank)
		best := []candidate{}
		for set := range 1 << len(c) {
			var members []candidate
			for i, a := range c {
				if set>>i&1 == 1 {
					members = append(members, a)
				}
			}
			if pair(members, shares) {
				continue
			}
			x, y := sum(members), sum(best)
			if x > y || x == y && (len(members) > len(best) || len(members) == len(best) && slices.CompareFunc(members, best, rank) < 0) {
				best = members
			}
		}
		got := Flat.resolve(slices.Clone(c))
		require.Equal(t, fmt.Sprint(best), fmt.Sprint(append([]candidate{}, got...)), "%v", c)
	}
}

// pair reports whether a pair of candidates has a property.
func pair(c []candidate, is func(a, b candidate) bool) bool {
	for i, a := range c {
		for _, b := range c[:i] {
			if is(a, b) {
				return true
			}
		}
	}
	return false
}

// TestOverlapRules compares the other rules with their plain definitions.
func TestOverlapRules(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		c := drawCandidates(r, 14)
		byScore := slices.Clone(c)
		slices.SortStableFunc(byScore, func(a, b candidate) int { return int(8*b.score) - int(8*a.score) })
		require.Equal(t, plain(byScore, shares), Greedy.resolve(slices.Clone(c)))
		ranked := slices.Clone(c)
		slices.SortFunc(ranked, rank)
		require.Equal(t, plain(ranked, crosses), Nested.resolve(slices.Clone(c)))
		var outer []candidate
		for i, a := range ranked {
			if !slices.ContainsFunc(slices.Delete(slices.Clone(ranked), i, i+1), a.inside) {
				outer = append(outer, a)
			}
		}
		require.Equal(t, outer, Longest.resolve(slices.Clone(c)))
		require.Equal(t, ranked, append([]candidate(nil), Allow.resolve(slices.Clone(c))...))
	}
}

// plain keeps the candidates that have no conflict with one kept before.
func plain(c []candidate, conflict func(a, b candidate) bool) (kept []candidate) {
	for _, a := range c {
		if !slices.ContainsFunc(kept, func(b candidate) bool { return conflict(a, b) }) {
			kept = append(kept, a)
		}
	}
	return kept
}

// TestSamePlace tries candidates with the same place, as windows that share words have them.
func TestSamePlace(t *testing.T) {
	c := []candidate{{0.5, 0, 2, 0}, {0.75, 0, 2, 1}, {0.75, 0, 2, 2}, {0.25, 2, 3, 3}}
	for _, o := range []Overlap{Flat, Nested, Longest, Allow, Greedy} {
		require.Equal(t, []candidate{c[1], c[3]}, o.resolve(slices.Clone(c)), "%d", o)
	}
	require.Empty(t, Flat.resolve(nil))
}

func TestParseOverlap(t *testing.T) {
	for name, want := range map[string]Overlap{"": DefaultOverlap, "flat": Flat, " No-Overlap ": Flat, "nested": Nested, "longest": Longest, "all": Allow} {
		o, err := ParseOverlap(name)
		require.NoError(t, err)
		require.Equal(t, want, o, name)
	}
	_, err := ParseOverlap("greedy")
	require.ErrorContains(t, err, `overlap_policy is "greedy": it must be allow, nested, flat or longest`)
}
