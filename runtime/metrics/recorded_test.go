package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/metrics"
)

// tolerance bounds the difference of a metric from its recorded value, which other code has computed in float64 too.
const tolerance = 1e-9

// number is a recorded number; null stands for NaN.
type number float64

func (n *number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

// recorded is testdata/recorded.json, which recording.py has written.
type recorded struct {
	Classes []struct {
		Classes               int
		Gold, Predicted       []int
		Accuracy, MCC         number
		F1Macro               number `json:"f1_macro"`
		F1Micro               number `json:"f1_micro"`
		PrecisionMacro        number `json:"precision_macro"`
		RecallMacro           number `json:"recall_macro"`
		Precision, Recall, F1 []number
		Confusion             [][]int
	}
	Several []struct {
		Classes         int
		Gold, Predicted [][]int
		Accuracy        number
		PrecisionMacro  number `json:"precision_macro"`
		RecallMacro     number `json:"recall_macro"`
		F1Macro         number `json:"f1_macro"`
		PrecisionMicro  number `json:"precision_micro"`
		RecallMicro     number `json:"recall_micro"`
		F1Micro         number `json:"f1_micro"`
	}
	Numbers []struct {
		X, Y, Ranks       []float64
		Pearson, Spearman number
		Error             number `json:"mean_squared_error"`
	}
	Calibration []struct {
		Confidence []float64
		Right      []bool
		ECE        number
	}
	Rankings []struct {
		Scores, Relevance []float64
		NDCG              map[string]number
		MRR, Pairs        *number
	}
	Tags []struct {
		Gold, Predicted [][]string
		Spans           [][]span
		Micro, Macro    [3]number
		Accuracy        number
	}
	Spans []struct {
		Gold, Predicted [][]span
		Micro           [3]number
	}
	Answers struct {
		Pairs []struct {
			Gold, Answer string
			Exact, F1    number
			ExactV2      number `json:"exact_v2"`
			F1V2         number `json:"f1_v2"`
		}
		Normal [][2]string
		Sets   []struct {
			Questions []struct {
				Answers  []string
				Answer   string
				NoAnswer float64 `json:"no_answer"`
			}
			V1, Record *struct {
				Exact number `json:"exact_match"`
				F1    number
			}
			V2 map[string]number
		}
	}
	Groups []struct {
		Groups                 int
		Group, Gold, Predicted []int
		Exact                  number
		F1m                    number `json:"f1_m"`
		F1a                    number `json:"f1_a"`
	}
	Seeds []struct {
		X, Y            []float64
		Mean, Deviation number
		Welch           [3]number
		Paired          *[3]number
	}
	Bootstrap struct {
		X, Values        []float64
		Low, High, Error float64
		Quantiles        [][2]float64
	}
}

// span is a recorded entity: [label, start, end].
type span metrics.Span

func (s *span) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[3]any{&s.Label, &s.Start, &s.End})
}

func read(t *testing.T) *recorded {
	t.Helper()
	text, err := os.ReadFile("testdata/recorded.json")
	require.NoError(t, err)
	r := &recorded{}
	require.NoError(t, json.Unmarshal(text, r))
	return r
}

// equal checks that a metric has its recorded value, relative to numbers above 1.
func equal(t *testing.T, want number, got float64, what ...any) {
	t.Helper()
	if math.IsNaN(float64(want)) {
		require.True(t, math.IsNaN(got), append([]any{got}, what...)...)
		return
	}
	require.InDelta(t, float64(want), got, tolerance*max(1, math.Abs(float64(want))), what...)
}

func TestClasses(t *testing.T) {
	cases := read(t).Classes
	require.NotEmpty(t, cases)
	for i, r := range cases {
		c := metrics.NewClasses(r.Classes)
		c.Add(r.Gold[0], r.Predicted[0])
		c.Clear()
		for k, g := range r.Gold {
			c.Add(g, r.Predicted[k])
		}
		equal(t, r.Accuracy, c.Accuracy(), i)
		equal(t, r.MCC, c.MCC(), i)
		equal(t, r.F1Micro, c.Micro().F1, i)
		equal(t, r.Accuracy, c.Micro().Precision, i)
		macro := c.Macro()
		equal(t, r.F1Macro, macro.F1, i)
		equal(t, r.PrecisionMacro, macro.Precision, i)
		equal(t, r.RecallMacro, macro.Recall, i)
		for k := range r.Classes {
			s := c.Of(k)
			equal(t, r.Precision[k], s.Precision, i, k)
			equal(t, r.Recall[k], s.Recall, i, k)
			equal(t, r.F1[k], s.F1, i, k)
		}
		require.Equal(t, r.Confusion, metrics.Confusion(r.Classes, r.Gold, r.Predicted))
	}
	require.True(t, math.IsNaN(metrics.NewClasses(2).Accuracy()))
	require.Zero(t, metrics.NewClasses(2).MCC())
}

