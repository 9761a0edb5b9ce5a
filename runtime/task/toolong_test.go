package task

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// lengthCase is a call whose error is caused by the length of what the caller gave.
type lengthCase struct {
	call func() error
	want string
	text int // number of the text at fault; -1: the fault is not in one of the texts of the call
}

// TestTooLong checks, for each task, that every error caused by a length wraps ErrTooLong and ErrInput and names what is too long.
func TestTooLong(t *testing.T) {
	for name, c := range tooLongCases(t) {
		err := c.call()
		require.ErrorIs(t, err, runtime.ErrTooLong, name)
		require.ErrorIs(t, err, runtime.ErrInput, name)
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), " 0 ", name)
		var text *runtime.TextError
		if require.Equal(t, c.text >= 0, errors.As(err, &text), "%s: %v", name, err); text != nil {
			require.Equal(t, c.text, text.Text, name)
		}
	}
}

func tooLongCases(t *testing.T) map[string]lengthCase {
	long := strings.TrimSpace(strings.Repeat("one two ", 6)) // 12 tokens
	policies := map[string]runtime.LongPolicy{"Reject": runtime.Reject, "Truncate": runtime.Truncate, "Windows": runtime.Windows(1)}
	cases := map[string]lengthCase{}
	for policy, p := range policies {
		options := []runtime.Option{runtime.Long(p), runtime.MaxTokens(10)}
		g := newGenerator(t, engine.PerRow, false, favourAlways(t, "b"), options...)
		cases["Generate, "+policy] = lengthCase{func() error {
			_, err := g.Generate(background, []runtime.Text{{First: "a"}, {First: long}}, GenerateOptions{})
			return err
		}, "a prompt of 13 tokens is too long, the limit is 10", 1}
		a := newAnswerer(t, spanHead(func([]int32, int, int) float64 { return 0 }), options...)
		cases["Answer, "+policy] = lengthCase{func() error {
			_, err := a.Answer(background, []Question{{"a", "b"}, {long, "a b"}}, AnswerOptions{})
			return err
		}, "12 tokens of the question and 3 special tokens leave no room for the context, the limit is 10", 1}
		z, err := NewZeroShot(nli(nliLabels, nliLogit).open(t, options...), "", NLIOptions{})
		require.NoError(t, err)
		cases["Entail, "+policy] = lengthCase{func() error {
			_, err := z.Classify(background, []string{"a", "b"}, []string{"one", long}, ZeroShotOptions{Template: "{}"})
			return err
		}, `label "` + long + `": 12 tokens of the hypothesis and 3 special tokens leave no room for the text`, -1}
		r, err := NewRanker(relevance(engine.Head{Name: "score", Task: tasktable.Score, C: 1}, nliLogit).open(t, options...), "")
		require.NoError(t, err)
		cases["Rank, "+policy] = lengthCase{func() error {
			_, err := r.Rank(background, long, []string{"a", "b"}, RankOptions{})
			return err
		}, "12 tokens of the query and 3 special tokens leave no room for the document", -1}
		m := newPerplexer(t, engine.PerRow, false, false, options...)
		cases["PerplexityPairs, "+policy] = lengthCase{func() error {
			_, err := m.MeasurePairs(background, [][2]string{{"a", "b"}, {long, "a"}})
			return err
		}, "12 tokens of the first text and 3 special tokens leave no room for the second text", 1}
		x := extractor(t, 2, options...)
		for what, labels := range map[string][]string{"a long label": {strings.Repeat("a", 40)}, "many labels": strings.Fields("a b c d e f g h")} {
			cases["Entities, "+what+", "+policy] = lengthCase{func() error {
				_, err := x.Entities(background, []string{"a"}, labels, EntityOptions{})
				return err
			}, "the limit of a sequence with its text is 10", -1}
		}
		if p != runtime.Reject {
			cases["Entities, a wide word, "+policy] = lengthCase{func() error {
				_, err := x.Entities(background, []string{"a", strings.Repeat("a", 200)}, []string{"a"}, EntityOptions{})
				return err
			}, "its first word has 67 tokens", 1}
		}
	}
	windowed := []runtime.Option{runtime.Long(runtime.Windows(2)), runtime.MaxTokens(12)}
	r, err := NewRanker(relevance(engine.Head{Name: "score", Task: tasktable.Score, C: 1}, nliLogit).open(t, windowed...), "")
	require.NoError(t, err)
	cases["Rank, windows that cannot overlap"] = lengthCase{func() error {
		_, err := r.Rank(background, "one two one two one two one", []string{"a", "one two three"}, RankOptions{})
		return err
	}, "windows of 2 tokens beside 7 tokens of the query cannot overlap by 2: choose a smaller stride, or shorten the query", -1}
	f := newFiller(t, engine.PerRow, runtime.MaxTokens(6), runtime.Long(runtime.Truncate))
	cases["Fill, a mask that is cut off"] = lengthCase{func() error {
		_, err := f.Fill(background, []string{"a [MASK]", "[MASK] one two three a [MASK]"}, FillOptions{})
		return err
	}, "mask 2 of 2 lies after what the model sees", 1}
	return cases
}
