package task

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

func spanHead(f func(ids []int32, row, side int) float64) fake {
	return fake{
		heads:   []engine.Head{{Name: "qa", Task: tasktable.Span, Rows: engine.PerToken, C: 2}},
		forward: perRow(2, f),
	}
}

func newAnswerer(t *testing.T, f fake, opts ...runtime.Option) *Answerer {
	a, err := NewAnswerer(f.open(t, opts...), "")
	require.NoError(t, err)
	return a
}

// TestAnswersAreBruteForce compares the best answers with a search of every span of every window,
// whose scores are computed from their definition.
func TestAnswersAreBruteForce(t *testing.T) {
	answersAreBruteForce(t, func(ids []int32, row, side int) float64 { return 6 * noise(int(ids[row]), row, len(ids), side) },
		[]AnswerRank{RankScore, RankLogit})
}

// TestEqualAnswers does the same with logits from a small grid, so that many answers are equal and the null answer is often exactly at the threshold. Answers
// are ranked by the sums of logits, because only these are exact.
func TestEqualAnswers(t *testing.T) {
	answersAreBruteForce(t, func(ids []int32, row, side int) float64 { return math.Round(noise(int(ids[row]), row, len(ids), side)) }, []AnswerRank{RankLogit})
}

func answersAreBruteForce(t *testing.T, logit func(ids []int32, row, side int) float64, ranks []AnswerRank) {
	models := map[int]*Answerer{-1: newAnswerer(t, spanHead(logit))}
	for _, stride := range []int{0, 2, 4} {
		models[stride] = newAnswerer(t, spanHead(logit), runtime.Long(runtime.Windows(stride)), runtime.MaxTokens(13), runtime.BatchTokens(30))
	}
	rapid.Check(t, func(t *rapid.T) {
		stride := rapid.SampledFrom([]int{-1, 0, 2, 4}).Draw(t, "stride")
		q := Question{"who is it", rapid.StringMatching(`([abé]{1,7}[ \n]{1,2}){0,12}[ab]*`).Draw(t, "context")}
		o := AnswerOptions{Best: rapid.IntRange(1, 6).Draw(t, "best"), MaxTokens: rapid.IntRange(1, 5).Draw(t, "most"),
			Rank: rapid.SampledFrom(ranks).Draw(t, "rank"), WholeWords: rapid.Bool().Draw(t, "words"), NoAnswer: true,
			Threshold: float64(rapid.IntRange(-2, 2).Draw(t, "threshold"))}
		got, err := models[stride].Answer(background, []Question{{"x", "y z"}, q}, o)
		require.NoError(t, err)
		first, second := spansOf(t, q.Question), spansOf(t, q.Context)
		width := len(second)
		if stride >= 0 {
			width = min(width, 13-3-len(first))
		}
		byPlace := map[[2]int]Answer{}
		nullLogit, nullScore := math.Inf(1), math.Inf(1)
		windows := 0
		for from := 0; ; from += width - stride {
			to := min(from+width, len(second))
			windows++
			ids := []int32{fakeCLS}
			for _, s := range first {
				ids = append(ids, s.ID)
			}
			ids = append(ids, fakeSEP)
			row := len(ids)
			for _, s := range second[from:to] {
				ids = append(ids, s.ID)
			}
			ids = append(ids, fakeSEP)
			z := func(row, side int) float64 { return float64(float32(logit(ids, row, side))) }
			sums := [2]float64{}
			for side := range sums {
				sums[side] = math.Exp(z(0, side))
				for r := row; r < len(ids)-1; r++ {
					sums[side] += math.Exp(z(r, side))
				}
			}
			nullLogit = min(nullLogit, z(0, 0)+z(0, 1))
			nullScore = min(nullScore, math.Exp(z(0, 0)+z(0, 1))/sums[0]/sums[1])
			bruteForce(byPlace, &o, q.Context, second, from, to, func(s, e int) (logit, score float64) {
				logit = z(row+s-from, 0) + z(row+e-from, 1)
				return logit, math.Exp(logit) / sums[0] / sums[1]
			})
			if to == len(second) {
				break
			}
		}
		var want []Answer
		for _, a := range byPlace {
			want = append(want, a)
		}
		slices.SortFunc(want, func(x, y Answer) int { // the better one first; ties: the one that begins earlier, then the shorter one
			better := cmp.Compare(y.Score, x.Score)
			if o.Rank == RankLogit {
				better = cmp.Compare(y.Logit, x.Logit)
			}
			return cmp.Or(better, cmp.Compare(x.Start, y.Start), cmp.Compare(x.End, y.End))
		})
		want = want[:min(o.Best, len(want))]
		r := got[1]
		require.Equal(t, runtime.Seen{Tokens: 3 + len(first) + len(second), Windows: windows}, r.Seen)
		require.InDelta(t, nullLogit, r.NullLogit, 1e-9)
		require.InDelta(t, nullScore, r.NullScore, 1e-9)
		require.Len(t, r.Answers, len(want))
		equalAnswers(t, q.Context, &o, nullLogit, want, &r)
	})
}