func TestSeveralClasses(t *testing.T) {
	cases := read(t).Several
	require.NotEmpty(t, cases)
	for i, r := range cases {
		c, same := metrics.NewClasses(r.Classes), 0
		for k := range r.Gold {
			c.AddSets(r.Gold[k], r.Predicted[k])
			if slices.Equal(r.Gold[k], r.Predicted[k]) {
				same++
			}
		}
		equal(t, r.Accuracy, float64(same)/float64(len(r.Gold)), i)
		micro, macro := c.Micro(), c.Macro()
		equal(t, r.PrecisionMicro, micro.Precision, i)
		equal(t, r.RecallMicro, micro.Recall, i)
		equal(t, r.F1Micro, micro.F1, i)
		equal(t, r.PrecisionMacro, macro.Precision, i)
		equal(t, r.RecallMacro, macro.Recall, i)
		equal(t, r.F1Macro, macro.F1, i)
	}
}

func TestNumbers(t *testing.T) {
	cases := read(t).Numbers
	require.NotEmpty(t, cases)
	for i, r := range cases {
		equal(t, r.Pearson, metrics.Pearson(r.X, r.Y), i)
		equal(t, r.Spearman, metrics.Spearman(r.X, r.Y), i)
		equal(t, r.Error, metrics.MeanSquaredError(r.X, r.Y), i)
		require.Equal(t, r.Ranks, metrics.Ranks(r.X))
		order := metrics.NewOrder(r.X)
		for k := range 3 {
			var sample []int
			var x []float64
			for j := range r.X {
				sample = append(sample, (j*(k+1)+k)%len(r.X)) // for k above 0 some more than once
				x = append(x, r.X[sample[j]])
			}
			require.Equal(t, metrics.Ranks(x), order.Ranks(sample, nil))
		}
	}
	require.InDelta(t, 4, metrics.Perplexity(-10*math.Log(4), 10), 1e-12)
	require.True(t, math.IsNaN(metrics.Perplexity(0, 0)))
	require.Len(t, metrics.Ranks([]float64{math.NaN(), 1}), 2)
}

func TestCalibrationError(t *testing.T) {
	cases := read(t).Calibration
	require.NotEmpty(t, cases)
	for i, r := range cases {
		equal(t, r.ECE, metrics.CalibrationError(r.Confidence, r.Right, metrics.CalibrationBins), i)
	}
	require.Equal(t, 1.0, metrics.CalibrationError([]float64{0}, []bool{true}, 15))
}

func TestRankings(t *testing.T) {
	cases := read(t).Rankings
	require.NotEmpty(t, cases)
	for i, r := range cases {
		for name, want := range r.NDCG {
			k, err := strconv.Atoi(name)
			require.NoError(t, err)
			equal(t, want, metrics.NDCG(r.Scores, r.Relevance, k), i, k)
		}
		relevant := make([]bool, len(r.Scores))
		for k, x := range r.Relevance {
			relevant[k] = x > 0
		}
		if r.MRR != nil {
			equal(t, *r.MRR, metrics.ReciprocalRank(r.Scores, relevant), i)
		}
		right, pairs := metrics.PairAccuracy(r.Scores, r.Relevance)
		if r.Pairs != nil {
			equal(t, *r.Pairs, right/pairs, i)
		}
	}
	require.Zero(t, metrics.ReciprocalRank([]float64{1}, []bool{false}))
	require.Equal(t, 0.5, metrics.ReciprocalRank([]float64{1, 3, 2}, []bool{true, false, true}))
	require.Equal(t, 1.0, metrics.ReciprocalRank([]float64{1, 2, 3}, []bool{true, false, true}), "the best of several")
}

