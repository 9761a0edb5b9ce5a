package sampler

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/dropout"
)

// logits returns a product of random numbers whose rows are some floats apart.
func logits(v Vocabulary, rows int, seed uint64) (x, w, bias, parts []float32, z [][]float64) {
	r := rand.New(rand.NewPCG(seed, 9))
	draw := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(r.NormFloat64())
		}
		return out
	}
	x, w, bias = draw(rows*v.LDX), draw(v.Entries*v.LDW), draw(v.Entries)
	parts = make([]float32, rows*v.LDP)
	for i := range rows {
		row := make([]float64, v.Entries)
		for e := range row {
			row[e] = float64(bias[e])
			for k := range v.Width {
				row[e] += float64(x[i*v.LDX+k]) * float64(w[e*v.LDW+k])
			}
		}
		z = append(z, row)
		for c := 0; c*v.Chunk < v.Entries; c++ {
			top, sum := math.Inf(-1), 0.0
			part := row[c*v.Chunk : min(v.Entries, (c+1)*v.Chunk)]
			for _, l := range part {
				top = max(top, l)
			}
			for _, l := range part {
				sum += math.Exp(l - top)
			}
			parts[i*v.LDP+2*c], parts[i*v.LDP+2*c+1] = float32(top), float32(sum)
		}
	}
	return x, w, bias, parts, z
}

// softmax returns the probabilities of a row.
func softmax(z []float64) []float64 {
	top, sum, out := math.Inf(-1), 0.0, make([]float64, len(z))
	for _, l := range z {
		top = max(top, l)
	}
	for i, l := range z {
		out[i] = math.Exp(l - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// chiSquare returns the statistic of counts against probabilities. Entries that are expected less than 5 times count as one.
func chiSquare(counts []int, p []float64, draws int) (x float64, freedom int) {
	rare, rareP := 0, 0.0
	for i, n := range counts {
		if want := p[i] * float64(draws); want >= 5 {
			x += (float64(n) - want) * (float64(n) - want) / want
			freedom++
			continue
		}
		rare, rareP = rare+n, rareP+p[i]
	}
	if want := rareP * float64(draws); want >= 5 {
		x += (float64(rare) - want) * (float64(rare) - want) / want
		freedom++
	}
	return x, freedom - 1
}

// TestSoftmax compares how often tokens are drawn with the softmax, by the chi-square statistic, with logits that are stored and with logits that are not. The
// same random numbers draw the same tokens in both.
func TestSoftmax(t *testing.T) {
	const draws = 200000
	v := Vocabulary{Width: 5, Entries: 101, Chunk: 16, LDX: 8, LDW: 16, LDP: 15}
	x, w, bias, parts, z := logits(v, 1, 3)
	p := softmax(z[0])
	row := make([]float32, v.Entries)
	for i, l := range z[0] {
		row[i] = float32(l)
	}
	room := make([]float32, v.Chunk)
	stored, chunked, differ := make([]int, v.Entries), make([]int, v.Entries), 0
	for step := range draws {
		k := dropout.KeyOf(11, step, 0, 4, 0)
		site, given, got := []int32{int32(k[0]), int32(k[1])}, []int32{-1}, []int32{0}
		Rows(&got[0], &row[0], &given[0], &site[0], v.Entries, v.Entries, 3, 1)
		stored[got[0]]++
		first := got[0]
		v.Rows(&got[0], &x[0], &w[0], &bias[0], &parts[0], &given[0], &site[0], &room[0], 3, 1)
		chunked[got[0]]++
		if got[0] != first {
			differ++
		}
	}
	for _, counts := range [][]int{stored, chunked} {
		chi, freedom := chiSquare(counts, p, draws)
		require.Greater(t, freedom, 50)
		limit := float64(freedom) + 4*math.Sqrt(2*float64(freedom)) // the mean and four deviations
		require.Less(t, chi, limit)
	}
	require.Less(t, differ, draws/10000, "the sums of chunks are rounded, so a token at an edge may differ")
}

// TestRowsOf checks rows of other distances, a first row other than 0, rows that are given, a vocabulary without a bias and one of one chunk.
func TestRowsOf(t *testing.T) {
	const rows = 40
	k := dropout.KeyOf(5, 1, 0, 0, 0)
	site := []int32{int32(k[0]), int32(k[1])}
	for _, v := range []Vocabulary{{Width: 7, Entries: 50, Chunk: 16, LDX: 9, LDW: 7, LDP: 11},
		{Width: 16, Entries: 12, Chunk: 512, LDX: 16, LDW: 16, LDP: 2}} {
		x, w, bias, parts, z := logits(v, rows, 5)
		given := make([]int32, rows)
		for i := range given {
			given[i] = -1
		}
		given[4] = 9
		all, room := make([]int32, rows), make([]float32, v.Chunk)
		v.Rows(&all[0], &x[0], &w[0], &bias[0], &parts[0], &given[0], &site[0], &room[0], 0, rows)
		part := make([]int32, rows-6)
		v.Rows(&part[0], &x[6*v.LDX], &w[0], &bias[0], &parts[6*v.LDP], &given[6], &site[0], &room[0], 6, rows-6)
		require.Equal(t, all[6:], part)
		for i, got := range all {
			if i == 4 {
				require.Equal(t, int32(9), got)
				continue
			}
			require.Equal(t, int32(Pick(z[i], Uniform(k, i))), got, "row %d", i)
		}
		clear(bias)
		v.Rows(&part[0], &x[0], &w[0], &bias[0], &parts[0], &given[0], &site[0], &room[0], 0, rows-6)
		without := make([]int32, rows-6)
		v.Rows(&without[0], &x[0], &w[0], nil, &parts[0], &given[0], &site[0], &room[0], 0, rows-6)
		require.Equal(t, part, without)
	}
}

// TestEdges checks the numbers at the ends, weights of 0, and logits that are not finite: the result is always the number of an entry.
func TestEdges(t *testing.T) {
	last := math.Nextafter(1, 0)
	inf, nan := math.Inf(1), math.NaN()
	require.Equal(t, 0, Pick([]float64{1, 1, 1}, 0))
	require.Equal(t, 2, Pick([]float64{1, 1, 1}, last))
	require.Equal(t, 1, Pick([]float64{-inf, 3, -inf}, 0))
	require.Equal(t, 1, Pick([]float64{-inf, 3, -inf}, last))
	for _, z := range [][]float64{{nan, nan, 1}, {1, nan}, {inf, inf}, {-inf, -inf}} {
		for _, u := range []float64{0, 0.5, last} {
			got := Pick(z, u)
			require.True(t, got >= 0 && got < len(z))
			chunk, rest := PickChunk(append(z, 1)[:len(z)/2*2], u)
			require.True(t, chunk >= 0 && chunk < len(z) && !(rest >= 1))
		}
	}
}

// TestUniform checks that the numbers of rows fill the interval evenly, and that keys and rows change them.
func TestUniform(t *testing.T) {
	const n, bins = 100000, 50
	counts := make([]int, bins)
	for i := range n {
		u := Uniform(dropout.KeyOf(1, i/100, 0, 2, 0), i%100)
		require.True(t, u >= 0 && u < 1)
		counts[int(u*bins)]++
	}
	for _, c := range counts {
		require.InDelta(t, n/bins, c, 5*math.Sqrt(n/bins))
	}
	require.NotEqual(t, Uniform(dropout.Key{1, 2}, 0), Uniform(dropout.Key{1, 2}, 1))
	require.NotEqual(t, Uniform(dropout.Key{1, 2}, 0), Uniform(dropout.Key{1, 3}, 0))
}
