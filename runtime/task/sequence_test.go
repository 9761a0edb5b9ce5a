package task

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// idsOf returns the sequence of a text, or a pair.
func idsOf(t require.TestingT, texts ...string) []int32 {
	ids := []int32{fakeCLS}
	for _, s := range texts {
		for _, p := range spansOf(t, s) {
			ids = append(ids, p.ID)
		}
		ids = append(ids, fakeSEP)
	}
	return ids
}

// number is the function of a sequence that the heads of this file compute.
func number(ids []int32, j int) float64 {
	sum := 0.0
	for i, id := range ids {
		sum += noise(int(id), i, j)
	}
	return sum
}

func TestChoose(t *testing.T) {
	f := fake{heads: []engine.Head{{Name: "mc", Task: tasktable.Choices, C: 1}}, forward: perSequence(1, number)}
	c, err := NewChooser(f.open(t), "mc")
	require.NoError(t, err)
	questions := []ChoiceQuestion{
		{"The sky is blue today.", "What colour is it?", []string{"red", "blue", "a very dark green indeed"}},
		{"Tom went home.", "Tom went _ .", []string{"away", "home"}},
		{"", "Which one?", []string{"only this"}},
		{"Some context", "", []string{"", "b", "c", "d", "e"}},
	}
	pairs := [][][2]string{
		{{"The sky is blue today.", "What colour is it? red"}, {"The sky is blue today.", "What colour is it? blue"},
			{"The sky is blue today.", "What colour is it? a very dark green indeed"}},
		{{"Tom went home.", "Tom went away ."}, {"Tom went home.", "Tom went home ."}},
		{{"Which one?", "only this"}},
		{{"Some context", ""}, {"Some context", "b"}, {"Some context", "c"}, {"Some context", "d"}, {"Some context", "e"}},
	}
	got, err := c.Choose(background, questions)
	require.NoError(t, err)
	for i, r := range got {
		require.Len(t, r.Scores, len(pairs[i]))
		z := []float64{}
		for j, p := range pairs[i] {
			ids := idsOf(t, p[0], p[1])
			z = append(z, float64(float32(number(ids, 0))))
			require.InDelta(t, z[j], r.Logits[j], 1e-9)
			require.Equal(t, runtime.Seen{Tokens: len(ids), Windows: 1}, r.Seen[j])
		}
		require.InDeltaSlice(t, softmax64(z), r.Scores, 1e-9)
		require.Equal(t, largest(z), r.Index)
		require.Equal(t, questions[i].Options[r.Index], r.Option)
		require.Equal(t, r.Scores[r.Index], r.Score)
	}
	_, err = c.Choose(background, []ChoiceQuestion{questions[0], {"a", "b", nil}})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "text 1: the question has no options")
	_, err = c.Choose(t.Context(), []ChoiceQuestion{{Question: "a", Options: []string{"a", "b", "a"}}})
	require.ErrorContains(t, err, `text 0: option "a" is given twice`)
}

func TestScore(t *testing.T) {
	f := fake{heads: []engine.Head{{Name: "reward", Task: tasktable.Score, C: 1}}, forward: perSequence(1, number)}
	s, err := NewScorer(f.open(t, runtime.Long(runtime.Windows(1)), runtime.MaxTokens(6)), "")
	require.NoError(t, err)
	got, err := s.Score(background, []string{"a b c", "", "a b c d e f"})
	require.NoError(t, err)
	require.InDelta(t, number(idsOf(t, "a b c"), 0), got[0].Score, 1e-6)
	require.InDelta(t, number(idsOf(t, ""), 0), got[1].Score, 1e-6)
	require.InDelta(t, (number(idsOf(t, "a b c d"), 0)+number(idsOf(t, "d e f"), 0))/2, got[2].Score, 1e-6)
	require.Equal(t, runtime.Seen{Tokens: 8, Windows: 2}, got[2].Seen)
	got, err = s.ScorePairs(background, [][2]string{{"a", "b"}})
	require.NoError(t, err)
	require.InDelta(t, number(idsOf(t, "a", "b"), 0), got[0].Score, 1e-6)

	f.heads[0] = engine.Head{Name: "kind", Task: tasktable.Labels, C: 3}
	_, err = NewScorer(f.open(t), "")
	require.ErrorContains(t, err, `head "kind" of this model has 3 numbers per sequence; scoring needs one`)
}

