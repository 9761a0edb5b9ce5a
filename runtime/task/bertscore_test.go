package task

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// comparable is a model whose rows depend on the token and its neighbour.
var comparable = fake{heads: []engine.Head{{Task: tasktable.Hidden, Rows: engine.PerToken, C: 3}}, forward: perRow(3, rowOf)}

func rowOf(ids []int32, row, j int) float64 {
	return noise(int(ids[row]), j) + 0.3*noise(int(ids[max(row-1, 0)]), j, 7)
}

// likeness computes precision and recall of two texts in the plain way.
func likeness(t *testing.T, candidate, reference string, weight func(id int32) float64) (p, r float64) {
	a, b := idsOf(t, candidate), idsOf(t, reference)
	cosine := func(i, j int) float64 {
		dot, x, y := 0.0, 0.0, 0.0
		for c := range 3 {
			u, v := rowOf(a, i, c), rowOf(b, j, c)
			dot, x, y = dot+u*v, x+u*u, y+v*v
		}
		return dot / math.Sqrt(x*y)
	}
	total := 0.0
	for i := 1; i < len(a)-1; i++ {
		best := -1.0
		for j := range b {
			best = max(best, cosine(i, j))
		}
		p, total = p+weight(a[i])*best, total+weight(a[i])
	}
	p, total = p/total, 0
	for j := 1; j < len(b)-1; j++ {
		best := -1.0
		for i := range a {
			best = max(best, cosine(i, j))
		}
		r, total = r+weight(b[j])*best, total+weight(b[j])
	}
	return p, r / total
}

// likenessCall returns a call with the options o.
func likenessCall(t *testing.T, o *BERTScoreOptions) func(ctx context.Context) error {
	m, err := NewBERTScorer(comparable.open(t), "")
	require.NoError(t, err)
	return func(ctx context.Context) error {
		_, err := m.BERTScore(ctx, [][2]string{{"a", "b"}}, *o)
		return err
	}
}

// TestBERTScore compares scores with those of the plain way, with and without weights and a baseline, for more pairs than are kept at a time.
func TestBERTScore(t *testing.T) {
	m, err := NewBERTScorer(comparable.open(t), "")
	require.NoError(t, err)
	var pairs [][2]string
	for i := range 3*bertScorePairs + 1 {
		pairs = append(pairs, [2]string{strings.Repeat("a b ", i%3) + fmt.Sprintf("dog %d runs", i%5), fmt.Sprintf("the dog w%d", i%7)})
	}
	references := []string{"the dog", " the cat\n", "a b"}
	weights, err := m.Weights(references)
	require.NoError(t, err)
	idf := func(id int32) float64 {
		n := 0
		for _, r := range references {
			if slices.Contains(idsOf(t, strings.TrimSpace(r)), id) {
				n++
			}
		}
		return math.Log(4 / float64(n+1))
	}
	base := &Baseline{0.5, -0.25, 0.1}
	for _, o := range []BERTScoreOptions{{}, {Weights: weights}, {Baseline: base}, {Weights: weights, Baseline: base}} {
		weight := func(int32) float64 { return 1 }
		if o.Weights != nil {
			weight = idf
		}
		got, err := m.BERTScore(background, pairs, o)
		require.NoError(t, err)
		require.Len(t, got, len(pairs))
		for i, pair := range pairs {
			p, r := likeness(t, pair[0], pair[1], weight)
			f := 2 * p * r / (p + r)
			if o.Baseline != nil {
				p, r, f = (p-0.5)/0.5, (r+0.25)/1.25, (f-0.1)/0.9
			}
			require.InDelta(t, p, got[i].Precision, 1e-6)
			require.InDelta(t, r, got[i].Recall, 1e-6)
			require.InDelta(t, f, got[i].F1, 1e-6)
			require.Equal(t, runtime.Seen{Tokens: len(idsOf(t, pair[0])) + len(idsOf(t, pair[1])), Windows: 2}, got[i].Seen)
			alone, err := m.BERTScore(background, pairs[i:i+1], o)
			require.NoError(t, err)
			require.Equal(t, alone[0], got[i])
		}
	}
	got, err := m.BERTScore(background, [][2]string{{" the dog\t", "the dog"}, {"", "dog"}, {"dog", " "}}, BERTScoreOptions{})
	require.NoError(t, err)
	require.Equal(t, BERTScore{1, 1, 1, got[0].Seen}, got[0])
	require.Equal(t, []BERTScore{{Seen: got[1].Seen}, {Seen: got[2].Seen}}, got[1:])
}

// TestBERTScoreFaults checks what is refused, with the number of the pair.
func TestBERTScoreFaults(t *testing.T) {
	m, err := NewBERTScorer(comparable.open(t), "")
	require.NoError(t, err)
	for _, b := range []Baseline{{1, 0, 0}, {0, math.NaN(), 0}, {0, 0, math.Inf(-1)}} {
		_, err := m.BERTScore(background, nil, BERTScoreOptions{Baseline: &b})
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, "it must be below 1")
	}
	pairs := slices.Repeat([][2]string{{"a", "b"}}, bertScorePairs+3)
	pairs[bertScorePairs+2] = [2]string{"a", "\x00"}
	var fault *runtime.TextError
	_, err = m.BERTScore(background, pairs, BERTScoreOptions{})
	require.ErrorAs(t, err, &fault)
	require.Equal(t, bertScorePairs+2, fault.Text)
	_, err = m.Weights([]string{"a", "\x00"})
	require.ErrorAs(t, err, &fault)
	require.Equal(t, 1, fault.Text)
	_, err = m.Weights(nil)
	require.ErrorContains(t, err, "no references")
	long := strings.Repeat("w ", 70)
	windows, err := NewBERTScorer(comparable.open(t, runtime.Long(runtime.Windows(0))), "")
	require.NoError(t, err)
	_, err = windows.BERTScore(background, [][2]string{{"a", "b"}, {"a", long}}, BERTScoreOptions{})
	require.ErrorIs(t, err, runtime.ErrTooLong)
	require.ErrorContains(t, err, "text 1: it has 2 windows")
	cut, err := NewBERTScorer(comparable.open(t, runtime.Long(runtime.Truncate)), "")
	require.NoError(t, err)
	got, err := cut.BERTScore(background, [][2]string{{"a", long}}, BERTScoreOptions{})
	require.NoError(t, err)
	require.Equal(t, runtime.Seen{Tokens: 67, Truncated: 8, Windows: 2}, got[0].Seen)
	for _, v := range []float64{0, math.NaN(), math.Inf(1)} {
		broken := fake{heads: comparable.heads, forward: perRow(3, func([]int32, int, int) float64 { return v })}
		m, err := NewBERTScorer(broken.open(t, runtime.SkipSelfTest()), "")
		require.NoError(t, err)
		_, err = m.BERTScore(background, [][2]string{{"a", "b"}}, BERTScoreOptions{})
		require.ErrorIs(t, err, ErrNoNumbers)
	}
	words := fake{heads: []engine.Head{{Name: "w", Task: tasktable.Hidden, Rows: engine.PerRow, C: 3}}, forward: comparable.forward,
		limits: func(l *engine.Limits) { l.Rows = 64 }}
	_, err = NewBERTScorer(words.open(t), "")
	require.ErrorContains(t, err, `head "w" of this model has one row per`)
}
