package trainer_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/masking"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/trainer"
)

// masked is a program whose targets are those of masked tokens. Its loss is the mean of the original tokens, and it reports what it reads.
func masked(words bool) *trainer.Program {
	p := slope(false)
	p.Name = "masked"
	p.Limits = engine.Limits{Vocab: 100, SequenceTokens: 60, BatchSequences: 4, BatchTokens: 200, Rows: 150}
	p.Targets = []trainer.Target{{Name: "target", Rows: ragged.M, Check: trainer.Classes, Below: 100}}
	p.Masking = &trainer.Masking{Rule: masking.Rule{Share: 0.3, Words: words, Runs: 2, Keep: 0.1, Random: 0.1}, Targets: []string{"target"}}
	return p
}

// plain returns a batch of two sequences with the tokens 1, 2, 3, …
func plain(words bool) *trainer.Batch {
	b := &trainer.Batch{Batch: runtime.Batch{Starts: []int32{0, 40, 90}}}
	for i := range int32(90) {
		b.IDs = append(b.IDs, 1+i)
		if words {
			b.WordOf = append(b.WordOf, i/2)
		}
	}
	if words {
		b.WordOf[0], b.WordOf[39] = -1, -1
	}
	return b
}

// TestStepMasks checks that a step masks a batch as Masked tells, that the batch stays as it is, and that steps and parts differ.
func TestStepMasks(t *testing.T) {
	for _, words := range []bool{false, true} {
		open := func(p *trainer.Program, seed uint64) *trainer.Trainer {
			tr, err := trainer.Draw(p, 1, trainer.Threads(1), trainer.Seed(seed), trainer.MaskToken(99))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, tr.Close()) })
			return tr
		}
		tr := open(masked(words), 5)
		b := plain(words)
		var seen [][]int32
		path := filepath.Join(t.TempDir(), "half")
		for step := range 4 {
			m, err := tr.Masked(b, 0)
			require.NoError(t, err)
			require.Equal(t, plain(words), b)
			require.Len(t, m.Integers["target"], len(m.Rows))
			require.InDelta(t, 27, len(m.Rows), 4)
			changed := 0
			for i, row := range m.Rows {
				require.Equal(t, b.IDs[row], m.Integers["target"][i])
				if m.IDs[row] != b.IDs[row] {
					changed++
				}
			}
			require.Greater(t, changed, 15)
			for i, id := range m.IDs {
				if !slices.Contains(m.Rows, int32(i)) {
					require.Equal(t, b.IDs[i], id)
				}
			}
			other, err := tr.Masked(b, 1)
			require.NoError(t, err)
			require.NotEqual(t, m.Rows, other.Rows, "another part")
			for _, rows := range seen {
				require.NotEqual(t, rows, m.Rows, "another step")
			}
			seen = append(seen, m.Rows)
			again, err := tr.Masked(m, 0)
			require.NoError(t, err)
			require.Equal(t, m, again, "a masked batch stays as it is")
			w := value(t, tr)
			r, err := tr.Step(t.Context(), b)
			require.NoError(t, err)
			require.InDelta(t, w*mean(m.Integers["target"]), r.Loss, 1e-4)
			require.Equal(t, plain(words), b)
			if step == 1 {
				require.NoError(t, tr.Save(path))
			}
		}
		tr = open(masked(words), 6)
		other, err := tr.Masked(b, 0)
		require.NoError(t, err)
		require.NotEqual(t, seen[0], other.Rows, "another seed")
		require.NoError(t, tr.Resume(path))
		for _, rows := range seen[2:] {
			m, err := tr.Masked(b, 0)
			require.NoError(t, err)
			require.Equal(t, rows, m.Rows, "after a pause")
			_, err = tr.Step(t.Context(), b)
			require.NoError(t, err)
		}
	}
}

func mean(list []int32) float64 {
	sum := 0.0
	for _, v := range list {
		sum += float64(v) / float64(len(list))
	}
	return sum
}

