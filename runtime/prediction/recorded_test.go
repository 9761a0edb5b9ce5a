package prediction_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/prediction"
)

// recorded has the predictions of runtime/metrics/testdata that are lines of a task, with what other libraries compute for them.
type recorded struct {
	Classes []struct {
		Gold, Predicted       []int
		Accuracy, MCC         float64
		F1Macro               float64 `json:"f1_macro"`
		F1Micro               float64 `json:"f1_micro"`
		Precision, Recall, F1 []float64
		Confusion             [][]int
	}
	Several []struct {
		Gold, Predicted [][]int
		Accuracy        float64
		F1Macro         float64 `json:"f1_macro"`
		F1Micro         float64 `json:"f1_micro"`
		PrecisionMicro  float64 `json:"precision_micro"`
		RecallMicro     float64 `json:"recall_micro"`
	}
	Numbers []struct {
		X, Y              []float64
		Pearson, Spearman *float64
	}
	Tags []struct {
		Gold, Predicted [][]string
		Micro, Macro    [3]float64
		Accuracy        float64
	}
	Answers struct {
		Sets []struct {
			Questions []json.RawMessage
			V1        *struct {
				Exact float64 `json:"exact_match"`
				F1    float64
			}
			V2 map[string]float64
		}
	}
	Groups []struct {
		Group, Gold, Predicted []int
		Exact                  float64
		F1m                    float64 `json:"f1_m"`
		F1a                    float64 `json:"f1_a"`
	}
}

// lines returns lines of JSON.
func lines(t *testing.T, n int, line func(i int) map[string]any) []string {
	t.Helper()
	var list []string
	for i := range n {
		text, err := json.Marshal(line(i))
		require.NoError(t, err)
		list = append(list, string(text))
	}
	return list
}

// near checks metrics by their names, to 1e-9.
func near(t *testing.T, r *prediction.Report, want map[string]float64) {
	t.Helper()
	for name, x := range want {
		got, ok := r.Get(name)
		require.True(t, ok, name)
		require.InDelta(t, x, got, 1e-9, name)
	}
}

// TestRecordedPredictions scores recorded predictions as lines, and compares the metrics with those of other libraries.
func TestRecordedPredictions(t *testing.T) {
	text, err := os.ReadFile("../metrics/testdata/recorded.json")
	require.NoError(t, err)
	r := &recorded{}
	require.NoError(t, json.Unmarshal(text, r))
	for _, c := range r.Classes {
		got, err := score(t, "labels", prediction.Options{}, lines(t, len(c.Gold), func(i int) map[string]any {
			return map[string]any{"label": c.Predicted[i], "gold": c.Gold[i]}
		})...)
		require.NoError(t, err)
		near(t, got, map[string]float64{"accuracy": c.Accuracy, "mcc": c.MCC, "f1_macro": c.F1Macro, "f1_micro": c.F1Micro})
		if len(c.Confusion) == 2 { // the class 1 is the positive one, even where it is absent
			near(t, got, map[string]float64{"f1": c.F1[1], "precision": c.Precision[1], "recall": c.Recall[1]})
		}
	}
	for _, c := range r.Several {
		got, err := score(t, "labels", prediction.Options{}, lines(t, len(c.Gold), func(i int) map[string]any {
			return map[string]any{"label": c.Predicted[i], "gold": c.Gold[i]}
		})...)
		require.NoError(t, err)
		near(t, got, map[string]float64{"accuracy": c.Accuracy, "f1_macro": c.F1Macro, "f1_micro": c.F1Micro, "f1": c.F1Micro, "precision": c.PrecisionMicro,
			"recall": c.RecallMicro})
	}
	for _, c := range r.Numbers {
		got, err := score(t, "score", prediction.Options{}, lines(t, len(c.X), func(i int) map[string]any {
			return map[string]any{"score": c.X[i], "gold": c.Y[i]}
		})...)
		require.NoError(t, err)
		for name, want := range map[string]*float64{"pearson": c.Pearson, "spearman": c.Spearman} {
			if x, ok := got.Get(name); want == nil {
				require.False(t, ok, name)
			} else {
				require.InDelta(t, *want, x, 1e-9, name)
			}
		}
	}
	for _, c := range r.Tags {
		got, err := score(t, "entities", prediction.Options{}, lines(t, len(c.Gold), func(i int) map[string]any {
			return map[string]any{"label": c.Predicted[i], "gold": c.Gold[i]}
		})...)
		require.NoError(t, err)
		near(t, got, map[string]float64{"precision": c.Micro[0], "recall": c.Micro[1], "f1": c.Micro[2], "f1_macro": c.Macro[2], "accuracy": c.Accuracy})
	}
	for _, c := range r.Groups {
		got, err := score(t, "multirc", prediction.Options{}, lines(t, len(c.Gold), func(i int) map[string]any {
			return map[string]any{"label": c.Predicted[i], "gold": c.Gold[i], "group": strings.Repeat("q", 1+c.Group[i])}
		})...)
		require.NoError(t, err)
		near(t, got, map[string]float64{"f1": c.F1a, "exact": c.Exact, "f1_questions": c.F1m})
	}
	for _, c := range r.Answers.Sets {
		var list []string
		for _, q := range c.Questions {
			list = append(list, string(q))
		}
		got, err := score(t, "squad_v2", prediction.Options{}, list...)
		require.NoError(t, err)
		want := map[string]float64{}
		for theirs, ours := range map[string]string{"exact": "exact", "f1": "f1", "HasAns_exact": "has_answer_exact", "HasAns_f1": "has_answer_f1",
			"NoAns_exact": "no_answer_exact", "NoAns_f1": "no_answer_f1", "best_exact": "best_exact", "best_exact_thresh": "best_exact_thresh",
			"best_f1": "best_f1", "best_f1_thresh": "best_f1_thresh"} {
			if x, ok := c.V2[theirs]; ok {
				want[ours] = x
			}
		}
		near(t, got, want)
		if c.V1 != nil { // every question has an answer
			got, err = score(t, "span", prediction.Options{}, list...)
			require.NoError(t, err)
			near(t, got, map[string]float64{"exact": c.V1.Exact, "f1": c.V1.F1})
		}
	}
}