func TestDetect(t *testing.T) {
	f := fake{
		heads:   []engine.Head{{Task: tasktable.Replaced, Rows: engine.PerToken, C: 1}},
		forward: perRow(1, func(ids []int32, row, _ int) float64 { return 5 * noise(int(ids[row])) }),
	}
	d, err := NewDetector(f.open(t, runtime.Long(runtime.Windows(2)), runtime.MaxTokens(7)), "")
	require.NoError(t, err)
	text := "das  Bäumchen steht im Wald 👍🏽"
	got, err := d.Detect(background, []string{text, ""}, 0.5)
	require.NoError(t, err)
	count := 0
	for i, s := range spansOf(t, text) {
		tok := got[0].Verdicts[i]
		checkPart(t, text, tok.Part)
		z := float64(float32(5 * noise(int(s.ID))))
		require.InDelta(t, 1/(1+math.Exp(-z)), tok.Score, 1e-9)
		require.Equal(t, z > 0, tok.Replaced)
		if z > 0 {
			count++
		}
	}
	require.Equal(t, count, got[0].Replaced)
	score := got[0].Verdicts[0].Score
	for threshold, replaced := range map[float64]bool{score: false, math.Nextafter(score, 0): true} {
		at, err := d.Detect(background, []string{text}, threshold)
		require.NoError(t, err)
		require.Equal(t, replaced, at[0].Verdicts[0].Replaced, "a score of %v counts above the threshold %v, not at it", score, threshold)
	}
	require.Equal(t, "Bäu", got[0].Verdicts[1].Text)
	require.Empty(t, got[1].Verdicts)
	require.Equal(t, runtime.Seen{Tokens: 2, Windows: 1}, got[1].Seen)
	_, err = d.Detect(background, nil, 1.5)
	require.ErrorIs(t, err, runtime.ErrInput)
}

// TestEmbed checks that hidden states are pooled over windows as over one sequence, and that the
// vectors of heads that pool themselves are averaged.
func TestEmbed(t *testing.T) {
	const c = 4
	hidden := func(ids []int32, row, j int) float64 { return noise(int(ids[row]), row, j) }
	tokens := fake{heads: []engine.Head{{Task: tasktable.Hidden, Rows: engine.PerToken, C: c}}, forward: perRow(c, hidden)}
	vector := fake{heads: []engine.Head{{Task: tasktable.Vector, C: c}}, forward: perSequence(c, number)}
	long := []runtime.Option{runtime.Long(runtime.Windows(0)), runtime.MaxTokens(6)}
	byToken, err := NewEmbedder(tokens.open(t, long...), "")
	require.NoError(t, err)
	bySequence, err := NewEmbedder(vector.open(t, long...), "")
	require.NoError(t, err)
	require.Equal(t, c, bySequence.Size())
	windows := [][]int32{idsOf(t, "a b c d"), idsOf(t, "e f")}
	text := "a b c d e f"
	for _, o := range []EmbedOptions{{}, {Pooling: PoolFirst}, {Pooling: PoolMean, Normalize: true}} {
		want, n := make([]float64, c), 0.0
		for _, ids := range windows {
			for r := range ids {
				from := r
				if o.Pooling == PoolFirst {
					from = 0
				}
				for j := range c {
					want[j] += hidden(ids, from, j)
				}
				n++
			}
		}
		checkVector(t, byToken, text, o, want, n)
	}
	for _, o := range []EmbedOptions{{}, {Normalize: true}} {
		want := make([]float64, c)
		for j := range c {
			want[j] = 6*number(windows[0], j) + 4*number(windows[1], j)
		}
		checkVector(t, bySequence, text, o, want, 10)
	}
	got, err := bySequence.EmbedPairs(background, [][2]string{{"a", "b"}}, EmbedOptions{})
	require.NoError(t, err)
	require.InDelta(t, number(idsOf(t, "a", "b"), 2), float64(got[0].Vector[2]), 1e-6)
	_, err = bySequence.Embed(background, nil, EmbedOptions{Pooling: PoolMean})
	require.ErrorContains(t, err, "it has pooled already")
	_, err = byToken.Embed(background, nil, EmbedOptions{Pooling: "max"})
	require.ErrorContains(t, err, `pooling "max"`)
	zeros := fake{heads: vector.heads, forward: perSequence(c, func([]int32, int) float64 { return 0 })}
	nothing, err := NewEmbedder(zeros.open(t), "")
	require.NoError(t, err)
	got, err = nothing.Embed(background, []string{"a"}, EmbedOptions{Normalize: true})
	require.NoError(t, err)
	require.Equal(t, make([]float32, c), got[0].Vector)
	text2, err := json.Marshal(got[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"vector": [0, 0, 0, 0], "tokens": 3, "truncated": 0, "windows": 1}`, string(text2))
}

func checkVector(t *testing.T, m *Embedder, text string, o EmbedOptions, sum []float64, n float64) {
	got, err := m.Embed(background, []string{"x", text}, o)
	require.NoError(t, err)
	require.Equal(t, runtime.Seen{Tokens: 8, Windows: 2}, got[1].Seen)
	if o.Normalize {
		n = 0
		for _, v := range sum {
			n += v * v
		}
		n = math.Sqrt(n)
	}
	for j, v := range sum {
		require.InDelta(t, v/n, float64(got[1].Vector[j]), 1e-6, "%+v", o)
	}
}

func TestCosine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float32Range(-9, 9), 2, 2)
		a, b := v.Draw(t, "a"), v.Draw(t, "b")
		got, err := Cosine(a, b)
		require.NoError(t, err)
		// In the plane the cosine is that of the difference of the angles.
		angle := math.Atan2(float64(a[1]), float64(a[0])) - math.Atan2(float64(b[1]), float64(b[0]))
		if a[0] == 0 && a[1] == 0 || b[0] == 0 && b[1] == 0 {
			require.Zero(t, got)
			return
		}
		require.InDelta(t, math.Cos(angle), got, 1e-6)
	})
	_, err := Cosine([]float32{1}, []float32{1, 2})
	require.ErrorIs(t, err, runtime.ErrInput)
}
