package task

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// drawChain draws a chain and emissions for t tokens. Some scores are -Inf.
func drawChain(r *rand.Rand, c, t int, forbid float64) (*Chain, []float64) {
	draw := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			if v[i] = 3 * r.NormFloat64(); r.Float64() < forbid {
				v[i] = math.Inf(-1)
			}
		}
		return v
	}
	k := &Chain{C: c, Transitions: draw(c * c), Start: draw(c), End: draw(c)}
	forbid = 0
	return k, draw(t * c)
}

// allPaths calls f for every path of t labels.
func allPaths(c, t int, f func(path []int)) {
	path := make([]int, t)
	for {
		f(path)
		i := t - 1
		for ; i >= 0; i-- {
			if path[i]++; path[i] < c {
				break
			}
			path[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// TestChainIsBruteForce compares the recursions with a sum over all paths and a search of all
// paths, also for forbidden transitions and scores far from zero.
func TestChainIsBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	impossible := 0
	for draw := range 200 {
		c, n := 1+r.IntN(5), 1+r.IntN(6)
		k, em := drawChain(r, c, n, []float64{0, 0.3}[draw%2])
		if draw%5 == 0 {
			for i := range em {
				em[i] += 700 * r.NormFloat64() // exp of this is outside the range of float64
			}
		}
		best, bestPath := math.Inf(-1), []int(nil)
		var scores []float64
		var paths [][]int
		allPaths(c, n, func(path []int) {
			s := k.Start[path[0]] + k.End[path[n-1]]
			for i, y := range path {
				s += em[i*c+y]
				if i > 0 {
					s += k.Transitions[path[i-1]*c+y]
				}
			}
			got, err := k.Score(em, path)
			require.NoError(t, err)
			if math.IsInf(s, -1) {
				require.True(t, math.IsInf(got, -1))
				return
			}
			require.InDelta(t, s, got, 1e-9)
			p := append([]int(nil), path...)
			scores, paths = append(scores, s), append(paths, p)
			if s > best {
				best, bestPath = s, p
			}
		})
		path, score, err := k.Viterbi(em)
		require.NoError(t, err)
		z, err := k.LogPartition(em)
		require.NoError(t, err)
		marginals, zm, err := k.Marginals(em)
		if bestPath == nil {
			impossible++
			require.True(t, math.IsInf(score, -1) && math.IsInf(z, -1))
			require.ErrorContains(t, err, "every sequence of labels is forbidden")
			continue
		}
		require.NoError(t, err)
		require.InDelta(t, best, score, 1e-9)
		require.Equal(t, bestPath, path)
		sum := 0.0
		for _, s := range scores {
			sum += math.Exp(s - best)
		}
		require.InDelta(t, best+math.Log(sum), z, 1e-9)
		require.Equal(t, z, zm)
		want := make([]float64, n*c)
		for i, p := range paths {
			for at, y := range p {
				want[at*c+y] += math.Exp(scores[i] - best - math.Log(sum))
			}
		}
		require.InDeltaSlice(t, want, marginals, 1e-9)
	}
	require.Less(t, impossible, 60)
}

// TestViterbiTies draws scores from a small grid, so that most chains have several best paths. Viterbi returns the one with the lower label at the last token
// where the paths differ.
func TestViterbiTies(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	ties := 0
	for range 300 {
		c, n := 2+r.IntN(3), 1+r.IntN(5)
		grid := func(n int) []float64 {
			v := make([]float64, n)
			for i := range v {
				v[i] = float64(r.IntN(3) - 1)
			}
			return v
		}
		k := &Chain{C: c, Transitions: grid(c * c), Start: grid(c), End: grid(c)}
		em := grid(n * c)
		top, count := math.Inf(-1), 0
		var want []int
		allPaths(c, n, func(path []int) {
			s, err := k.Score(em, path)
			require.NoError(t, err)
			backward := func(p []int) []int {
				p = slices.Clone(p)
				slices.Reverse(p)
				return p
			}
			switch {
			case s > top:
				top, count, want = s, 1, slices.Clone(path)
			case s == top:
				count++
				if slices.Compare(backward(path), backward(want)) < 0 {
					want = slices.Clone(path)
				}
			}
		})
		if count > 1 {
			ties++
		}
		path, score, err := k.Viterbi(em)
		require.NoError(t, err)
		require.Equal(t, top, score)
		require.Equal(t, want, path, "%d paths have the score %v", count, top)
	}
	require.Greater(t, ties, 100)
}

func TestChainFaults(t *testing.T) {
	k := newChain(2)
	_, _, err := k.Viterbi(nil)
	require.ErrorContains(t, err, "0 emissions are not one row of 2 per token")
	_, err = k.LogPartition(make([]float64, 3))
	require.ErrorContains(t, err, "3 emissions")
	_, err = k.Score(make([]float64, 4), []int{0})
	require.ErrorContains(t, err, "a path of 1 labels for 2 tokens")
	_, err = k.Score(make([]float64, 4), []int{0, 2})
	require.ErrorContains(t, err, "label 2 at token 1: there are 2 labels")
	_, _, err = (&Chain{C: 2}).Marginals(make([]float64, 2))
	require.ErrorContains(t, err, "a chain of 2 labels has 0 transitions")
}

// TestSchemeAlwaysHasAPath checks that some path of every length is allowed, whatever the labels.
func TestSchemeAlwaysHasAPath(t *testing.T) {
	all := []string{"O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "L-Y", "U-Y", "Z"}
	for set := 1; set < 1<<len(all); set++ {
		var labels []string
		for i, l := range all {
			if set>>i&1 == 1 {
				labels = append(labels, l)
			}
		}
		k := newChain(len(labels))
		newScheme(labels).constrain(k)
		for n := 1; n <= 4; n++ {
			z, err := k.LogPartition(make([]float64, n*len(labels)))
			require.NoError(t, err)
			require.False(t, math.IsInf(z, -1), "%d of %v", n, labels)
		}
	}
}

// TestSchemeAllows counts the paths that complete sets of labels allow. It finds them by listing
// every sequence of whole entities.
func TestSchemeAllows(t *testing.T) {
	bio := func(n int) []string { // labels of an entity of n tokens
		list := []string{"B"}
		for range n - 1 {
			list = append(list, "I")
		}
		return list
	}
	bioes := func(begin, inside, end, single string) func(n int) []string {
		return func(n int) []string {
			if n == 1 {
				return []string{single}
			}
			list := []string{begin}
			for range n - 2 {
				list = append(list, inside)
			}
			return append(list, end)
		}
	}
	for _, c := range []struct {
		prefixes string
		entity   func(n int) []string
	}{{"BI", bio}, {"BIES", bioes("B", "I", "E", "S")}, {"BILU", bioes("B", "I", "L", "U")}} {
		labels := []string{"O"}
		number := map[string]int{"O": 0}
		for _, kind := range []string{"PER", "LOC"} {
			for _, p := range c.prefixes {
				l := string(p) + "-" + kind
				number[l] = len(labels)
				labels = append(labels, l)
			}
		}
		k := newChain(len(labels))
		newScheme(labels).constrain(k)
		const n = 4
		want := map[[n]int]bool{}
		var write func(path []int)
		write = func(path []int) {
			if len(path) == n {
				want[[n]int(path)] = true
				return
			}
			write(append(path[:len(path):len(path)], 0))
			for _, kind := range []string{"PER", "LOC"} {
				for size := 1; len(path)+size <= n; size++ {
					next := path[:len(path):len(path)]
					for _, p := range c.entity(size) {
						next = append(next, number[p+"-"+kind])
					}
					write(next)
				}
			}
		}
		write(nil)
		allPaths(len(labels), n, func(path []int) {
			s, err := k.Score(make([]float64, n*len(labels)), path)
			require.NoError(t, err)
			require.Equal(t, want[[n]int(path)], !math.IsInf(s, -1), "%v: %v", labels, path)
		})
	}
}