// TestMaskingRefuses checks the faults of batches and of the mask token.
func TestMaskingRefuses(t *testing.T) {
	for id, want := range map[int32]string{
		-1:  "MaskToken(-1): a token's id is not below 0",
		100: "MaskToken(100): the vocabulary of masked has 100 tokens, so it must be less",
	} {
		_, err := trainer.Draw(masked(false), 1, trainer.MaskToken(id))
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	tr, err := trainer.Draw(masked(false), 1, trainer.Threads(1), trainer.MaskToken(99))
	require.NoError(t, err)
	_, err = tr.Masked(plain(false), -1)
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "part -1 of a batch: parts are counted from 0")
	*tr.Options().MaskToken = 7
	require.Equal(t, int32(99), *tr.Options().MaskToken, "the options are a copy")
	require.NoError(t, tr.Close())
	_, err = trainer.Draw(slope(false), 1, trainer.MaskToken(3))
	require.ErrorContains(t, err, "MaskToken(3): slope predicts no masked tokens, so leave it out")

	for _, c := range []struct {
		words, token bool
		change       func(b *trainer.Batch)
		want         string
	}{
		{token: true, change: func(b *trainer.Batch) {}},
		{token: true, words: true, change: func(b *trainer.Batch) {}},
		{change: func(b *trainer.Batch) {}, want: "neither Rows nor the target \"target\": give both, or let the trainer choose the tokens to predict"},
		{token: true, words: true, change: func(b *trainer.Batch) { b.WordOf = nil }, want: "WordOf has 0 numbers, the batch needs 90"},
		{token: true, change: func(b *trainer.Batch) { b.WordOf = make([]int32, 3) }, want: "WordOf has 3 numbers, the batch needs 90"},
		{token: true, words: true, change: func(b *trainer.Batch) { b.Rows = []int32{3} },
			want: "WordOf has 90 numbers, but the batch has Rows or the target \"target\", so no tokens are chosen"},
		{token: true, change: func(b *trainer.Batch) { b.Rows = []int32{3} }, want: "target has 0 numbers, the batch needs 1"},
		{token: true, change: func(b *trainer.Batch) { b.Integers = map[string][]int32{"target": {4}} }, want: "target has 1 numbers, the batch needs 0"},
		{change: func(b *trainer.Batch) { b.Rows, b.Integers = []int32{3}, map[string][]int32{"target": {4}} }},
		{change: func(b *trainer.Batch) { b.Integers = map[string][]int32{"target": {}} }},
	} {
		opts := []trainer.Option{trainer.Threads(1)}
		if c.token {
			opts = append(opts, trainer.MaskToken(99))
		}
		tr, err := trainer.Draw(masked(c.words), 1, opts...)
		require.NoError(t, err)
		b := plain(c.words)
		c.change(b)
		_, err = tr.Masked(b, 0)
		if c.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, runtime.ErrInput)
			require.ErrorContains(t, err, c.want)
			_, again := tr.Step(t.Context(), b)
			require.Equal(t, err, again)
		}
		require.NoError(t, tr.Close())
		_, err = tr.Masked(plain(c.words), 0)
		if c.token {
			require.ErrorIs(t, err, runtime.ErrClosed)
		}
	}
	b := tokens([]int32{3})
	b.WordOf = []int32{0}
	_, err = begin(t, slope(false)).Step(t.Context(), b)
	require.ErrorContains(t, err, "WordOf has 1 numbers, and slope masks no tokens: leave it out")
}

// TestLabels checks which labels texts are asked for.
func TestLabels(t *testing.T) {
	open := func(negatives float64, seed uint64) *trainer.Trainer {
		p := slope(false)
		p.Negatives = negatives
		tr, err := trainer.Draw(p, 1, trainer.Threads(1), trainer.Seed(seed))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, tr.Close()) })
		return tr
	}
	own := [][]string{{"person"}, {"city", "person", "river"}, nil, {"date", "time"}}
	all := []string{"person", "city", "river", "date", "time"}
	for _, c := range []struct {
		ratio       float64
		least, most []int // others of each text
	}{
		{1, []int{1, 2, 1, 2}, []int{1, 2, 1, 2}},
		{0.5, []int{0, 1, 0, 1}, []int{1, 2, 1, 1}},
		{1.5, []int{1, 2, 1, 3}, []int{2, 2, 2, 3}},
		{1000, []int{4, 2, 5, 3}, []int{4, 2, 5, 3}},
	} {
		counts, first := map[string]int{}, 0
		fewest, greatest := []int{9, 9, 9, 9}, []int{0, 0, 0, 0}
		const draws = 200
		for seed := range uint64(draws) {
			tr := open(c.ratio, seed)
			asked, err := tr.Labels(own)
			require.NoError(t, err)
			again, err := tr.Labels(own)
			require.NoError(t, err)
			require.Equal(t, asked, again, "the same step")
			require.Len(t, asked, len(own))
			for i, list := range asked {
				require.Subset(t, list, own[i])
				require.Subset(t, all, list)
				require.Len(t, slices.Compact(slices.Sorted(slices.Values(list))), len(list), "no label twice")
				n := len(list) - len(own[i])
				fewest[i], greatest[i] = min(fewest[i], n), max(greatest[i], n)
			}
			for _, label := range asked[2] {
				counts[label]++
			}
			if asked[0][0] == "person" {
				first++
			}
		}
		require.Equal(t, c.least, fewest, "%g", c.ratio)
		require.Equal(t, c.most, greatest, "%g", c.ratio)
		if c.ratio == 1 {
			require.InDelta(t, draws/2, first, 5*7, "own labels have no place of their own")
			for _, label := range all {
				require.InDelta(t, draws/5, counts[label], 5*6, label)
			}
		}
	}
	tr := open(1, 1)
	before, err := tr.Labels(own)
	require.NoError(t, err)
	lists := map[string]bool{fmt.Sprint(before): true}
	for range 5 {
		_, err = tr.Step(t.Context(), tokens([]int32{3}))
		require.NoError(t, err)
		asked, err := tr.Labels(own)
		require.NoError(t, err)
		lists[fmt.Sprint(asked)] = true
	}
	require.Greater(t, len(lists), 4, "steps differ")
	for want, own := range map[string][][]string{
		"the batch has 0 texts, it must have from 1 to 9":  nil,
		"the batch has 10 texts, it must have from 1 to 9": make([][]string, 10),
		"label 1 of text 2 is empty":                       {nil, nil, {"a", ""}},
		`text 1 has the label "a" twice`:                   {{"a"}, {"a", "b", "a"}},
	} {
		_, err := tr.Labels(own)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	_, err = begin(t, slope(false)).Labels(own)
	require.ErrorContains(t, err, "slope asks a text for its own labels alone: write `negatives 1 from batch` in the spec")
}
