package program

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// predicts returns a model that predicts, after a token or in its place, the next word of the vocabulary.
func predicts(causal, prefix bool) *engine.Program {
	return taskProgram(engine.Head{Name: "mlm", Task: tasktable.MLM, Rows: engine.PerRow, C: fakeVocab},
		func(l *engine.Limits) { l.Rows, l.Causal, l.Prefix = 16, causal, prefix },
		func(ids []int32, row, column int) float32 {
			at := ids[row]
			if !causal && row > 0 {
				at = ids[row-1]
			}
			if column == int(at)+1 {
				return 6
			}
			return 0
		})
}

// TestRunPerplexityHead checks that a head that --head perplexity asked for prints how well it predicts a text, unless a flag asks for something else.
func TestRunPerplexityHead(t *testing.T) {
	p := predicts(false, false)
	want := runTask(t, p, false, "", "--perplexity", "--json", "the capital of")
	require.Equal(t, ExitDone, want.code, want.err)
	p.Heads[0].Name = perplexityHead
	got := runTask(t, p, false, "", "--json", "the capital of")
	require.Equal(t, want.out, got.out, got.err)
	require.Contains(t, runTask(t, p, false, "", "--json", "--top", "2", "the [MASK]").out, `"masks"`)
}

func TestRunMasks(t *testing.T) {
	p := predicts(false, false)
	r := runTask(t, p, false, "", "the [MASK] of [MASK]", "--top", "2")
	require.Equal(t, ExitDone, r.code, r.err)
	score := math.Exp(6) / (math.Exp(6) + fakeVocab - 1)
	other := 1 / (math.Exp(6) + fakeVocab - 1)
	require.Equal(t, fmt.Sprintf(`the [MASK] of [MASK]  (6 tokens)
    ^^^^^^    ^^^^^^
  mask 1:
  capital  %.4f  %s
  [PAD]    %.4f
  mask 2:
  france  %.4f  %s
  [PAD]   %.4f
  → the capital of france
`, score, bar(float32(score)), other, score, bar(float32(score)), other), r.out)
	r = runTask(t, p, false, "", "--json", "the [MASK]", "--targets", "rome,capital")
	var got task.Filled
	object(t, r.out, &got)
	require.Equal(t, "the capital", got.Text)
	require.Len(t, got.Blanks[0].Candidates, 2)
	require.InDelta(t, score, got.Blanks[0].Candidates[0].Score, 1e-6)
	for want, args := range map[string][]string{
		"argument 1: there is no [MASK] in it":          {"the capital"},
		"--targets: target \"the of\" is 2 tokens":      {"--targets", "the of", "[MASK]"},
		"--temperature belongs to text generation":      {"--temperature", "1", "[MASK]"},
		"--pair: masks are filled in single texts":      {"--pair", "x", "[MASK]"},
		"--perplexity and --targets contradict":         {"--perplexity", "--targets", "a", "a"},
		"--top has no meaning with --perplexity":        {"--perplexity", "--top", "2", "a"},
		"--seed belongs to text generation, and contra": {"--perplexity", "--seed", "2", "a"},
	} {
		r := runTask(t, p, false, "", args...)
		require.NotEqual(t, ExitDone, r.code)
		require.Contains(t, r.err, want)
	}
}

func TestRunPerplexity(t *testing.T) {
	for _, causal := range []bool{false, true} {
		p := predicts(causal, false)
		r := runTask(t, p, false, "", "--perplexity", "the capital of rome")
		require.Equal(t, ExitDone, r.code, r.err)
		// Two of four tokens are expected.
		z := math.Log(math.Exp(6) + fakeVocab - 1)
		want := math.Exp(-(2*(6-z) - 2*z) / 4)
		name := map[bool]string{false: "pseudo-perplexity", true: "perplexity"}[causal]
		require.Contains(t, r.out, fmt.Sprintf("the capital of rome  (6 tokens)\n  %s %.4g over 4 tokens\n", name, want))
		require.Contains(t, r.out, "0.0020    the token that is predicted worst\n")
		r = runTask(t, p, false, `{"text":"rome","pair":"the capital"}`, "--perplexity", "--json", "--input", "-")
		var got task.Perplexity
		object(t, r.out, &got)
		require.Equal(t, []any{2, !causal, 6}, []any{got.Counted, got.Pseudo, got.Tokens})
		r = runTask(t, p, false, "a\n\nb\n", "--perplexity")
		require.Equal(t, ExitInput, r.code)
		require.Contains(t, r.err, "standard input:2: it has no token that could be predicted")
		require.Contains(t, r.out, "a  (3 tokens)", "what comes before is printed")
	}
}

