package task

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tokenizer"
)

func newPerplexer(t testing.TB, rows engine.Rows, causal, prefix bool, opts ...runtime.Option) *Perplexer {
	t.Helper()
	m, err := NewPerplexer(predicts(rows, causal, prefix, logit).open(t, opts...), "")
	require.NoError(t, err)
	return m
}

// checkPerplexity compares a result with the log probabilities of its tokens.
func checkPerplexity(t *testing.T, text string, p Perplexity, want []float64) {
	t.Helper()
	require.Equal(t, len(want), p.Counted)
	require.Len(t, p.Scored, len(want))
	sum := 0.0
	for i, s := range p.Scored {
		checkPart(t, text, s.Part)
		require.Equal(t, lex[s.ID], s.Piece)
		require.InDelta(t, want[i], s.LogProbability, 1e-12)
		sum += want[i]
	}
	require.InDelta(t, sum, p.LogProbability, 1e-9)
	require.InEpsilon(t, math.Exp(-sum/float64(len(want))), p.Perplexity, 1e-9)
}

// TestPerplexityCausal computes, for a causal model, each token given those before it by brute
// force.
func TestPerplexityCausal(t *testing.T) {
	bothKinds(t, func(t *testing.T, rows engine.Rows) {
		m := newPerplexer(t, rows, true, false)
		texts := []string{"paris is the capital of france.", "a", "one two three one two three one two three one two three one two three one two three"}
		got, err := m.Measure(background, texts)
		require.NoError(t, err)
		for n, text := range texts {
			ids := framed(t, text)
			var want []float64
			for i := 1; i < len(ids)-1; i++ {
				want = append(want, math.Log(rowProbabilities(logit, ids[:i], 0, i-1)[ids[i]]))
			}
			checkPerplexity(t, text, got[n], want)
			require.False(t, got[n].Pseudo)
			require.Equal(t, runtime.Seen{Tokens: len(ids), Windows: 1}, got[n].Seen)
			alone, err := m.Measure(background, texts[n:n+1])
			require.NoError(t, err)
			require.Equal(t, got[n], alone[0])
		}
	})
}

// TestPerplexityPseudo masks each token in turn, for models that are not causal.
func TestPerplexityPseudo(t *testing.T) {
	bothKinds(t, func(t *testing.T, rows engine.Rows) {
		m := newPerplexer(t, rows, false, false)
		texts := []string{"paris is the capital of france.", "a", "unhappyable [MASK]"}
		got, err := m.Measure(background, texts)
		require.NoError(t, err)
		for n, text := range texts {
			spans := spansIn(t, text)
			var want []float64
			for i := range spans {
				ids := []int32{fakeCLS}
				for j, s := range spans {
					if j == i {
						s.ID = lexMASK
					}
					ids = append(ids, s.ID)
				}
				ids = append(ids, fakeSEP)
				want = append(want, math.Log(rowProbabilities(logit, ids, 0, i+1)[spans[i].ID]))
			}
			checkPerplexity(t, text, got[n], want)
			require.True(t, got[n].Pseudo)
		}
	})
}

// spansIn returns a text's tokens. No name in the text is read as a special token.
func spansIn(t testing.TB, text string) []tokenizer.Span {
	t.Helper()
	spans, err := lex.AppendSpans(nil, text, false)
	require.NoError(t, err)
	return spans
}

// TestPerplexityWindows checks, for causal models, that a token counts in the first window that
// holds it and that the overlap is its context.
func TestPerplexityWindows(t *testing.T) {
	text := strings.TrimSpace(strings.Repeat("one two three a ", 6)) // 24 tokens
	ids := framed(t, text)[1:25]
	const width, overlap = 10, 3
	got, err := newPerplexer(t, engine.PerRow, true, false, runtime.MaxTokens(width+2), runtime.Long(runtime.Windows(overlap))).Measure(background,
		[]string{text})
	require.NoError(t, err)
	var want []float64
	for i := range ids {
		from := 0
		for i >= from+width {
			from += width - overlap
		}
		seen := append([]int32{fakeCLS}, ids[from:i]...)
		want = append(want, math.Log(rowProbabilities(logit, seen, 0, len(seen)-1)[ids[i]]))
	}
	checkPerplexity(t, text, got[0], want)
	require.Equal(t, runtime.Seen{Tokens: 26, Windows: 3}, got[0].Seen)

	pseudo, err := newPerplexer(t, engine.PerRow, false, false, runtime.MaxTokens(width+2), runtime.Long(runtime.Windows(overlap))).Measure(background,
		[]string{text})
	require.NoError(t, err)
	require.Equal(t, 24, pseudo[0].Counted)
	want = nil
	for i := range ids {
		best, most := -1, -1
		for from := 0; from+overlap < len(ids); from += width - overlap {
			to := min(from+width, len(ids))
			if m := farFromEdge(i, from, to, len(ids)); from <= i && i < to && m > most {
				best, most = from, m
			}
		}
		to := min(best+width, len(ids))
		seen := append(append([]int32{fakeCLS}, ids[best:to]...), fakeSEP)
		seen[1+i-best] = lexMASK
		want = append(want, math.Log(rowProbabilities(logit, seen, 0, 1+i-best)[ids[i]]))
	}
	checkPerplexity(t, text, pseudo[0], want)

	cut, err := newPerplexer(t, engine.PerRow, true, false, runtime.MaxTokens(12), runtime.Long(runtime.Truncate)).Measure(background, []string{text})
	require.NoError(t, err)
	require.Equal(t, 10, cut[0].Counted)
	require.Equal(t, 14, cut[0].Truncated)
}

