package task

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// relevance returns a model that scores pairs.
func relevance(h engine.Head, f func(ids []int32, column int) float64) fake {
	return fake{heads: []engine.Head{h}, forward: perSequence(h.C, f), token: lex}
}

var documents = []string{"paris is the capital", "rome", "", "one two three", "rome", "a b"}

// checkOrder compares results with the documents and checks their order.
func checkOrder(t *testing.T, got []Ranked) {
	t.Helper()
	for i, r := range got {
		require.Equal(t, documents[r.Index], r.Text)
		if i > 0 {
			require.True(t, got[i-1].Score > r.Score || got[i-1].Score == r.Score && got[i-1].Index < r.Index)
		}
	}
}

func TestRank(t *testing.T) {
	r, err := NewRanker(relevance(engine.Head{Name: "score", Task: tasktable.Score, C: 1}, nliLogit).open(t), "")
	require.NoError(t, err)
	for _, sigmoid := range []bool{false, true} {
		got, err := r.Rank(background, "the capital of france", documents, RankOptions{Sigmoid: sigmoid})
		require.NoError(t, err)
		require.Len(t, got, len(documents))
		checkOrder(t, got)
		for _, x := range got {
			want := float64(float32(nliLogit(pairIDs(t, "the capital of france", x.Text), 0)))
			if sigmoid {
				want = 1 / (1 + math.Exp(-want))
			}
			require.InDelta(t, want, x.Score, 1e-12)
		}
		top, err := r.Rank(background, "the capital of france", documents, RankOptions{Sigmoid: sigmoid, Top: 2})
		require.NoError(t, err)
		require.Equal(t, got[:2], top)
	}
	none, err := r.Rank(background, "a", nil, RankOptions{})
	require.NoError(t, err)
	require.Empty(t, none)
	for want, o := range map[string]RankOptions{"Top is -1": {Top: -1}, `positive label "x": the head has one number`: {Positive: "x"}} {
		_, err := r.Rank(background, "a", documents, o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	_, err = r.Rank(background, " ", documents, RankOptions{})
	require.ErrorContains(t, err, "the query is empty")
}

// TestRankLabels checks heads with labels: the score is the probability of the label that means
// that a document fits.
func TestRankLabels(t *testing.T) {
	for _, c := range []struct {
		labels      []string
		positive    string
		independent bool
		want        int
	}{
		{[]string{"no", "yes"}, "", false, 1}, {[]string{"yes", "no"}, "", false, 1}, {[]string{"yes", "no"}, "YES", false,
			0}, {[]string{"a", "b", "Relevant"}, "", false, 2},
		{[]string{"a", "b", "c"}, "1", true, 1}, {nil, "", false, 1},
	} {
		n := max(len(c.labels), 2)
		r, err := NewRanker(relevance(engine.Head{Name: "kind", Task: tasktable.Labels, C: n, Labels: c.labels, Independent: c.independent},
			nliLogit).open(t), "kind")
		require.NoError(t, err)
		got, err := r.Rank(background, "france", documents, RankOptions{Positive: c.positive})
		require.NoError(t, err)
		checkOrder(t, got)
		for _, x := range got {
			ids, sum := pairIDs(t, "france", x.Text), 0.0
			for j := range n {
				sum += math.Exp(float64(float32(nliLogit(ids, j))))
			}
			e := math.Exp(float64(float32(nliLogit(ids, c.want))))
			want := e / sum
			if c.independent {
				want = e / (1 + e)
			}
			require.InDelta(t, want, x.Score, 1e-12)
		}
	}
	r, err := NewRanker(relevance(engine.Head{Name: "kind", Task: tasktable.Labels, C: 3, Labels: []string{"a", "b", "c"}}, nliLogit).open(t), "")
	require.NoError(t, err)
	_, err = r.Rank(background, "a", documents, RankOptions{})
	require.ErrorContains(t, err, "positive label: none of the head's labels (a, b, c) has such a name")
}

// TestRankWindows checks that only documents are cut.
func TestRankWindows(t *testing.T) {
	document := strings.TrimSpace(strings.Repeat("one two three a ", 3)) // 12 tokens
	for _, join := range []runtime.Join{runtime.JoinMean, runtime.JoinMax} {
		core := relevance(engine.Head{Name: "score", Task: tasktable.Score, C: 1}, nliLogit).open(t, runtime.MaxTokens(12), runtime.Long(runtime.Windows(1)),
			runtime.JoinWindows(join))
		r, err := NewRanker(core, "")
		require.NoError(t, err)
		got, err := r.Rank(background, "is the capital", []string{document}, RankOptions{})
		require.NoError(t, err)
		require.Equal(t, runtime.Seen{Tokens: 18, Windows: 3}, got[0].Seen)
		sum, best := 0.0, math.Inf(-1)
		words := strings.Fields(document)
		for lo := 0; lo+1 < 12; lo += 5 {
			v := float64(float32(nliLogit(pairIDs(t, "is the capital", strings.Join(words[lo:min(lo+6, 12)], " ")), 0)))
			sum, best = sum+v, max(best, v)
		}
		want := sum / 3
		if join == runtime.JoinMax {
			want = best
		}
		require.InDelta(t, want, got[0].Score, 1e-9)
	}
}
