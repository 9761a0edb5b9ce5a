package task

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// TestUTF8 checks that every text that a call takes must be valid UTF-8, and that the error names
// the byte.
func TestUTF8(t *testing.T) {
	const bad = "caf\xe9"
	one, pair := []string{"fine", bad}, [][2]string{{"fine", "fine"}, {"fine", bad}}
	tagger := newTagger(t, tagsByPiece(bioLabels, nil))
	answerer := newAnswerer(t, spanHead(func([]int32, int, int) float64 { return 0 }))
	filler, generator, perplexer := newFiller(t, engine.PerRow), newGenerator(t, engine.PerRow, false, logit), newPerplexer(t, engine.PerRow, false, false)
	x := extractor(t, 2)
	z, err := NewZeroShot(nli(nliLabels, nliLogit).open(t), "", NLIOptions{})
	require.NoError(t, err)
	ranker, err := NewRanker(relevance(engine.Head{Name: "kind", Task: tasktable.Labels, C: 3}, nliLogit).open(t), "")
	require.NoError(t, err)
	vectors := fake{heads: []engine.Head{{Name: "v", Task: tasktable.Vector, C: 2}, {Name: "s", Task: tasktable.Score, C: 1},
		{Name: "mc", Task: tasktable.Choices, C: 1},
		{Name: "l", Task: tasktable.Labels, C: 2}, {Name: "rtd", Task: tasktable.Replaced, Rows: engine.PerToken,
			C: 1}}, forward: perSequence(1, number)}.open(t, runtime.SkipSelfTest())
	embedder, err := NewEmbedder(vectors, "v")
	require.NoError(t, err)
	scorer, err := NewScorer(vectors, "s")
	require.NoError(t, err)
	chooser, err := NewChooser(vectors, "mc")
	require.NoError(t, err)
	classifier, err := engine.NewClassifier(vectors, "l")
	require.NoError(t, err)
	detector, err := NewDetector(vectors, "rtd")
	require.NoError(t, err)
	for name, call := range map[string]func() (any, error){
		"Tag":              func() (any, error) { return tagger.Tag(background, one, TagOptions{}) },
		"Tag, ignored":     func() (any, error) { return tagger.Tag(background, one[:1], TagOptions{Ignore: one}) },
		"Answer, question": func() (any, error) { return answerer.Answer(background, []Question{{bad, "fine"}}, AnswerOptions{}) },
		"Answer, context":  func() (any, error) { return answerer.Answer(background, []Question{{"fine", bad}}, AnswerOptions{}) },
		"Fill":             func() (any, error) { return filler.Fill(background, []string{"a [MASK] " + bad}, FillOptions{}) },
		"Fill, targets": func() (any, error) {
			return filler.Fill(background, []string{"a [MASK]"}, FillOptions{Targets: []string{bad}})
		},
		"Generate": func() (any, error) {
			return generator.Generate(background, []runtime.Text{{First: bad}}, GenerateOptions{})
		},
		"Generate, stop":    func() (any, error) { return generator.Generate(background, nil, GenerateOptions{Stop: one}) },
		"Measure":           func() (any, error) { return perplexer.Measure(background, one) },
		"MeasurePairs":      func() (any, error) { return perplexer.MeasurePairs(background, pair) },
		"Entities":          func() (any, error) { return x.Entities(background, one, []string{"a"}, EntityOptions{}) },
		"Entities, labels":  func() (any, error) { return x.Entities(background, one[:1], one, EntityOptions{}) },
		"DecodeEntities":    func() (any, error) { return DecodeEntities(bad, []string{"a"}, nil, 1, EntityOptions{}) },
		"Classify":          func() (any, error) { return classifier.Classify(background, one) },
		"ClassifyPairs":     func() (any, error) { return classifier.ClassifyPairs(background, pair) },
		"Zero-shot":         func() (any, error) { return z.Classify(background, one, []string{"a"}, ZeroShotOptions{}) },
		"Zero-shot, labels": func() (any, error) { return z.Classify(background, one[:1], one, ZeroShotOptions{}) },
		"Zero-shot, template": func() (any, error) {
			return z.Classify(background, nil, []string{"a"}, ZeroShotOptions{Template: "{} " + bad})
		},
		"NLIOptions": func() (any, error) {
			return NewZeroShot(nli(nliLabels, nliLogit).open(t), "", NLIOptions{Entailment: bad})
		},
		"Rank, query":    func() (any, error) { return ranker.Rank(background, bad, nil, RankOptions{Positive: "1"}) },
		"Rank":           func() (any, error) { return ranker.Rank(background, "fine", one, RankOptions{Positive: "1"}) },
		"Rank, positive": func() (any, error) { return ranker.Rank(background, "fine", nil, RankOptions{Positive: bad}) },
		"Embed":          func() (any, error) { return embedder.Embed(background, one, EmbedOptions{}) },
		"EmbedPairs":     func() (any, error) { return embedder.EmbedPairs(background, pair, EmbedOptions{}) },
		"Score":          func() (any, error) { return scorer.Score(background, one) },
		"ScorePairs":     func() (any, error) { return scorer.ScorePairs(background, pair) },
		"Choose":         func() (any, error) { return chooser.Choose(background, []ChoiceQuestion{{"", "fine", one}}) },
		"Choose, context": func() (any, error) {
			return chooser.Choose(background, []ChoiceQuestion{{bad, "fine", []string{"a"}}})
		},
		"Detect": func() (any, error) { return detector.Detect(background, one, 0.5) },
	} {
		_, err := call()
		require.ErrorIs(t, err, runtime.ErrInput, name)
		require.ErrorContains(t, err, "(0xe9) is not valid UTF-8", name)
	}
	require.NoError(t, engine.CheckUTF8("x", "é�\U0001f600"))
	for text, at := range map[string]int{"\xff": 0, "é\xc3": 2, "�\xed\xa0\x80": 3, "a\xf0\x9f\x98": 1} {
		require.ErrorContains(t, engine.CheckUTF8("label x", text), fmt.Sprintf("label x: byte %d (0x", at))
	}
}
