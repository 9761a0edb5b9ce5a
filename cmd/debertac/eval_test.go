package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/tasktable"
)

// wanted is a recorded result of transformers, sentence-transformers or GLiNER.
type wanted struct {
	Label          string
	Index          int
	Score          float64
	Scores         []float64
	Text           string
	Answers        []struct{ Text string }
	LogProbability float64 `json:"log_probability"`
	Counted        int
	Embedding      []float64
	Entities       []struct {
		Label string
		Start int `json:"start_rune"`
		End   int `json:"end_rune"`
	}
}

// recordedCase is a case of examples/tasks/expected: inputs with their recorded results.
type recordedCase struct {
	Name  string
	Flags []string
	Input []struct {
		Text, Question, Context string
		Pair                    *string
		Options, Labels         []string
	}
	Want []wanted
}

// evalCase makes examples of a recorded case, which are right where the recorded result is, and states the metrics that follow from them.
type evalCase struct {
	task   tasktable.Task
	dir    string // in examples/tasks, and the file in expected
	record string // the name of the case
	flags  []string
	make   func(r *recordedCase) (examples []example.Example, want map[string]float64)
}

// evalCases has a case for each task.
var evalCases = []evalCase{
	{tasktable.Labels, "classify", "texts", nil, func(r *recordedCase) (list []example.Example, want map[string]float64) {
		loss := 0.0
		for i, in := range r.Input {
			label := r.Want[i].Label
			if i%2 == 0 { // a number is a label too
				label = strconv.Itoa(r.Want[i].Index)
			}
			list, loss = append(list, example.Example{Text: in.Text, Label: label}), loss-math.Log(r.Want[i].Score)
		}
		wrong := &list[len(list)-1]
		wrong.Label = "0"
		if r.Want[len(list)-1].Index == 0 {
			wrong.Label = "1"
		}
		of, _ := strconv.Atoi(wrong.Label)
		last := r.Want[len(list)-1]
		loss += math.Log(last.Score) - math.Log(last.Scores[of])
		n := float64(len(list))
		return list, map[string]float64{"accuracy": (n - 1) / n, "f1_micro": (n - 1) / n, "loss": loss / n}
	}},
	{tasktable.Labels, "multilabel", "pairs", nil, func(r *recordedCase) (list []example.Example, want map[string]float64) {
		names := []string{"0", "1", "2", "3"}
		loss, terms := 0.0, 0.0
		for i, in := range r.Input {
			labels := []string{}
			for k, p := range r.Want[i].Scores {
				if p >= 0.5 {
					labels, loss = append(labels, names[k]), loss-math.Log(p)
				} else {
					loss -= math.Log1p(-p)
				}
				terms++
			}
			list = append(list, example.Example{Text: in.Text, Pair: in.Pair, Labels: &labels})
		}
		return list, map[string]float64{"accuracy": 1, "f1": 1, "loss": loss / terms}
	}},
	{tasktable.Tags, "tag", "simple", []string{"--long", "truncate"}, withEntities},
	{tasktable.Entities, "entities", "threshold 0.5", nil, withEntities}, // each text has labels of its own
	{tasktable.Span, "answer", "the best of five", []string{"--long", "windows:8"}, func(r *recordedCase) (list []example.Example, want map[string]float64) {
		for i, in := range r.Input {
			list = append(list, example.Example{Question: in.Question, Context: in.Context,
				Answers: []example.Answer{{Text: "no", Start: -1}, {Text: r.Want[i].Answers[0].Text, Start: -1}}})
		}
		list[0].Answers = list[0].Answers[:1]
		n := float64(len(list))
		return list, map[string]float64{"exact": 100 * (n - 1) / n, "f1": 100 * (n - 1) / n}
	}},
	{tasktable.Choices, "choose", "options", nil, func(r *recordedCase) (list []example.Example, want map[string]float64) {
		loss := 0.0
		for i, in := range r.Input {
			list = append(list, example.Example{Question: in.Question, Context: in.Context, Options: in.Options, Label: strconv.Itoa(r.Want[i].Index)})
			loss -= math.Log(r.Want[i].Score) / float64(len(r.Input))
		}
		return list, map[string]float64{"accuracy": 1, "loss": loss}
	}},
	{tasktable.Score, "score", "pairs", nil, func(r *recordedCase) (list []example.Example, want map[string]float64) {
		for i, in := range r.Input {
			score := r.Want[i].Score + 1
			list = append(list, example.Example{Text: in.Text, Pair: in.Pair, Score: &score})
		}
		return list, map[string]float64{"pearson": 1, "mean_squared_error": 1, "loss": 1}
	}},
	{tasktable.Score, "rank", "rank", nil, func(r *recordedCase) (list []example.Example, want map[string]float64) {
		e := example.Example{Query: r.Flags[1]}
		for _, w := range r.Want { // the best one first
			e.Documents = append(e.Documents, w.Text)
		}
		last := len(e.Documents) - 1
		e.Documents[last-1], e.Documents[last] = e.Documents[last], e.Documents[last-1]
		pairs := float64(last * (last + 1) / 2)
		return []example.Example{e}, map[string]float64{"accuracy": (pairs - 1) / pairs, "top": 1, "mrr": 1}
	}},
	{tasktable.MLM, "generate", "perplexity", []string{"--head", "generate"}, func(r *recordedCase) (list []example.Example, want map[string]float64) {
		logs, counted := 0.0, 0
		for i, in := range r.Input {
			list = append(list, example.Example{Text: in.Text, Pair: in.Pair})
			logs, counted = logs+r.Want[i].LogProbability, counted+r.Want[i].Counted
		}
		return list, map[string]float64{"perplexity": math.Exp(-logs / float64(counted)), "loss": -logs / float64(counted)}
	}},
	{tasktable.Vector, "embed", "mean", nil, func(r *recordedCase) (list []example.Example, want map[string]float64) {
		for i := 1; i < len(r.Input); i++ {
			score, pair := cosineOf(r.Want[i-1].Embedding, r.Want[i].Embedding), r.Input[i].Text
			list = append(list, example.Example{Text: r.Input[i-1].Text, Pair: &pair, Score: &score})
		}
		return list, map[string]float64{"pearson": 1, "spearman": 1, "mean_squared_error": 0}
	}},
	{tasktable.Vector, "embed", "mean", nil, func(r *recordedCase) (list []example.Example, want map[string]float64) {
		// Each text is nearest to itself. The negatives of the last one hold it too, so it is not alone the best one.
		for _, in := range r.Input {
			if in.Text != "" {
				list = append(list, example.Example{Text: in.Text, Positive: in.Text})
			}
		}
		last := &list[len(list)-1]
		last.Negatives = []string{last.Text, "Rain."}
		n := float64(len(list))
		return list, map[string]float64{"accuracy": (n - 1) / n, "mrr": (n - 0.5) / n}
	}},
}