// share checks precision, recall and F1.
func share(t *testing.T, want [3]number, got metrics.Share, what ...any) {
	t.Helper()
	equal(t, want[0], got.Precision, what...)
	equal(t, want[1], got.Recall, what...)
	equal(t, want[2], got.F1, what...)
}

// numberer returns a function that numbers labels as they come.
func numberer() func(string) int {
	numbers := map[string]int{}
	return func(label string) int {
		n, ok := numbers[label]
		if !ok {
			n = len(numbers)
			numbers[label] = n
		}
		return n
	}
}

func TestTags(t *testing.T) {
	cases := read(t).Tags
	require.NotEmpty(t, cases)
	for i, r := range cases {
		c, class := metrics.NewClasses(40), numberer()
		for k := range r.Gold {
			gold, predicted := metrics.TagSpans(r.Gold[k]), metrics.TagSpans(r.Predicted[k])
			require.Len(t, predicted, len(r.Spans[k]), fmt.Sprint(i, r.Predicted[k]))
			for j, s := range predicted {
				require.Equal(t, metrics.Span(r.Spans[k][j]), s, fmt.Sprint(i, r.Predicted[k]))
			}
			c.Matched(gold, predicted, class)
		}
		share(t, r.Micro, c.Micro(), i)
		share(t, r.Macro, c.Macro(), i)
	}
	require.Empty(t, metrics.TagSpans(nil))
	require.Empty(t, metrics.TagSpans([]string{"", "O"}))
}

func TestSpans(t *testing.T) {
	cases := read(t).Spans
	require.NotEmpty(t, cases)
	for i, r := range cases {
		c, class := metrics.NewClasses(10), numberer()
		for k := range r.Gold {
			var gold, predicted []metrics.Span
			for _, s := range r.Gold[k] {
				gold = append(gold, metrics.Span(s))
			}
			for _, s := range r.Predicted[k] {
				predicted = append(predicted, metrics.Span(s))
			}
			c.Matched(gold, predicted, class)
		}
		share(t, r.Micro, c.Micro(), i)
	}
}

func TestAnswers(t *testing.T) {
	r := read(t).Answers
	require.NotEmpty(t, r.Pairs)
	for _, n := range r.Normal {
		require.Equal(t, n[1], metrics.NormalizeAnswer(n[0]), "%q", n[0])
	}
	for _, p := range r.Pairs {
		exact, f1 := metrics.BestAnswer([]string{p.Gold}, p.Answer)
		equal(t, p.Exact, exact, p.Gold, p.Answer)
		equal(t, p.F1, f1, p.Gold, p.Answer)
		if metrics.NormalizeAnswer(p.Gold) == "" {
			continue // such an answer does not count
		}
		exact, f1 = metrics.BestAnswerV2([]string{p.Gold}, p.Answer)
		equal(t, p.ExactV2, exact, p.Gold, p.Answer)
		equal(t, p.F1V2, f1, p.Gold, p.Answer)
	}
}