func TestRunGeneration(t *testing.T) {
	p := predicts(true, false)
	for _, terminal := range []bool{false, true} {
		r := runTask(t, p, terminal, "", "rome the", "--max-new-tokens", "4")
		require.Equal(t, ExitDone, r.code, r.err)
		require.Equal(t, "rome the capital of france is\n  (4 tokens, ended by --max-new-tokens)\n", strings.ReplaceAll(r.out, "thecapital", "the capital"))
	}
	r := runTask(t, p, false, "", "the", "--json", "--stop", "is a,where")
	var got generated
	object(t, r.out, &got)
	require.Equal(t, []any{" capital of france ", task.EndStop}, []any{got.Text, got.Reason})
	r = runTask(t, p, false, "", "the", "--json", "--samples", "3", "--temperature", "1.5", "--seed", "4", "--top-k", "5", "--top-p", "0.9")
	again := runTask(t, p, false, "", "the", "--json", "--samples", "3", "--temperature", "1.5", "--seed", "4", "--top-k", "5", "--top-p", "0.9")
	require.Equal(t, r, again)
	got = generated{}
	object(t, r.out, &got)
	require.Len(t, got.Samples, 3)
	require.Equal(t, got.Text, got.Samples[0].Text)
	r = runTask(t, predicts(true, true), false, "", "rome", "--max-new-tokens", "3")
	require.Contains(t, r.out, "rome\n  → ")
	for want, args := range map[string][]string{
		"--targets and --top belong to filling masks": {"--targets", "a", "x"},
		"--top-p 0 keeps no token":                    {"--temperature", "1", "--top-p", "0", "x"},
		"top-p 2: it must be from 0 to 1":             {"--temperature", "1", "--top-p", "2", "x"},
		"--seed needs --temperature":                  {"--seed", "2", "x"},
		"--top-k needs --temperature":                 {"--top-k", "2", "x"},
		"--samples 2 needs --temperature":             {"--samples", "2", "x"},
		"temperature -1: it must be a number":         {"--temperature", "-1", "x"},
		"--max-new-tokens 0: it must be at least 1":   {"--max-new-tokens", "0", "x"},
		"--samples 0: it must be from 1 to 1048576":   {"--samples", "0", "x"},
	} {
		r := runTask(t, p, false, "", args...)
		require.Equal(t, ExitUsage, r.code, r.err)
		require.Contains(t, r.err, want)
	}
	r = runTask(t, p, false, "", strings.Repeat("a ", 100))
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "argument 1: a prompt of 101 tokens is too long, the limit is 64: shorten it\n")
	r = runTask(t, p, false, "", "--on-error", "skip", strings.Repeat("a ", 100))
	require.Contains(t, r.err, "1 of 1 text is left out: 1 too long; the first: argument 1: a prompt of 101 tokens is too long, the limit is 64: shorten it\n")
}

func TestRunEmbeddings(t *testing.T) {
	f := func(ids []int32, row, column int) float32 { return float32(column+1) * float32(ids[row]) }
	p := taskProgram(engine.Head{Name: "h", Task: tasktable.Hidden, Rows: engine.PerToken, C: 10}, nil, f)
	r := runTask(t, p, false, "", "angela")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Contains(t, r.out, "angela  (3 tokens)\n  2.6667 5.3333 8.0000 ")
	require.Contains(t, r.out, " …  (10 numbers, length ")
	r = runTask(t, p, false, "", "angela", "--pooling", "first", "--normalize", "--json")
	var got embedded
	object(t, r.out, &got)
	require.Len(t, got.Embedding, 10)
	require.InDelta(t, 1/math.Sqrt(385), got.Embedding[0], 1e-6)
	require.Equal(t, 3, got.Tokens)
	r = runTask(t, p, false, "", "angela", "--pooling", "last")
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, `--pooling: pooling "last": it must be mean or first`)
	vector := taskProgram(engine.Head{Name: "v", Task: tasktable.Vector, C: 4}, nil, f)
	r = runTask(t, vector, false, "", "--pooling", "mean", "angela")
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, `--pooling belongs to heads of the kind embed without pooling; head "v" of this model is of the kind embed; its vectors are `+
		`pooled in the model, which debertac run --pool and debertac build --pool choose`)
	r = runTask(t, vector, false, "", "angela", "--pair", "merkel", "--json")
	object(t, r.out, &got)
	require.Len(t, got.Embedding, 4)
	require.Equal(t, 5, got.Tokens)
	silent := taskProgram(engine.Head{Name: "v", Task: tasktable.Vector, C: 4}, nil, f)
	silent.Tokenizer = func(string, []byte) (tokenizer.Tokenizer, error) { return nil, nil }
	r = runTask(t, silent, false, "", "angela")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "without a tokenizer")
	bad := taskProgram(engine.Head{Name: "v", Task: tasktable.Vector, C: 4}, nil, func(ids []int32, _, _ int) float32 {
		if len(ids) == 3 {
			return float32(math.NaN())
		}
		return 0
	})
	r = runTask(t, bad, false, "", "angela")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "argument 1: the model's outputs are not numbers (NaN or Inf): the weights may be damaged, see debertac doctor")
}