// withEntities makes examples of texts with entities, one of which has another label.
func withEntities(r *recordedCase) (list []example.Example, want map[string]float64) {
	entities := 0.0
	for i, in := range r.Input {
		e := example.Example{Text: in.Text}
		if in.Text == "" || len([]rune(in.Text)) != len(in.Text) {
			continue // recorded places are in code points
		}
		for _, x := range r.Want[i].Entities {
			e.Entities = append(e.Entities, example.Entity{Label: x.Label, Start: x.Start, End: x.End})
			entities++
		}
		if in.Labels != nil {
			e.Labels = &in.Labels
		}
		list = append(list, e)
	}
	for i := range list {
		if x := list[i].Entities; len(x) > 0 {
			x[0].End--
			break
		}
	}
	share := (entities - 1) / entities
	return list, map[string]float64{"f1": share, "precision": share, "recall": share}
}

func cosineOf(a, b []float64) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab, aa, bb = ab+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
	}
	return ab / math.Sqrt(aa*bb)
}

// TestEval evaluates models on examples whose right answers are the recorded results of other libraries, and compares the metrics with those that follow. The
// predictions that eval writes must have the same metrics again.
func TestEval(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	models, err := filepath.Abs(filepath.Join("..", "..", "examples", "tasks"))
	require.NoError(t, err)
	tasks := map[tasktable.Task]bool{}
	for _, c := range evalCases {
		tasks[c.task] = true
		t.Run(string(c.task)+" "+c.dir, func(t *testing.T) {
			examples, want := c.make(recordedOf(t, models, c.dir, c.record))
			folder := t.TempDir()
			data, predictions := filepath.Join(folder, "data.jsonl"), filepath.Join(folder, "predictions.jsonl")
			writeExamples(t, data, examples)
			args := []string{"eval", filepath.Join(models, c.dir), "--data", data, "--json", "--resamples", "20", "--predictions", predictions}
			out, errs, code := interpreted(append(args, c.flags...))
			require.Equal(t, fault.ExitDone, code, errs)
			r := &prediction.Report{}
			require.NoError(t, json.Unmarshal([]byte(out), r))
			require.Equal(t, len(examples), r.N)
			for name, x := range want {
				got, ok := r.Get(name)
				require.True(t, ok, "%s of %s", name, out)
				require.InDelta(t, x, got, 2e-5*max(1, math.Abs(x)), name)
			}
			again, errs, code := interpreted([]string{"eval", "--from", predictions, "--task", string(c.task), "--json", "--resamples", "20"})
			require.Equal(t, fault.ExitDone, code, errs)
			require.Equal(t, out, again)
		})
	}
	for _, row := range prediction.Tasks {
		if row.Task != "" && row.Task != tasktable.Hidden { // which is evaluated as vectors are
			require.True(t, tasks[row.Task], "evalCases has no case of the task %s", row.Task)
		}
	}
}