// equalAnswers holds a result to the answers that are wanted, and to the logit of no answer.
func equalAnswers(t require.TestingT, context string, o *AnswerOptions, nullLogit float64, want []Answer, r *Answered) {
	top, sum := math.Inf(-1), math.Exp(nullLogit)
	for _, w := range want {
		top = max(top, w.Logit)
		sum += math.Exp(w.Logit)
	}
	for i, w := range want {
		a := r.Answers[i]
		checkPart(t, context, a.Part)
		require.Equal(t, []any{w.Text, w.Start, w.End}, []any{a.Text, a.Start, a.End}, "answer %d", i)
		require.InDelta(t, w.Score, a.Score, 1e-9)
		require.InDelta(t, w.Logit, a.Logit, 1e-9)
		require.InDelta(t, math.Exp(w.Logit)/sum, a.Probability, 1e-9)
	}
	if len(want) == 0 {
		require.True(t, r.NoAnswer)
		return
	}
	require.InDelta(t, nullLogit-top, r.NullDifference, 1e-9)
	require.Equal(t, nullLogit-top > o.Threshold, r.NoAnswer, "no answer wins above the threshold, not at it")
}

// bruteForce keeps the best answer of each place among all spans of the tokens [from, to) of a context.
func bruteForce(byPlace map[[2]int]Answer, o *AnswerOptions, context string, second []tokenizer.Span, from, to int,
	value func(s, e int) (logit, score float64)) {
	for s := from; s < to; s++ {
		for e := s; e < to && e-s+1 <= o.MaxTokens; e++ {
			a := Answer{}
			a.Logit, a.Score = value(s, e)
			lo, hi := s, e
			for o.WholeWords && lo > from && second[lo-1].Word == second[s].Word {
				lo--
			}
			for o.WholeWords && hi+1 < to && second[hi+1].Word == second[e].Word {
				hi++
			}
			text := context[second[lo].Start:second[hi].End]
			a.Text = strings.TrimSpace(text)
			a.Start = int(second[lo].Start) + strings.Index(text, a.Text)
			a.End = a.Start + len(a.Text)
			if a.Text == "" {
				continue
			}
			old, ok := byPlace[[2]int{a.Start, a.End}]
			if !ok || o.Rank == RankScore && a.Score > old.Score || o.Rank == RankLogit && a.Logit > old.Logit {
				byPlace[[2]int{a.Start, a.End}] = a
			}
		}
	}
}

// TestNoAnswer uses thresholds below and above the difference.
func TestNoAnswer(t *testing.T) {
	a := newAnswerer(t, spanHead(func(ids []int32, row, side int) float64 {
		switch ids[row] {
		case fakeCLS:
			return 1.5
		case pieceID("Rom"):
			return 1
		}
		return -3
	}))
	q := []Question{{"Wo ist er", "Er ist in Rom heute"}}
	for _, c := range []struct {
		o    AnswerOptions
		best string
	}{
		{AnswerOptions{}, "Rom"},
		{AnswerOptions{NoAnswer: true}, ""},
		{AnswerOptions{NoAnswer: true, Threshold: 0.99}, ""},
		{AnswerOptions{NoAnswer: true, Threshold: 1.01}, "Rom"},
	} {
		got, err := a.Answer(background, q, c.o)
		require.NoError(t, err)
		require.Equal(t, c.best, got[0].Best())
		require.InDelta(t, 1, got[0].NullDifference, 1e-6)
		require.Equal(t, "Rom", got[0].Answers[0].Text)
	}
	got, err := a.Answer(background, []Question{{"Wo", ""}, {"Wo", " \n "}, {"", "Rom"}}, AnswerOptions{})
	require.NoError(t, err)
	require.Empty(t, got[0].Answers)
	require.True(t, got[0].NoAnswer && got[1].NoAnswer)
	require.Equal(t, "Rom", got[2].Best())
	text, err := json.Marshal(got[0])
	require.NoError(t, err)
	require.Contains(t, string(text), `"answers":[]`)
}

func TestAnswerFaults(t *testing.T) {
	f := spanHead(func([]int32, int, int) float64 { return 0 })
	a := newAnswerer(t, f, runtime.MaxTokens(10), runtime.Long(runtime.Windows(1)))
	long := []Question{{"a", "b"}, {"one two ten six red fox cat", "it is here"}}
	_, err := a.Answer(background, long, AnswerOptions{})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "text 1: 7 tokens of the question and 3 special tokens leave no room for the context")
	long[1].Question = "one two ten six red fox"
	_, err = a.Answer(background, long, AnswerOptions{})
	require.ErrorContains(t, err, "text 1: windows of 1 tokens beside 6 tokens of the question cannot overlap by 1")
	_, err = newAnswerer(t, f, runtime.MaxTokens(10)).Answer(background, long, AnswerOptions{})
	require.ErrorIs(t, err, runtime.ErrTooLong)
	for want, o := range map[string]AnswerOptions{
		"Best is -1": {Best: -1}, "MaxTokens is -2": {MaxTokens: -2}, `rank "x"`: {Rank: "x"}, "Threshold is NaN": {Threshold: math.NaN()},
	} {
		_, err = a.Answer(background, nil, o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	f.heads[0].C, f.heads[0].Task = 3, tasktable.Tags
	_, err = NewAnswerer(f.open(t), "")
	require.ErrorContains(t, err, "is for tags; question answering needs one for span")
}

// TestOneAnswerByDefault asks without options, where several answers could be had.
func TestOneAnswerByDefault(t *testing.T) {
	a := newAnswerer(t, spanHead(func(ids []int32, row, side int) float64 { return noise(int(ids[row]), row, side) }))
	got, err := a.Answer(background, []Question{{"who", "a b c d"}}, AnswerOptions{})
	require.NoError(t, err)
	require.Len(t, got[0].Answers, 1)
}
