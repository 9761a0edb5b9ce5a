package prediction_test

import (
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/metrics"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/tasktable"
)

// score computes the metrics of lines.
func score(t *testing.T, task string, o prediction.Options, lines ...string) (*prediction.Report, error) {
	t.Helper()
	s, err := prediction.NewScorer(task, o)
	require.NoError(t, err)
	r := prediction.NewReader(strings.NewReader(strings.Join(lines, "\n")))
	for n := 1; ; n++ {
		p, line, err := r.Next()
		if err == io.EOF {
			return s.Report()
		}
		require.Equal(t, n, line)
		if err == nil {
			err = s.Add(p)
		}
		if err != nil {
			return nil, err
		}
	}
}

// values checks metrics by their names.
func values(t *testing.T, r *prediction.Report, want map[string]float64) {
	t.Helper()
	for name, x := range want {
		got, ok := r.Get(name)
		require.True(t, ok, "%s of %v", name, r.Names())
		require.InDelta(t, x, got, 1e-12, name)
	}
}

// TestEveryTask checks that the example of each row is scored under all names of the row, and that no name stands for two tasks.
func TestEveryTask(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range prediction.Tasks {
		require.NotEmpty(t, row.Doc)
		if row.Task != "" { // a task of heads is known by its name and by that of its heads
			require.NotNil(t, tasktable.Of(row.Task))
			require.Equal(t, row.Name, string(row.Task))
			kind, _, _ := strings.Cut(tasktable.Of(row.Task).Kind, " ")
			require.NotNil(t, prediction.Named(kind), kind)
		}
		for _, name := range append([]string{row.Name}, row.Also...) {
			require.False(t, seen[name], name)
			seen[name] = true
			require.Equal(t, row.Name, prediction.Named(name).Name)
			if name == "squad_v2" {
				continue // of other rules
			}
			r, err := score(t, name, prediction.Options{Resamples: 3}, row.Line)
			require.NoError(t, err, name)
			require.Equal(t, 1, r.N)
			require.NotEmpty(t, r.Values)
		}
	}
}

func TestClasses(t *testing.T) {
	r, err := score(t, "labels", prediction.Options{Resamples: 50, Seed: 3},
		`{"label":2,"gold":10,"scores":[0.1,0.9]}`, `{"label":10,"gold":10,"score":0.6}`, `{"label":true,"gold":"true","score":1}`,
		`{"label":"2","gold":2,"score":0.5}`)
	require.NoError(t, err)
	values(t, r, map[string]float64{"accuracy": 0.75, "f1_micro": 0.75, "f1_macro": (2./3 + 2./3 + 1) / 3, "ece": (0.9 + 0.4 + 0.5) / 4})
	require.Equal(t, []string{"10", "2", "true"}, r.Confusion.Labels)
	require.Equal(t, [][]int{{1, 1, 0}, {0, 1, 0}, {0, 0, 1}}, r.Confusion.Counts)
	require.Empty(t, r.Positive, "there are three classes")
	for _, v := range r.Values {
		require.NotNil(t, v.Interval, v.Name)
		require.LessOrEqual(t, v.Interval.Low, v.Interval.High)
	}

	// Of two classes, the second one counts for F1, unless something else is asked for. Of numbers the larger one is the second.
	lines := []string{`{"label":9,"gold":10}`, `{"label":10,"gold":10}`, `{"label":9,"gold":9}`, `{"label":9,"gold":9}`}
	r, err = score(t, "labels", prediction.Options{}, lines...)
	require.NoError(t, err)
	require.Equal(t, "10", r.Positive)
	values(t, r, map[string]float64{"precision": 1, "recall": 0.5, "f1": 2. / 3})
	_, ok := r.Get("ece")
	require.False(t, ok, "there are no probabilities")
	r, err = score(t, "labels", prediction.Options{Positive: "9"}, lines...)
	require.NoError(t, err)
	values(t, r, map[string]float64{"precision": 2. / 3, "recall": 1})
	lines[0] = `{"label":9,"gold":10,"positive":"9"}`
	r, err = score(t, "labels", prediction.Options{}, lines...)
	require.NoError(t, err)
	require.Equal(t, "9", r.Positive)

	// Only one of 0 and 1 is there.
	r, err = score(t, "labels", prediction.Options{}, `{"label":0,"gold":0}`)
	require.NoError(t, err)
	require.Equal(t, "1", r.Positive)
	values(t, r, map[string]float64{"f1": 0, "accuracy": 1, "mcc": 0})
}