// nliProgram returns an NLI model that predicts entailment if the hypothesis ends with the word paris.
func nliProgram() *engine.Program {
	return taskProgram(engine.Head{Name: "nli", Task: tasktable.Labels, C: 3, Labels: []string{"contradiction", "neutral", "entailment"}}, nil,
		func(ids []int32, _, column int) float32 {
			return []float32{0, 0, likes(ids[len(ids)-2], "paris")}[column]
		})
}

func TestRunZeroShot(t *testing.T) {
	p := nliProgram()
	r := runTask(t, p, false, "", "the capital", "--labels", "rome,paris,berlin", "--template", "in {}", "--top", "2")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Equal(t, "the capital  (7 tokens)\n  paris  0.9998  ████████████████████\n  rome   0.0001\n", r.out)
	r = runTask(t, p, false, "", "the capital", "--labels", `["rome","paris"]`, "--template", "in {}", "--multi", "--json")
	var got zeroShot
	object(t, r.out, &got)
	require.Equal(t, "paris", got.Label)
	require.InDelta(t, 0.5, got.Labels[1].Score, 1e-9)
	for want, args := range map[string][]string{
		"has no {}":                            {"--labels", "a", "--template", "x"},
		`label "a" is given twice`:             {"--labels", "a,a"},
		"--template is empty":                  {"--labels", "a", "--template="},
		"--template needs --labels":            {"--template", "{}"},
		"--accuracy and --labels contradict":   {"--labels", "a", "--accuracy"},
		`the head has no label "yes"`:          {"--labels", "a", "--entailment", "yes"},
		"a part between its commas is empty":   {"--labels", ","},
		"--labels and --query contradict each": {"--labels", "a", "--query", "x"},
	} {
		r := runTask(t, p, false, "", append(args, "text")...)
		require.Equal(t, ExitUsage, r.code, r.err)
		require.Contains(t, r.err, want)
	}
}

func TestRunRanking(t *testing.T) {
	p := taskProgram(engine.Head{Name: "score", Task: tasktable.Score, C: 1}, nil, func(ids []int32, _, _ int) float32 {
		return float32(len(ids)) / 4
	})
	in := "a\nrome is a city\nthe capital\nb\n"
	r := runTask(t, p, false, in, "--query", "paris")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Equal(t, "   1      2.0000  rome is a city  (8 tokens)\n   2      1.5000  the capital  (6 tokens)\n   3      1.2500  a  (5 tokens)\n   4      "+
		"1.2500  b  (5 tokens)\n", r.out)
	r = runTask(t, p, false, in, "--query", "paris", "--json", "--top", "1", "--sigmoid")
	var got ranked
	object(t, r.out, &got)
	require.Equal(t, []any{1, 1, "rome is a city"}, []any{got.Rank, got.Index, got.Text})
	require.InDelta(t, 1/(1+math.Exp(-2)), got.Score, 1e-9)
	r = runTask(t, p, false, "a\n"+strings.Repeat("a ", 70)+"\n", "--query", "paris")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "standard input:2: 74 tokens are too long")
	r = runTask(t, p, false, "a", "--query", " ")
	require.Equal(t, ExitUsage, r.code)
	r = runTask(t, p, false, "", "--pair", "the capital", "a")
	require.Equal(t, "    1.5000  a | the capital  (6 tokens)\n", r.out, "without a query each text has its score")
	for want, args := range map[string][]string{
		"--top needs --query":              {"--top", "2", "a"},
		"use --top to limit the best ones": {"--query", "paris", "--examples", "1", "a"},
		"--join needs --long windows":      {"--join", "max", "a"},
		"--long windows:64: the model sees 64 tokens at once, 2 of them special, so windows of a text cannot overlap by 64: choose a smaller stride": {
			"--long", "windows:64", "a"},
		"choose a smaller stride, at most 61": {"--long", "windows:62", "a"},
		"--max-tokens 2: 2 special tokens stand around each text, which leave no room for it: choose at least 3": {"--max-tokens", "2", "a"},
		`value "x" for flag --top: `:    {"--top", "x", "a"},
		"provided but not defined: --x": {"--x", "a"},
	} {
		r := runTask(t, p, false, "", args...)
		require.Equal(t, ExitUsage, r.code, r.err)
		require.Contains(t, r.err, want)
	}
}