// recordedOf returns a recorded case.
func recordedOf(t *testing.T, models, dir, name string) *recordedCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(models, "expected", dir+".json"))
	require.NoError(t, err)
	var cases []recordedCase
	require.NoError(t, json.Unmarshal(text, &cases))
	for i := range cases {
		if cases[i].Name == name {
			require.Len(t, cases[i].Want, len(cases[i].Input))
			return &cases[i]
		}
	}
	t.Fatalf("%s has no case %q", dir, name)
	return nil
}

func writeExamples(t *testing.T, path string, examples []example.Example) {
	t.Helper()
	var b bytes.Buffer
	for i := range examples {
		line, err := json.Marshal(&examples[i])
		require.NoError(t, err)
		if e := &examples[i]; e.Text == "" && e.Question == "" && e.Query == "" { // an empty text is a text
			line = append([]byte(`{"text":"",`), line[1:]...)
		}
		b.Write(append(line, '\n'))
	}
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
}

// TestEvalFaults checks the messages about examples that a model cannot be compared with.
func TestEvalFaults(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	models, err := filepath.Abs(filepath.Join("..", "..", "examples", "tasks"))
	require.NoError(t, err)
	for _, c := range []struct {
		dir, data, want string
		code            int
		flags           []string
	}{
		{"classify", `{"text":"x","label":"neutral"}` + "\n" + `{"text":"x","at":7}`, `example 7: it has no "label"`, fault.ExitInput, nil},
		{"classify", `{"text":"x","label":"odd"}`, `example 1: the model has no label "odd" (it has: negative, neutral, positive)`, fault.ExitInput, nil},
		{"classify", `{"label":"neutral","question":"x"}`, `example 1: it has no "text", which this head reads; it has "question"`, fault.ExitInput, nil},
		{"classify", `{"text":"` + strings.Repeat("word ", 100) + `","label":"neutral","id":"ü"}`, "example 1 (id ü): ", fault.ExitInput, nil},
		{"classify", `{"text":"x","label":"neutral"}`, "--candidates has no meaning for head", fault.ExitUsage, []string{"--candidates", "3"}},
		{"classify", `{"text":"x","label":"neutral"}`, "--nested belongs to heads of the kind entities", fault.ExitUsage, []string{"--nested"}},
		{"classify", `{"text":"x","label":"neutral"}`, `--positive "x": the model's labels are`, fault.ExitUsage, []string{"--positive", "x"}},
		{"classify", `{"text":"x","label":"neutral"}`, "--threshold chooses among labels that do not exclude each other", fault.ExitUsage,
			[]string{"--threshold", "0.4"}},
		{"multilabel", `{"text":"x"}`, `example 1: it has no "labels"`, fault.ExitInput, nil},
		{"tag", `{"words":["a"],"tags":["O","O"]}`, "it has 1 words and 2 tags", fault.ExitInput, nil},
		{"tag", `{"words":["a"]}`, `it has no "tags"`, fault.ExitInput, nil},
		{"tag", `{"words":["a"],"tags":["B-X"]}`, `the model has no label "B-X"`, fault.ExitInput, nil},
		{"tag", `{"words":["a b"],"tags":["O"]}`, `word 1 is "a b"`, fault.ExitInput, nil},
		{"tag", `{"words":["a"],"entities":[{"label":"PER","start":0,"end":2}]}`, "the entity PER is from word 0 to 2", fault.ExitInput, nil},
		{"answer", `{"question":"x","context":"y"}`, `it has no "answers"`, fault.ExitInput, nil},
		{"answer", `{"context":"y"}`, `it has no "question"`, fault.ExitInput, nil},
		{"choose", `{"question":"x","options":["a"],"label":"0"}`, "it has 1 options", fault.ExitInput, nil},
		{"choose", `{"question":"x","options":["a","b"],"label":"2"}`, `its label "2" is not the number of an option, from 0 to 1`, fault.ExitInput, nil},
		{"score", `{"text":"x"}`, `it has no "score"`, fault.ExitInput, nil},
		{"score", `{"text":"x","documents":["a"]}`, "it has 1 documents", fault.ExitInput, nil},
		{"score", `{"text":"x","documents":["a","b"],"scores":[1]}`, "it has 1 scores for 2 documents", fault.ExitInput, nil},
		{"embed", `{"text":"x","positive":"y"}`, "there is one example, and no other text", fault.ExitUsage, nil},
		{"embed", `{"text":"x"}` + "\n" + `{"text":"x"}`, `it has no "positive"`, fault.ExitInput, nil},
		{"entities", `{"text":"x"}`, "no example has an entity", fault.ExitUsage, nil},
		{"entities", `{"text":"x","entities":[{"label":"a","start":0,"end":1}]}`, `it has an entity "a", which is not one of the labels to look for (b)`,
			fault.ExitInput, []string{"--labels", "b"}},
		{"fill", `{"text":"x"}`, "--generate belongs to models that write text", fault.ExitUsage, []string{"--generate"}},
		{"fill", `{"text":"x","target":"y"}`, "it has a target", fault.ExitInput, nil},
		{"generate", `{"text":"x"}`, `it has no "target"`, fault.ExitInput, []string{"--head", "generate", "--generate"}},
		{"rtd", `{"text":"x"}`, "is of the kind rtd, and no data tell what is right for it", fault.ExitUsage, []string{"--head", "rtd"}},
		{"nli", `{"text":"x","label":"0"}`, "zero-shot classification is not evaluated", fault.ExitUsage, []string{"--labels", "a,b"}},
	} {
		_, errs, code := interpretedOn(c.data+"\n", append([]string{"eval", filepath.Join(models, c.dir), "--data", "-"}, c.flags...))
		assert.Equal(t, c.code, code, "%s %s: %s", c.dir, c.data, errs)
		assert.Contains(t, errs, c.want, "%s %s", c.dir, c.data)
	}
}

