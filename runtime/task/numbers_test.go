package task

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// TestNoNumbers checks that outputs that are not numbers, such as those of damaged weights, are an error in every task.
// Otherwise they would look like a text without entities, the first label, or a vector of zeros.
func TestNoNumbers(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		row := func(ids []int32, row, _ int) float64 {
			if row == 1 {
				return bad
			}
			return 0
		}
		sequence := func([]int32, int) float64 { return bad }
		one := func(task engine.Task, rows engine.Rows, c int, pooled bool) *engine.Core {
			f := fake{heads: []engine.Head{{Task: task, Rows: rows, C: c}}, forward: perRow(c, row), token: lex}
			if pooled {
				f.forward = perSequence(c, sequence)
			}
			return f.open(t, runtime.SkipSelfTest())
		}
		calls := map[string]func() error{}
		texts := []string{"paris is"}
		tagger, err := NewTagger(one(tasktable.Tags, engine.PerToken, 3, false), "")
		require.NoError(t, err)
		calls["Tag"] = func() error { _, err := tagger.Tag(background, texts, TagOptions{}); return err }
		calls["Tag, together"] = func() error { _, err := tagger.Tag(background, texts, TagOptions{BIO: true}); return err }
		answerer, err := NewAnswerer(one(tasktable.Span, engine.PerToken, 2, false), "")
		require.NoError(t, err)
		calls["Answer"] = func() error {
			_, err := answerer.Answer(background, []Question{{"paris", "is"}}, AnswerOptions{})
			return err
		}
		detector, err := NewDetector(one(tasktable.Replaced, engine.PerToken, 1, false), "")
		require.NoError(t, err)
		calls["Detect"] = func() error { _, err := detector.Detect(background, texts, 0.5); return err }
		for name, c := range map[string]*engine.Core{"hidden": one(tasktable.Hidden, engine.PerToken, 2, false),
			"vector": one(tasktable.Vector, engine.PerSequence, 2, true)} {
			embedder, err := NewEmbedder(c, "")
			require.NoError(t, err)
			calls["Embed, "+name] = func() error { _, err := embedder.Embed(background, texts, EmbedOptions{}); return err }
			calls["Embed, normalized, "+name] = func() error {
				_, err := embedder.Embed(background, texts, EmbedOptions{Normalize: true})
				return err
			}
		}
		chooser, err := NewChooser(one(tasktable.Choices, engine.PerSequence, 1, true), "")
		require.NoError(t, err)
		calls["Choose"] = func() error {
			_, err := chooser.Choose(background, []ChoiceQuestion{{Question: "paris", Options: []string{"is"}}})
			return err
		}
		scored := one(tasktable.Score, engine.PerSequence, 1, true)
		scorer, err := NewScorer(scored, "")
		require.NoError(t, err)
		calls["Score"] = func() error { _, err := scorer.Score(background, texts); return err }
		ranker, err := NewRanker(scored, "")
		require.NoError(t, err)
		calls["Rank"] = func() error { _, err := ranker.Rank(background, "paris", texts, RankOptions{}); return err }
		classifier, err := engine.NewClassifier(one(tasktable.Labels, engine.PerSequence, 2, true), "")
		require.NoError(t, err)
		calls["Classify"] = func() error { _, err := classifier.Classify(background, texts); return err }
		predictingCalls(t, bad, calls)
		for name, call := range calls {
			err := call()
			require.ErrorIs(t, err, runtime.ErrNoNumbers, "%s: %v", name, bad)
			require.NotErrorIs(t, err, runtime.ErrInput, "%s: the text is not the cause", name)
			require.ErrorContains(t, err, "outputs are not numbers (NaN or Inf): the weights may be damaged", name)
			var text *runtime.TextError
			require.ErrorAs(t, err, &text, name)
		}
	}
}

// predictingCalls adds calls of heads that predict tokens, and of one that scores words, whose outputs are all bad.
func predictingCalls(t *testing.T, bad float64, calls map[string]func() error) {
	texts := []string{"paris is"}
	notNumbers := func([]int32, int, int, int) float64 { return bad }
	masked := predicts(engine.PerRow, false, false, notNumbers).open(t, runtime.SkipSelfTest())
	filler, err := NewFiller(masked, "")
	require.NoError(t, err)
	calls["Fill"] = func() error { _, err := filler.Fill(background, []string{"[MASK]"}, FillOptions{}); return err }
	perplexer, err := NewPerplexer(masked, "")
	require.NoError(t, err)
	calls["Measure"] = func() error { _, err := perplexer.Measure(background, texts); return err }
	generator, err := NewGenerator(predicts(engine.PerRow, true, false, notNumbers).open(t, runtime.SkipSelfTest()), "")
	require.NoError(t, err)
	calls["Generate"] = func() error {
		_, err := generator.Generate(background, []runtime.Text{{First: "paris"}}, GenerateOptions{MaxNew: 1})
		return err
	}
	x := extractor(t, 2)
	forward := fake{
		heads: []engine.Head{*x.Head}, limits: func(l *engine.Limits) { l.Types, l.Words, l.Marks = 0, true, true }, token: wordPieces{},
		forward: func(x *engine.Exec) {
			for i := range x.Out {
				x.Out[i] = float32(bad)
			}
		},
	}
	extract, err := NewExtractor(forward.open(t, runtime.SkipSelfTest()), "")
	require.NoError(t, err)
	calls["Entities"] = func() error {
		_, err := extract.Entities(background, texts, []string{"a"}, EntityOptions{})
		return err
	}
}
