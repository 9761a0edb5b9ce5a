package task

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// Tests of the settings that the weights have from a model's folder: prompts, normalization, the function for scores, and the side on which texts
// are cut.

// TestPrompts checks that a prompt stands before each text: the model's default, unless the options choose another one or none.
func TestPrompts(t *testing.T) {
	open := func(extra map[string]string) (*Embedder, error) {
		f := fake{heads: []engine.Head{{Task: tasktable.Vector, C: 3}}, forward: perSequence(3, number), extra: extra}
		return NewEmbedder(f.open(t), "")
	}
	m, err := open(map[string]string{PromptsKey: `[{"name": "query", "text": "ask: "}, {"name": "document", "text": ""}]`, PromptKey: "query"})
	require.NoError(t, err)
	prompts, usual := m.Prompts()
	require.Equal(t, []Prompt{{"query", "ask: "}, {"document", ""}}, prompts)
	require.Equal(t, "query", usual)
	for _, c := range []struct {
		o    EmbedOptions
		read string
	}{{EmbedOptions{}, "ask: a b"}, {EmbedOptions{Prompt: "query"}, "ask: a b"}, {EmbedOptions{Prompt: "document"}, "a b"}, {EmbedOptions{NoPrompt: true},
		"a b"}} {
		texts := []string{"a b"}
		got, err := m.Embed(background, texts, c.o)
		require.NoError(t, err)
		require.Equal(t, []string{"a b"}, texts, "the caller's texts stay")
		ids := idsOf(t, c.read)
		require.InDelta(t, number(ids, 1), float64(got[0].Vector[1]), 1e-6, "%+v", c.o)
		require.Equal(t, len(ids), got[0].Tokens)
	}
	for want, o := range map[string]EmbedOptions{`prompt "passage": these weights have query, document`: {Prompt: "passage"},
		`prompt "query" contradicts the option for no prompt`: {Prompt: "query", NoPrompt: true}} {
		_, err := m.Embed(background, []string{"a"}, o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	_, err = m.EmbedPairs(background, [][2]string{{"a", "b"}}, EmbedOptions{})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, `the prompt "ask: " is put in front of single texts`)
	got, err := m.EmbedPairs(background, [][2]string{{"a", "b"}}, EmbedOptions{NoPrompt: true})
	require.NoError(t, err)
	require.InDelta(t, number(idsOf(t, "a", "b"), 2), float64(got[0].Vector[2]), 1e-6)

	plain, err := open(nil)
	require.NoError(t, err)
	_, err = plain.Embed(background, nil, EmbedOptions{Prompt: "query"})
	require.ErrorContains(t, err, `prompt "query": these weights have no prompts`)
	for _, extra := range []map[string]string{{PromptsKey: "["}, {PromptKey: "query"}, {NormalizeKey: "yes"}} {
		_, err := open(extra)
		require.ErrorContains(t, err, "run debertac pack again", "%v", extra)
	}
	unit, err := open(map[string]string{NormalizeKey: "true"})
	require.NoError(t, err)
	require.True(t, unit.Normalizes())
	got, err = unit.Embed(background, []string{"a b"}, EmbedOptions{})
	require.NoError(t, err)
	again, err := unit.Embed(background, []string{"a b"}, EmbedOptions{Normalize: true})
	require.NoError(t, err)
	require.Equal(t, got, again)
	square := 0.0
	for _, v := range got[0].Vector {
		square += float64(v) * float64(v)
	}
	require.InDelta(t, 1, square, 1e-6)
}

// TestActivation checks that a folder that names the sigmoid for its scores has scores from 0 to 1.
func TestActivation(t *testing.T) {
	open := func(name string) *engine.Core {
		extra := map[string]string{}
		if name != "" {
			extra[ActivationKey] = name
		}
		return fake{heads: []engine.Head{{Name: "score", Task: tasktable.Score, C: 1}}, forward: perSequence(1, number), extra: extra}.open(t)
	}
	z := float64(float32(number(idsOf(t, "a", "b"), 0)))
	for name, want := range map[string]float64{"": z, "sigmoid": 1 / (1 + math.Exp(-z)), "tanh": math.Tanh(z)} {
		s, err := NewScorer(open(name), "")
		require.NoError(t, err)
		scores, err := s.ScorePairs(background, [][2]string{{"a", "b"}})
		require.NoError(t, err)
		require.InDelta(t, want, scores[0].Score, 1e-12, name)
		r, err := NewRanker(open(name), "")
		require.NoError(t, err)
		ranked, err := r.Rank(background, "a", []string{"b"}, RankOptions{})
		require.NoError(t, err)
		require.InDelta(t, want, ranked[0].Score, 1e-12, name)
		ranked, err = r.Rank(background, "a", []string{"b"}, RankOptions{Sigmoid: true})
		require.NoError(t, err)
		require.InDelta(t, 1/(1+math.Exp(-z)), ranked[0].Score, 1e-12, name)
	}
	_, err := NewScorer(open("relu"), "")
	require.ErrorContains(t, err, `activation is "relu", which this version does not know`)
	_, err = NewRanker(open("relu"), "")
	require.ErrorContains(t, err, `activation is "relu"`)
}

// TestTruncateLeft checks that a model whose tokenizer cuts the start of texts reads their ends, and that tasks with results for parts of a text
// refuse such a cut.
func TestTruncateLeft(t *testing.T) {
	extra := map[string]string{engine.TruncateKey: "left"}
	f := fake{heads: []engine.Head{{Name: "score", Task: tasktable.Score, C: 1}}, forward: perSequence(1, number), extra: extra}
	options := []runtime.Option{runtime.Long(runtime.Truncate), runtime.MaxTokens(6)}
	s, err := NewScorer(f.open(t, options...), "")
	require.NoError(t, err)
	got, err := s.Score(background, []string{"a b c d e f", "a b"})
	require.NoError(t, err)
	ids := idsOf(t, "a b c d e f")
	cut := append([]int32{ids[0]}, ids[len(ids)-5:]...)
	require.InDelta(t, number(cut, 0), got[0].Score, 1e-6)
	require.Equal(t, 2, got[0].Truncated)
	require.InDelta(t, number(idsOf(t, "a b"), 0), got[1].Score, 1e-6)
	r, err := NewRanker(f.open(t, options...), "")
	require.NoError(t, err)
	ranked, err := r.Rank(background, "a", []string{"x y z u v"}, RankOptions{})
	require.NoError(t, err)
	ids = idsOf(t, "a", "x y z u v")
	cut = append(append([]int32{}, ids[:3]...), ids[len(ids)-3:]...)
	require.InDelta(t, number(cut, 0), ranked[0].Score, 1e-6)

	tags := fake{heads: []engine.Head{{Name: "rtd", Task: tasktable.Replaced, Rows: engine.PerToken, C: 1}}, extra: extra,
		forward: perRow(1, func([]int32, int, int) float64 { return 1 })}
	d, err := NewDetector(tags.open(t, options...), "")
	require.NoError(t, err)
	_, err = d.Detect(background, []string{"a b c d e f"}, 0.5)
	require.ErrorContains(t, err, "The model's tokenizer cuts the start of a text")
	require.ErrorIs(t, err, runtime.ErrTooLong)
	_, err = d.Detect(background, []string{"a b"}, 0.5)
	require.NoError(t, err)
	f.extra = map[string]string{engine.TruncateKey: "both"}
	broken, err := NewScorer(f.open(t, options...), "")
	if err == nil {
		_, err = broken.Score(background, []string{"a"})
	}
	require.ErrorContains(t, err, `truncate is "both", which is neither left nor right`)
}