// TestEvalCut checks that labels of words that were cut count as missed, and are told of: words with tags, texts with entities, and entities of any labels.
func TestEvalCut(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	models, err := filepath.Abs(filepath.Join("..", "..", "examples", "tasks"))
	require.NoError(t, err)
	words := strings.Fields(strings.Repeat("the dog is old ", 30))
	tags := slices.Repeat([]string{"O"}, len(words))
	tags[len(tags)-2], tags[len(tags)-1] = "B-PER", "I-PER"
	text := strings.Join(words, " ")
	for name, c := range map[string]struct {
		dir   string
		x     example.Example
		flags []string
		want  int
	}{
		"words": {"tag", example.Example{Words: words, Tags: tags}, nil, 2},
		"text":  {"tag", example.Example{Text: text, Entities: []example.Entity{{Label: "PER", Start: len(text) - 3, End: len(text)}}}, nil, 1},
		"entities": {"entities", example.Example{Text: text, Entities: []example.Entity{{Label: "a", Start: len(text) - 3, End: len(text)}}},
			[]string{"--max-tokens", "40"}, 1},
	} {
		data := filepath.Join(t.TempDir(), "data.jsonl")
		writeExamples(t, data, []example.Example{c.x})
		args := append([]string{"eval", filepath.Join(models, c.dir), "--data", data, "--resamples", "0"}, c.flags...)
		long := func(how string, more ...string) []string { return slices.Concat(args, []string{"--long", how}, more) }
		out, errs, code := interpreted(long("truncate", "--json"))
		require.Equal(t, fault.ExitDone, code, errs)
		r := &prediction.Report{}
		require.NoError(t, json.Unmarshal([]byte(out), r))
		require.Equal(t, c.want, r.CutLabels, name)
		recall, ok := r.Get("recall")
		require.True(t, ok)
		require.Zero(t, recall, name)
		_, ok = r.Get("loss")
		require.True(t, ok, name)
		out, errs, code = interpreted(long("truncate"))
		require.Equal(t, fault.ExitDone, code, errs)
		require.Contains(t, out, map[int]string{1: "1 label of a word that was cut counts as missed\n",
			2: "2 labels of words that were cut count as missed\n"}[c.want])
		out, errs, code = interpreted(long("windows:8"))
		require.Equal(t, fault.ExitDone, code, errs)
		require.NotContains(t, out, "as missed")
	}
}

