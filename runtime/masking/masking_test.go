package masking

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/ragged"
)

const (
	vocab = 1000
	mask  = 7
)

// texts draws sequences of the same length. A third of their tokens go on with a word; the first and the last token are special.
func texts(count, length int, seed uint64) (*ragged.Batch, []int32) {
	b := &ragged.Batch{Starts: []int32{0}}
	var word []int32
	for s := range count {
		d := DrawsOf(dropout.KeyOf(seed, 0, 0, 0, 0), s)
		n := int32(-1)
		for i := range length {
			b.IDs = append(b.IDs, int32(10+d.Below(vocab-10)))
			if i == 1 || d.Below(3) > 0 {
				n++
			}
			if i == 0 || i == length-1 {
				word = append(word, -1)
			} else {
				word = append(word, max(0, n))
			}
		}
		b.Starts = append(b.Starts, int32(len(b.IDs)))
	}
	return b, word
}

// measured is what a rule does to texts.
type measured struct {
	mean, least, most float64    // share of masked tokens
	runs              []float64  // by the length of a run of masked tokens: its share of all runs
	first, last       float64    // share of masked tokens in the first and in the last quarter
	split             [3]float64 // mask tokens, kept and random ones
}

// measure masks texts and looks at the result.
func measure(t *testing.T, r Rule, count, length int) measured {
	b, word := texts(count, length, 3)
	before := slices.Clone(b.IDs)
	r.Apply(b, word, dropout.KeyOf(1, 2, 3, 0, 2), mask, vocab)
	require.LessOrEqual(t, len(b.Rows), r.Most(len(b.IDs), count))
	require.True(t, slices.IsSorted(b.Rows))
	masked := make([]bool, len(b.IDs))
	out := measured{least: 1, runs: make([]float64, length+1)}
	for _, row := range b.Rows {
		require.False(t, masked[row], "row %d is chosen twice", row)
		require.GreaterOrEqual(t, word[row], int32(0), "a special token is chosen")
		masked[row] = true
		switch b.IDs[row] {
		case mask:
			out.split[0]++
		case before[row]:
			out.split[1]++
		default:
			out.split[2]++
		}
	}
	for i := range b.IDs {
		if !masked[i] {
			require.Equal(t, before[i], b.IDs[i])
		}
		if i > 0 && r.Words && word[i] >= 0 && word[i] == word[i-1] {
			require.Equal(t, masked[i-1], masked[i], "token %d: a word is cut", i)
		}
	}
	runs := 0.0
	for s := range count {
		text, n := masked[s*length:][:length], 0
		for i, m := range append(slices.Clone(text), false) {
			switch {
			case m:
				n++
				out.mean++
				if i < length/4 {
					out.first++
				} else if i >= length-length/4 {
					out.last++
				}
			case n > 0:
				out.runs[n]++
				runs++
				n = 0
			}
		}
		share := 0.0
		for _, m := range text {
			if m {
				share += 1 / float64(length)
			}
		}
		out.least, out.most = min(out.least, share), max(out.most, share)
	}
	for i := range out.split {
		out.split[i] /= out.mean
	}
	for i := range out.runs {
		out.runs[i] /= runs
	}
	all := float64(count * length)
	out.mean, out.first, out.last = out.mean/all, out.first/all*4, out.last/all*4
	return out
}

// TestPublished compares the shares with those of the code that DeBERTa was trained with, measured on as many texts of this kind.
func TestPublished(t *testing.T) {
	near := func(want, got float64) {
		t.Helper()
		require.InDelta(t, want, got, 0.01)
	}
	r := Rule{Share: 0.15, Runs: 1, Keep: 0.1, Random: 0.1}
	m := measure(t, r, 4000, 200)
	near(0.150, m.mean)
	require.GreaterOrEqual(t, m.least, 0.140)
	require.InDelta(t, 0.150, m.most, 1e-9)
	near(0.97, m.runs[1])
	near(0.03, m.runs[2])
	for i, share := range []float64{0.8, 0.1, 0.1} {
		near(share, m.split[i])
	}

	r.Words, r.Runs = true, 3
	m = measure(t, r, 4000, 200)
	near(0.151, m.mean)
	require.InDelta(t, 0.115, m.least, 0.02)
	require.InDelta(t, 0.185, m.most, 0.02)
	for i, share := range []float64{0.36, 0.25, 0.17, 0.11, 0.06, 0.03} {
		require.InDelta(t, share, m.runs[i+1], 0.02, "runs of %d", i+1)
	}
	near(0.16, m.first)
	near(0.105, m.last)
	for i, share := range []float64{0.8, 0.1, 0.1} {
		near(share, m.split[i])
	}
}

// TestShares checks other shares: of small ones, of large ones, and of texts that are too short for their share.
func TestShares(t *testing.T) {
	for _, share := range []float64{0.01, 0.2, 0.4, 0.5, 0.6, 0.9} {
		for _, words := range []bool{false, true} {
			for _, runs := range []int{1, 3, 10} {
				m := measure(t, Rule{Share: share, Words: words, Runs: runs, Keep: 0.2}, 200, 120)
				want := min(math.Round(share*120)/120, 118.0/120)
				require.InDelta(t, want, m.mean, 0.02, "%g %t %d", share, words, runs)
				require.Zero(t, m.split[2])
				if share > 0.4 {
					require.InDelta(t, m.first, m.last, 0.08, "%g %t %d", share, words, runs)
				}
			}
		}
	}
	for n := range 6 {
		b, _ := texts(3, n, 5)
		r := Rule{Share: 0.15, Runs: 3}
		r.Apply(b, nil, dropout.Key{1, 2}, mask, vocab)
		if n < 3 {
			require.Empty(t, b.Rows, "texts of %d tokens have special ones alone", n)
		} else {
			require.Len(t, b.Rows, 3, "one token of each text of %d tokens", n)
		}
	}
}

// TestLongWord checks that a word of many tokens is left out instead of cut, and that others are masked.
func TestLongWord(t *testing.T) {
	b := &ragged.Batch{IDs: make([]int32, 60), Starts: []int32{0, 60}}
	word := make([]int32, 60)
	for i := 40; i < 60; i++ {
		word[i] = int32(i)
	}
	for seed := range uint64(20) {
		r := Rule{Share: 0.15, Words: true, Runs: 1}
		r.Apply(b, word, dropout.KeyOf(seed, 0, 0, 0, 0), mask, vocab)
		for _, row := range b.Rows {
			require.GreaterOrEqual(t, row, int32(40))
		}
		require.NotEmpty(t, b.Rows)
		require.LessOrEqual(t, len(b.Rows), r.Most(60, 1))
	}
}

// TestDraws checks that a sequence is masked alike at any place of the memory, and differently by key and row.
func TestDraws(t *testing.T) {
	rows := func(key dropout.Key) []int32 {
		b, word := texts(2, 100, 9)
		r := Rule{Share: 0.15, Words: true, Runs: 3, Random: 0.1}
		r.Apply(b, word, key, mask, vocab)
		return append(b.Rows, b.IDs...)
	}
	require.Equal(t, rows(dropout.Key{1, 2}), rows(dropout.Key{1, 2}))
	require.NotEqual(t, rows(dropout.Key{1, 2}), rows(dropout.Key{1, 3}))
	a, c := DrawsOf(dropout.Key{1, 2}, 0), DrawsOf(dropout.Key{1, 2}, 1)
	require.NotEqual(t, a.Uniform(), c.Uniform())
	counts := make([]int, 5)
	for range 50000 {
		counts[a.Below(5)]++
	}
	for _, n := range counts {
		require.InDelta(t, 10000, n, 500)
	}
}