func TestGroupsOfAnswers(t *testing.T) {
	lines := []string{`{"label":1,"gold":1,"group":"a"}`, `{"label":0,"gold":1,"group":"b"}`, `{"label":0,"gold":0,"group":"a"}`}
	r, err := score(t, "multirc", prediction.Options{Resamples: 20}, lines...)
	require.NoError(t, err)
	values(t, r, map[string]float64{"f1": 2. / 3, "exact": 0.5, "f1_questions": 0.5})
	require.Equal(t, 3, r.N)
}

func TestChoices(t *testing.T) {
	r, err := score(t, "choices", prediction.Options{}, `{"label":2,"gold":2,"scores":[0.1,0.2,0.7],"answer":"the Nile","answers":["Nile"]}`,
		`{"label":0,"gold":1,"score":0.4,"answer":"Elbe","answers":["Rhine","Elbe river"]}`)
	require.NoError(t, err)
	values(t, r, map[string]float64{"accuracy": 0.5, "exact": 50, "f1": 100 * (1 + 2./3) / 2})
	_, ok := r.Get("f1_macro")
	require.False(t, ok)
	require.Nil(t, r.Confusion)
}

func TestEntities(t *testing.T) {
	// Empty lists do not decide whether there are tags or entities.
	r, err := score(t, "entities", prediction.Options{Resamples: 10}, `{"label":[],"gold":[]}`, `{"label":["B-X"],"gold":["B-X"]}`)
	require.NoError(t, err)
	values(t, r, map[string]float64{"accuracy": 1, "f1": 1})
	r, err = score(t, "tags", prediction.Options{}, `{"label":[],"gold":[]}`, `{"label":[{"label":"a","start":0,"end":2}],"gold":[]}`)
	require.NoError(t, err)
	values(t, r, map[string]float64{"f1": 0, "recall": 0})
	_, ok := r.Get("accuracy")
	require.False(t, ok)
	r, err = score(t, "gliner", prediction.Options{}, `{"label":[],"gold":[]}`)
	require.NoError(t, err)
	values(t, r, map[string]float64{"f1": 0})
}

func TestLists(t *testing.T) {
	lines := []string{`{"scores":[0.3,0.2,0.1],"gold":[0,1,0]}`, `{"label":[0.5,0.1],"gold":[1,0]}`}
	r, err := score(t, "score", prediction.Options{}, lines...)
	require.NoError(t, err)
	values(t, r, map[string]float64{"accuracy": 2. / 3, "top": 0.5, "mrr": 0.75, "ndcg": (1/math.Log2(3) + 1) / 2})
	r, err = score(t, "vector", prediction.Options{}, lines...)
	require.NoError(t, err)
	values(t, r, map[string]float64{"accuracy": 0.5, "mrr": 0.75})

	// Numbers of documents in groups are lists too.
	r, err = score(t, "score", prediction.Options{Resamples: 5}, `{"score":0.3,"gold":0,"group":"q"}`, `{"score":0.2,"gold":1,"group":"q"}`,
		`{"score":0.1,"gold":0,"group":"q"}`, `{"score":0.5,"gold":1,"group":"r"}`, `{"score":0.1,"gold":0,"group":"r"}`)
	require.NoError(t, err)
	values(t, r, map[string]float64{"accuracy": 2. / 3, "top": 0.5, "mrr": 0.75})
	r, err = score(t, "score", prediction.Options{}, `{"scores":[2,1],"gold":[-1,-2]}`)
	require.NoError(t, err)
	require.Equal(t, []string{"accuracy", "top", "mrr"}, r.Names(), "negative relevance has no gain")
	r, err = score(t, "score", prediction.Options{}, `{"label":1,"gold":2}`, `{"label":1,"gold":3}`)
	require.NoError(t, err)
	_, ok := r.Get("pearson")
	require.False(t, ok, "constant numbers have no correlation")
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(text), `{"pearson":null,"spearman":null,"mean_squared_error":2.5,"n":2}`)
}