// TestEvalTokens evaluates models that fill masks and that write text: the result depends on the seed, the share of masked tokens, and what was written.
func TestEvalTokens(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	models, err := filepath.Abs(filepath.Join("..", "..", "examples", "tasks"))
	require.NoError(t, err)
	data := filepath.Join(t.TempDir(), "data.jsonl")
	masked := recordedOf(t, models, "generate", "perplexity")
	var examples []example.Example
	for _, in := range masked.Input {
		examples = append(examples, example.Example{Text: in.Text})
	}
	writeExamples(t, data, examples)
	eval := func(dir string, flags ...string) string {
		out, errs, code := interpreted(append([]string{"eval", filepath.Join(models, dir), "--data", data, "--json", "--resamples", "0"}, flags...))
		require.Equal(t, fault.ExitDone, code, errs)
		return out
	}
	first := eval("fill")
	require.Equal(t, first, eval("fill", "--seed", "1", "--share", "0.15"))
	require.NotEqual(t, first, eval("fill", "--seed", "2"))
	require.NotEqual(t, first, eval("fill", "--share", "0.5"))
	r := &prediction.Report{}
	require.NoError(t, json.Unmarshal([]byte(first), r))
	loss, _ := r.Get("loss")
	perplexity, _ := r.Get("perplexity")
	require.InDelta(t, perplexity, math.Exp(loss), 1e-9)

	// What the model writes is compared with the target.
	greedy := recordedOf(t, models, "generate", "greedy")
	examples = nil
	for _, in := range greedy.Input {
		examples = append(examples, example.Example{Text: in.Text, Target: "x"})
	}
	writeExamples(t, data, examples)
	predictions := filepath.Join(t.TempDir(), "p.jsonl")
	flags := []string{"--head", "generate", "--generate", "--max-new-tokens", "3", "--predictions", predictions}
	require.Contains(t, eval("generate", flags...), `"exact":0,"perplexity":`)
	f, err := os.Open(predictions)
	require.NoError(t, err)
	defer f.Close()
	lines := prediction.NewReader(f)
	for i := range examples {
		p, _, err := lines.Next()
		require.NoError(t, err)
		examples[i].Target = p.Label.(string)
	}
	examples = examples[:1]
	if examples[0].Target == "" {
		t.Fatal("the model has written nothing")
	}
	writeExamples(t, data, examples)
	require.Contains(t, eval("generate", flags...), `"exact":1,"perplexity":`)
}

// TestEvalWords compares the tags of words with those that transformers finds: its tags are the right ones here, so the accuracy is 1, and the loss is
// recorded.
func TestEvalWords(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	text, err := os.ReadFile(filepath.Join("testdata", "words", "words.json"))
	require.NoError(t, err)
	var cases []struct {
		Folder    string
		Loss      float64
		Sentences []example.Example
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	require.Len(t, cases, 2)
	for _, c := range cases {
		data := filepath.Join(t.TempDir(), "data.jsonl")
		writeWords(t, data, c.Sentences)
		out, errs, code := interpreted([]string{"eval", filepath.Join("..", "..", "examples", "tasks", c.Folder), "--data", data, "--json", "--resamples", "0"})
		require.Equal(t, fault.ExitDone, code, errs)
		r := &prediction.Report{}
		require.NoError(t, json.Unmarshal([]byte(out), r))
		accuracy, _ := r.Get("accuracy")
		loss, _ := r.Get("loss")
		require.Equal(t, 1.0, accuracy, c.Folder)
		require.InDelta(t, c.Loss, loss, 2e-5, c.Folder)
	}
}

// writeWords writes sentences as lines.
func writeWords(t *testing.T, path string, sentences []example.Example) {
	t.Helper()
	var b bytes.Buffer
	for i := range sentences {
		require.NoError(t, example.Encode(&b, &sentences[i]))
	}
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
}