func TestSetsOfQuestions(t *testing.T) {
	sets := read(t).Answers.Sets
	require.Len(t, sets, 3)
	for i, s := range sets {
		var v1, v2, has, no [2]float64
		var hasN, noN float64
		var byExact, byF1 []metrics.Asked
		for _, q := range s.Questions {
			exact, f1 := metrics.BestAnswerV2(q.Answers, q.Answer)
			v2[0], v2[1] = v2[0]+exact, v2[1]+f1
			if len(q.Answers) > 0 {
				has[0], has[1], hasN = has[0]+exact, has[1]+f1, hasN+1
				exact, f1 := metrics.BestAnswer(q.Answers, q.Answer)
				v1[0], v1[1] = v1[0]+exact, v1[1]+f1
			} else {
				no[0], no[1], noN = no[0]+exact, no[1]+f1, noN+1
			}
			byExact = append(byExact, metrics.Asked{Answerable: len(q.Answers) > 0, Answered: q.Answer != "", Score: exact, NoAnswer: q.NoAnswer})
			byF1 = append(byF1, metrics.Asked{Answerable: len(q.Answers) > 0, Answered: q.Answer != "", Score: f1, NoAnswer: q.NoAnswer})
		}
		n := float64(len(s.Questions))
		equal(t, s.V2["exact"], 100*v2[0]/n, i)
		equal(t, s.V2["f1"], 100*v2[1]/n, i)
		if s.V1 != nil {
			equal(t, s.V1.Exact, 100*v1[0]/n, i)
			equal(t, s.V1.F1, 100*v1[1]/n, i)
			equal(t, s.Record.Exact, v1[0]/n, i)
			equal(t, s.Record.F1, v1[1]/n, i)
		}
		if hasN > 0 {
			equal(t, s.V2["HasAns_exact"], 100*has[0]/hasN, i)
			equal(t, s.V2["HasAns_f1"], 100*has[1]/hasN, i)
		}
		if noN > 0 {
			equal(t, s.V2["NoAns_exact"], 100*no[0]/noN, i)
			equal(t, s.V2["NoAns_f1"], 100*no[1]/noN, i)
		}
		sum, threshold := metrics.BestThreshold(byExact)
		equal(t, s.V2["best_exact"], 100*sum/n, i)
		equal(t, s.V2["best_exact_thresh"], threshold, i)
		sum, threshold = metrics.BestThreshold(byF1)
		equal(t, s.V2["best_f1"], 100*sum/n, i)
		equal(t, s.V2["best_f1_thresh"], threshold, i)
	}
}

func TestGroups(t *testing.T) {
	cases := read(t).Groups
	require.NotEmpty(t, cases)
	for i, r := range cases {
		exact, f1 := metrics.Groups(r.Groups, 2, r.Group, r.Gold, r.Predicted)
		equal(t, r.Exact, exact, i)
		equal(t, r.F1m, f1, i)
		c := metrics.NewClasses(2)
		for k, g := range r.Gold {
			c.Add(g, r.Predicted[k])
		}
		equal(t, r.F1a, c.Of(1).F1, i)
	}
}

func TestSeeds(t *testing.T) {
	cases := read(t).Seeds
	require.NotEmpty(t, cases)
	for i, r := range cases {
		equal(t, r.Mean, metrics.Mean(r.X), i)
		equal(t, r.Deviation, metrics.Deviation(r.X), i)
		w := metrics.Welch(r.X, r.Y)
		equal(t, r.Welch[0], w.T, i)
		equal(t, r.Welch[1], w.Freedom, i)
		equal(t, r.Welch[2], w.P, i)
		if r.Paired != nil {
			p := metrics.Paired(r.X, r.Y)
			equal(t, r.Paired[0], p.T, i)
			equal(t, r.Paired[1], p.Freedom, i)
			equal(t, r.Paired[2], p.P, i)
		}
	}
	require.True(t, math.IsNaN(metrics.Welch([]float64{1, 1}, []float64{2, 2}).P), "nothing varies")
	require.True(t, math.IsNaN(metrics.Paired([]float64{1}, []float64{2}).T))
	require.True(t, math.IsNaN(metrics.Mean(nil)))
}

func TestBootstrap(t *testing.T) {
	b := read(t).Bootstrap
	for _, q := range b.Quantiles {
		require.InDelta(t, q[1], metrics.Quantile(b.Values, q[0]), tolerance)
	}
	require.True(t, math.IsNaN(metrics.Quantile(nil, 0.5)))
	mean := func(sample []int, out []float64) {
		for _, i := range sample {
			out[0] += b.X[i] / float64(len(sample))
		}
		out[1], out[2] = math.NaN(), 7
	}
	draw := func(seed uint64) []metrics.Interval {
		return metrics.Bootstrap(len(b.X), 3, metrics.Resampling{Times: 5000, Level: 0.95, Seed: seed}, func(sample []int, out []float64) {
			clear(out)
			mean(sample, out)
		})
	}
	got := draw(1)
	require.InDelta(t, b.Low, got[0].Low, 0.1*b.Error)
	require.InDelta(t, b.High, got[0].High, 0.1*b.Error)
	require.True(t, math.IsNaN(got[1].Low) && math.IsNaN(got[1].High))
	require.Equal(t, metrics.Interval{Low: 7, High: 7}, got[2])
	require.Equal(t, got[0], draw(1)[0])
	require.NotEqual(t, got[0], draw(2)[0])
}