// TestProposedAnswers checks the measures of ReCoRD: of the answers that are proposed to a question, the one that is most probably right counts.
func TestProposedAnswers(t *testing.T) {
	lines := []string{`{"label":"True","gold":"True","score":0.6,"positive":"True","group":"a","answer":"the Nile","answers":["Nile"]}`,
		`{"label":"True","gold":"False","score":0.9,"positive":"True","group":"a","answer":"Nile river","answers":["Nile"]}`,
		`{"label":"False","gold":"True","score":0.7,"positive":"True","group":"b","answer":"Oslo","answers":["Oslo"]}`,
		`{"label":"False","gold":"False","score":0.8,"positive":"True","group":"b","answer":"Rome","answers":["Oslo"]}`}
	r, err := score(t, "labels", prediction.Options{Resamples: 10}, lines...)
	require.NoError(t, err)
	values(t, r, map[string]float64{"accuracy": 0.5, "exact": 50, "f1": 100 * (2./3 + 1) / 2})
	require.Equal(t, []string{"accuracy", "f1_macro", "f1_micro", "mcc", "exact", "f1", "ece"}, r.Names())
	require.Empty(t, r.Positive)
}

func TestTokens(t *testing.T) {
	r, err := score(t, "mlm", prediction.Options{}, `{"log_probability":-4,"counted":3,"right":2,"loss":4,"terms":3,"truncated":7}`,
		`{"log_probability":-1,"counted":2,"right":1,"loss":1,"terms":2}`)
	require.NoError(t, err)
	values(t, r, map[string]float64{"accuracy": 0.6, "perplexity": math.E, "loss": 1})
	require.Equal(t, 1, r.Truncated)
	r, err = score(t, "generate", prediction.Options{}, `{"label":"a b","gold":"a b"}`, `{"label":"","gold":"x"}`)
	require.NoError(t, err)
	values(t, r, map[string]float64{"exact": 0.5})
	_, ok := r.Get("perplexity")
	require.False(t, ok)
}

// TestBadPredictions checks the messages about lines that a task cannot read.
func TestBadPredictions(t *testing.T) {
	for _, c := range []struct{ task, lines, want string }{
		{"labels", `{"gold":1}`, `"label" must be the class that was predicted`},
		{"labels", `{"label":1}`, `"gold" must be the right class`},
		{"labels", `{"label":{},"gold":{}}`, `"gold" must be the right class`},
		{"labels", `{"label":["a"],"gold":"a"}`, `"label" must be the class`},
		{"labels", `{"label":"a","gold":["a"]}`, `"label" must be the list`},
		{"labels", `{"label":["a"],"gold":["a"]}` + "\n" + `{"label":["a"],"gold":"a"}`, `"gold" must be the list of right classes`},
		{"labels", `{"label":1,"gold":1,"score":-0.1}`, "must be probabilities, from 0 to 1, and there is -0.1"},
		{"multirc", `{"label":1,"gold":1}`, `"group" must be the question`},
		{"tags", `{"label":["O"],"gold":["O","O"]}`, `"gold" has 2 tags and "label" 1`},
		{"tags", `{"label":[""],"gold":["O"]}`, "a tag is empty"},
		{"tags", `{"label":["O"],"gold":"O"}`, `"gold" must be the list of right tags`},
		{"entities", `{"label":[{"label":"x","start":0}],"gold":[]}`, `"label" must be a list of entities`},
		{"entities", `{"label":[{"label":"x","start":0.5,"end":1}],"gold":[]}`, `"label" must be a list of entities`},
		{"entities", `{"label":[{"label":"x","start":0,"end":1}],"gold":[3]}`, `"label" must be the list of tags`},
		{"span", `{"answer":"x"}`, `"answers" must be the list`},
		{"span", `{"answers":[]}`, `"answer" must be the answer`},
		{"span", `{"answer":"x","answers":[3]}`, `"answers" must be a list of texts, and 3 is not a text`},
		{"span", `{"answer":"x","answers":"y"}`, `"answers" must be a list of texts`},
		{"record", `{"answer":"x","answers":[]}`, `"answers" is empty`},
		{"score", `{"score":1}`, `"gold" must be the right number`},
		{"score", `{"gold":1}`, `"score" must be the number`},
		{"score", `{"score":1,"gold":"1"}`, `"gold" must be the right number`},
		{"score", `{"score":1,"gold":1e999}`, `"gold" must be the right number`},
		{"score", `{"scores":[1],"gold":[1,2]}`, `"gold" has 2 numbers, and "scores" has 1`},
		{"score", `{"scores":[1],"gold":[1]}`, "a list of 1 documents has no order"},
		{"mlm", `{"counted":2}`, `"log_probability", a sum over tokens, and "counted"`},
		{"mlm", `{"log_probability":-1,"counted":-2}`, `"counted" must be a number of tokens`},
		{"mlm", `{"log_probability":-1,"counted":2,"gold":"x"}`, `need each other`},
		{"labels", `{"label":"x"} {}`, "line 1: it is not a prediction: there is text after the object"},
		{"labels", "\n", "line 1: it is not a prediction: the line is empty"},
		{"labels", `{"score":"x"}`, "line 1: it is not a prediction: json: cannot unmarshal"},
		{"labels", "", "there are no predictions to score"},
	} {
		_, err := score(t, c.task, prediction.Options{}, c.lines)
		require.ErrorContains(t, err, c.want, c.lines)
	}
	_, err := prediction.NewScorer("rtd", prediction.Options{})
	require.ErrorContains(t, err, `unknown task "rtd": it must be one of labels, tags,`)
	_, err = score(t, "labels", prediction.Options{Positive: "x"}, `{"label":1,"gold":1}`)
	require.ErrorContains(t, err, `no prediction has the class "x"`)
}