// kindsOf returns the kinds of heads that have a flag, joined.
func kindsOf(flag string) string {
	var kinds []string
	for _, t := range tasktable.Taking(flag) {
		kinds = append(kinds, tasktable.Of(t).Kind)
	}
	return strings.Join(kinds, " or ")
}

// TestRunFlagsOfOtherTasks checks that the message that refuses a flag of another task names the heads that have the flag.
func TestRunFlagsOfOtherTasks(t *testing.T) {
	for want, args := range map[string][]string{
		`--context belongs to heads of the kind answer or choose; head "nli" of this model is of the kind classify`: {"--context", "x"},
		"--aggregate belongs to heads of the kind tag":                                                              {"--aggregate", "max"},
		"--temperature belongs to heads of the kind fill-mask":                                                      {"--temperature", "1"},
		"--options belongs to heads of the kind choose":                                                             {"--options", "a,b"},
		"--threshold chooses among labels that do not exclude each other":                                           {"--threshold", "0.3"},
		"--normalize belongs to heads of the kind " + kindsOf("normalize") + "; head":                               {"--normalize"},
		"--no-answer-threshold belongs to heads of the kind answer":                                                 {"--no-answer-threshold", "1"},
	} {
		r := runTask(t, nliProgram(), false, "", append(args, "text")...)
		require.Equal(t, ExitUsage, r.code, r.err)
		require.Contains(t, r.err, want)
	}
	r := runTask(t, nliProgram(), false, "", "--pair", "caf\xe9", "x")
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, "--pair is not valid UTF-8")
	r = runTask(t, taskProgram(tagsHead, nil, tagsOf), false, "", "--accuracy", "x")
	require.Contains(t, r.err, `--accuracy belongs to heads of the kind classify; head "ner" of this model is of the kind tag`)
	r = runTask(t, taskProgram(tagsHead, nil, tagsOf), false, "", "--join", "max", "x")
	require.Contains(t, r.err, "--join needs --long windows")
	r = runTask(t, taskProgram(tagsHead, nil, tagsOf), false, "", "--join", "max", "--long", "windows:2", "x")
	require.Contains(t, r.err, "--join belongs to heads of the kind classify or score")
	r = runTask(t, taskProgram(tagsHead, nil, tagsOf), false, "", "--aggregate", "", "x")
	require.Contains(t, r.err, "--aggregate is empty")
	require.Contains(t, runTask(t, nliProgram(), false, "", "--join", "sum", "x").err, "--join sum: it must be mean or max")
	help := runIn(t, "", "run", "--help").out
	for _, row := range tasktable.Table {
		for _, name := range row.Flags {
			require.Contains(t, help, "  --"+name+" ")
		}
	}
}

// TestMarked checks that marked texts are broken at spaces and stay aligned, whatever the widths of their characters.
func TestMarked(t *testing.T) {
	r := runTask(t, taskProgram(tagsHead, nil, tagsOf), false, "", strings.Repeat("word ", 30)+"Angela "+strings.Repeat("word ", 30)+"angela",
		"中文 e\u0301 angela\x1b x angela", "")
	require.Equal(t, ExitDone, r.code, r.err)
	for _, line := range strings.Split(r.out, "\n") {
		require.LessOrEqual(t, len([]rune(line)), lineCells+20)
	}
	require.Contains(t, r.out, "中文 e\u0301 angela\uFFFD x angela  (7 tokens)\n                 ^^^^^^\n")
	require.Equal(t, 3, strings.Count(r.out, "^^^^^^"))
}