// farFromEdge returns how far token i lies from those edges of tokens [from, to) that are not ends
// of the text.
func farFromEdge(i, from, to, n int) int {
	m := n
	if from > 0 {
		m = i - from
	}
	if to < n {
		m = min(m, to-1-i)
	}
	return m
}

// TestPerplexityPairs checks that only the second text counts, and that all tokens see the whole
// first text if the model's mask has a prefix.
func TestPerplexityPairs(t *testing.T) {
	pair := [2]string{"the capital", "is paris."}
	a, b := spansIn(t, pair[0]), spansIn(t, pair[1])
	seen := []int32{fakeCLS}
	for _, s := range a {
		seen = append(seen, s.ID)
	}
	seen = append(seen, fakeSEP)
	prefix := len(seen)
	for _, s := range b {
		seen = append(seen, s.ID)
	}
	for _, kind := range []struct{ causal, prefix bool }{{true, false}, {true, true}} {
		got, err := newPerplexer(t, engine.PerRow, kind.causal, kind.prefix).MeasurePairs(background, [][2]string{pair})
		require.NoError(t, err)
		var want []float64
		p := 0
		if kind.prefix {
			p = prefix
		}
		for i := range b {
			want = append(want, math.Log(rowProbabilities(logit, seen[:prefix+i], p, prefix+i-1)[b[i].ID]))
		}
		checkPerplexity(t, pair[1], got[0], want)
	}
}

func TestPerplexityFaults(t *testing.T) {
	m := newPerplexer(t, engine.PerRow, true, false)
	for _, text := range []string{"", "  "} {
		_, err := m.Measure(background, []string{"a", text})
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, "text 1: it has no token that could be predicted")
	}
	_, err := m.MeasurePairs(background, [][2]string{{"a", ""}})
	require.ErrorContains(t, err, "text 0: it has no token that could be predicted")
	_, err = m.Measure(background, []string{strings.Repeat("a ", 40)})
	require.ErrorIs(t, err, runtime.ErrTooLong)
	got, err := m.Measure(background, nil)
	require.NoError(t, err)
	require.Empty(t, got)
	narrow := predicts(engine.PerRow, false, false, logit)
	narrow.heads[0].C = 6
	limits := narrow.limits
	narrow.limits = func(l *engine.Limits) { limits(l); l.Vocab = 6 }
	p, err := NewPerplexer(narrow.open(t, runtime.SkipSelfTest()), "")
	require.NoError(t, err)
	_, err = p.Measure(background, []string{"rome"})
	require.ErrorContains(t, err, `text 0: its token "▁rome" has the id 6, and the model has outputs for 6 ids: the tokenizer does not fit the model`)
	f, err := NewFiller(narrow.open(t, runtime.SkipSelfTest()), "")
	require.NoError(t, err)
	_, err = f.Fill(background, []string{"[MASK]"}, FillOptions{Targets: []string{"rome"}})
	require.ErrorContains(t, err, `target "rome": the model has no output for its id: the tokenizer does not fit the model`)
	other := predicts(engine.PerRow, false, false, logit)
	other.token = maskless{lex}
	_, err = NewPerplexer(other.open(t), "")
	require.ErrorContains(t, err, "no mask token")
}

// maskless is a tokenizer without a mask token.
type maskless struct{ lexicon }

func (m maskless) Specials() tokenizer.SpecialIDs {
	s := m.lexicon.Specials()
	s.MASK = -1
	return s
}