// TestReports checks that a report comes back as it was written.
func TestReports(t *testing.T) {
	for _, r := range []*prediction.Report{
		{N: 3, Truncated: 1, CutLabels: 2, Positive: "ü\"", Values: []prediction.Value{
			{Name: "accuracy", Value: 1. / 3, Interval: &metrics.Interval{Low: 0, High: 1}},
			{Name: "loss", Value: 2}}},
		{N: 1, Classes: []prediction.Class{{Label: "a", Share: metrics.Share{Precision: 1, Recall: 0.5, F1: 0.7}, N: 4}},
			Confusion: &prediction.Confusion{Labels: []string{"a", "b"}, Counts: [][]int{{1, 0}, {2, 3}}}},
		{},
	} {
		text, err := json.Marshal(r)
		require.NoError(t, err)
		got := &prediction.Report{}
		require.NoError(t, json.Unmarshal(text, got), string(text))
		require.Equal(t, r, got)
	}
	r := &prediction.Report{}
	require.NoError(t, json.Unmarshal([]byte(`{"pearson":null,"pearson_interval":[null,1]}`), r))
	require.True(t, math.IsNaN(r.Values[0].Value) && math.IsNaN(r.Values[0].Interval.Low))
	require.Empty(t, r.Names())
	for _, bad := range []string{`[]`, `{"n":"x"}`, `{"accuracy":"x"}`, `{"accuracy":1,"accuracy_interval":1}`} {
		require.Error(t, json.Unmarshal([]byte(bad), r), bad)
	}
}

// TestForms checks the forms that fields can have, and that the order of a set has no effect.
func TestForms(t *testing.T) {
	r, err := score(t, "labels", prediction.Options{}, `{"label":["a","b"],"gold":["b","a"]}`, `{"label":["b","c","b"],"gold":["c","b"]}`,
		`{"label":[1],"gold":[2]}`)
	require.NoError(t, err)
	values(t, r, map[string]float64{"accuracy": 2. / 3, "f1": 0.8, "f1_macro": 3. / 5})
	for _, answers := range []string{`["Rome"]`, `[{"text":"Rome","answer_start":3}]`, `{"text":["Rome"],"answer_start":[3]}`} {
		r, err := score(t, "span", prediction.Options{}, `{"answer":"rome","answers":`+answers+`}`)
		require.NoError(t, err)
		values(t, r, map[string]float64{"exact": 100, "f1": 100})
	}
	// NDCG counts the first ten documents: the relevant one is the eleventh here, and then the tenth.
	for last, want := range map[string]float64{"0": 0, "1.5": 1 / math.Log2(11)} {
		r, err := score(t, "score", prediction.Options{}, `{"scores":[11,10,9,8,7,6,5,4,3,1,`+last+`],"gold":[0,0,0,0,0,0,0,0,0,0,1]}`)
		require.NoError(t, err)
		values(t, r, map[string]float64{"ndcg": want, "accuracy": map[string]float64{"0": 0, "1.5": 0.1}[last]})
	}
	for _, entity := range []string{`{"start":0,"end":1}`, `{"label":"x","end":1}`, `{"label":"x","start":0}`, `{"label":"x","start":0,"end":1.5}`} {
		_, err := score(t, "entities", prediction.Options{}, `{"label":[`+entity+`],"gold":[]}`)
		require.ErrorContains(t, err, `"label" must be a list of entities`)
	}
	r, err = score(t, "labels", prediction.Options{}, `{"label":1,"gold":1}`)
	require.NoError(t, err)
	for _, v := range r.Values {
		require.Nil(t, v.Interval, "no intervals were asked for")
	}
}
