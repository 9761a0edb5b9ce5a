package program

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// vocabulary holds the words of the models in these tests, by id.
var vocabulary = strings.Fields("[PAD] [CLS] [SEP] [UNK] [MASK] angela merkel visited paris in 2010 the capital of france is a city who what where rome " +
	"berlin this example")

// words is a tokenizer of whole words.
type words struct{}

func (words) encode(dst []tokenizer.Span, text string, from int) []tokenizer.Span {
	for at := 0; at < len(text); {
		if text[at] == ' ' {
			at++
			continue
		}
		end := at + strings.IndexByte(text[at:]+" ", ' ')
		id := int32(3)
		for i, w := range vocabulary {
			if (i >= 5 || i >= from) && strings.EqualFold(w, text[at:end]) {
				id = int32(i)
			}
		}
		dst = append(dst, tokenizer.Span{ID: id, Start: int32(at), End: int32(end), Word: int32(len(dst))})
		at = end
	}
	return dst
}

func (w words) AppendSpans(dst []tokenizer.Span, text string, specials bool) ([]tokenizer.Span, error) {
	if specials {
		return w.encode(dst, text, 0), nil
	}
	return w.encode(dst, text, 5), nil
}

func (w words) AppendMasked(dst []tokenizer.Span, text string) ([]tokenizer.Span, error) {
	return w.encode(dst, text, 4), nil
}

func (w words) AppendIDs(dst []int32, text string, specials bool) ([]int32, error) {
	spans, err := w.AppendSpans(nil, text, specials)
	for _, s := range spans {
		dst = append(dst, s.ID)
	}
	return dst, err
}

func (words) Frame() tokenizer.Frame { return fakeTokenizer{}.Frame() }

func (words) Decode(ids []int32, _ bool) (string, error) {
	var list []string
	for _, id := range ids {
		list = append(list, vocabulary[id])
	}
	return strings.Join(list, " "), nil
}

func (words) Piece(id int32) (string, bool) {
	if id < 0 || int(id) >= len(vocabulary) {
		return "", false
	}
	return vocabulary[id], true
}

func (words) ID(piece string) (int32, bool) {
	for i, w := range vocabulary {
		if w == piece {
			return int32(i), true
		}
	}
	return -1, false
}

func (words) IsSpecial(id int32) bool { return id < 5 }

func (words) Specials() tokenizer.SpecialIDs {
	return tokenizer.SpecialIDs{CLS: 1, SEP: 2, PAD: 0, MASK: 4, UNK: 3}
}

// taskProgram returns a model with one head. f computes an output from the sequence, the row in it and the column.
func taskProgram(h engine.Head, limits func(*engine.Limits), f func(ids []int32, row, column int) float32) *engine.Program {
	p := fakeProgram()
	p.Heads = []engine.Head{h}
	if limits != nil {
		limits(&p.Limits)
	}
	p.Tokenizer = func(string, []byte) (tokenizer.Tokenizer, error) { return words{}, nil }
	p.Bind = func(w *engine.Weights, _ cpu.ISA) (engine.NewForward, error) {
		w.F32("table")
		return func(x *engine.Exec) (engine.Forward, error) {
			return func() error {
				if err := x.Layer("all"); err != nil {
					return err
				}
				out, next := x.Out, 0
				for s := range x.B {
					lo, hi := int(x.Starts[s]), int(x.Starts[s+1])
					for r := lo; r < hi; r++ {
						switch h.Rows {
						case engine.PerSequence:
							if r > lo {
								continue
							}
						case engine.PerRow:
							if next == len(x.Rows) || int(x.Rows[next]) != r {
								continue
							}
							next++
						}
						for c := range h.C {
							out[c] = f(x.IDs[lo:hi], r-lo, c)
						}
						out = out[h.C:]
					}
				}
				return nil
			}, nil
		}, nil
	}
	return p
}

// word returns the id of a word of the vocabulary.
func word(name string) int32 {
	id, _ := words{}.ID(name)
	return id
}

// likes returns a logit: 9 if id is one of the words.
func likes(id int32, names ...string) float32 {
	for _, n := range names {
		if id == word(n) {
			return 9
		}
	}
	return 0
}

// runTask runs the verb run of a model.
func runTask(t testing.TB, p *engine.Program, terminal bool, stdin string, args ...string) result {
	t.Helper()
	return runWithSummary(t, p, terminal, stdin, append([]string{"--quiet"}, args...)...)
}

// runWithSummary is runTask without --quiet.
func runWithSummary(t testing.TB, p *engine.Program, terminal bool, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"run", "--weights", fakeWeights(t, true)}, args...)
	code := Run(context.Background(), []Model{{Name: "fake", Program: p}}, args, Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs,
		OutTerminal: terminal})
	return result{code, out.String(), errs.String()}
}

// object reads one line of JSON into v, which must have all its fields.
func object(t testing.TB, line string, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(v), line)
}

var tagsHead = engine.Head{Name: "ner", Task: tasktable.Tags, Rows: engine.PerToken, C: 3, Labels: []string{"O", "B-PER", "I-PER"}}

func tagsOf(ids []int32, row, column int) float32 {
	return map[int]float32{0: 4, 1: likes(ids[row], "angela"), 2: likes(ids[row], "merkel")}[column]
}

func TestRunTags(t *testing.T) {
	p := taskProgram(tagsHead, nil, tagsOf)
	text := "In 2010 Angela Merkel visited  Paris"
	r := runTask(t, p, false, "", text)
	require.Equal(t, ExitDone, r.code, r.err)
	require.Equal(t, "In 2010 Angela Merkel visited  Paris  (8 tokens)\n        ^^^^^^^^^^^^^\n  PER  0.9932  ███████████████████▉  Angela Merkel\n", r.out)
	r = runTask(t, p, true, "", text)
	require.Contains(t, r.out, "In 2010 \x1b[4mAngela Merkel\x1b[24m visited  Paris  (8 tokens)\n")
	require.NotContains(t, r.out, "^^")
	r = runTask(t, p, false, text+"\nrome\n", "--json", "--aggregate", "none")
	require.Equal(t, ExitDone, r.code, r.err)
	rows := strings.Split(strings.TrimSpace(r.out), "\n")
	require.Len(t, rows, 2)
	var got task.Tagged
	object(t, rows[0], &got)
	require.Len(t, got.Entities, 2)
	require.Equal(t, []any{"B-PER", 8, 14, "I-PER", 15, 21}, []any{got.Entities[0].Label, got.Entities[0].Start, got.Entities[0].End, got.Entities[1].Label,
		got.Entities[1].RuneStart, got.Entities[1].RuneEnd})
	require.Equal(t, 8, got.Tokens)

	// The model labels the only word of a name I-PER, as if the name had begun before it. --bio does not allow this.
	r = runTask(t, p, false, "", "--aggregate", "none", "merkel")
	require.Contains(t, r.out, "I-PER")
	r = runTask(t, p, false, "", "--aggregate", "none", "--bio", "merkel")
	require.Equal(t, ExitDone, r.code, r.err)
	require.NotContains(t, r.out, "I-PER")
	plain := tagsHead
	plain.Labels = []string{"O", "PER", "LOC"}
	r = runTask(t, taskProgram(plain, nil, tagsOf), false, "", "--bio", "visited merkel")
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, "--bio: no label of the head begins with B- (its labels: O, PER, LOC)")
}

func TestRunReplaced(t *testing.T) {
	p := taskProgram(engine.Head{Name: "rtd", Task: tasktable.Replaced, Rows: engine.PerToken, C: 1}, nil,
		func(ids []int32, row, _ int) float32 { return likes(ids[row], "rome") - 2 })
	r := runTask(t, p, false, "", "the capital of france is rome")
	require.Equal(t, "the capital of france is rome  (8 tokens)\n                         ^^^^\n  1 of 6 tokens seem to be replaced\n  rome  0.9991  "+
		"████████████████████\n", r.out)
	r = runTask(t, p, false, "", "--json", "--threshold", "0.1", "a rome")
	var got task.Detection
	object(t, r.out, &got)
	require.Equal(t, 2, got.Replaced)
	require.Equal(t, ExitUsage, runTask(t, p, false, "", "--threshold", "1.1", "a").code)
	r = runTask(t, p, false, `{"text":"a","pair":"b"}`, "--input", "-")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "standard input:1: it is a pair, and this model's head takes single texts")
}

var spanHead = engine.Head{Name: "qa", Task: tasktable.Span, Rows: engine.PerToken, C: 2}

func spanOf(ids []int32, row, column int) float32 {
	return []float32{likes(ids[row], "angela"), likes(ids[row], "merkel")}[column]
}

func TestRunAnswers(t *testing.T) {
	p := taskProgram(spanHead, nil, spanOf)
	context, question := "in 2010 Angela Merkel visited paris", "who visited paris"
	whole, err := json.Marshal(map[string]string{"question": question, "context": context, "id": "7"})
	require.NoError(t, err)
	var first string
	for name, r := range map[string]result{
		"both flags": runTask(t, p, false, "", "--json", "--question", question, "--context", context),
		"context":    runTask(t, p, false, question+"\n", "--json", "--context", context),
		"question":   runTask(t, p, false, "", "--json", "--question", question, context),
		"fields":     runTask(t, p, false, string(whole), "--json", "--input", "-"),
		"table":      runTask(t, p, false, "id,question,context\n1,"+question+","+context+"\n", "--json", "--input", "-", "--format", "csv"),
		"pair":       runTask(t, p, false, `{"text":"`+question+`","pair":"`+context+`"}`, "--json", "--input", "-"),
	} {
		require.Equal(t, ExitDone, r.code, "%s: %s", name, r.err)
		var got task.Answered
		object(t, r.out, &got)
		require.Len(t, got.Answers, 1)
		require.Equal(t, "Angela Merkel", got.Answers[0].Text, name)
		require.Equal(t, 8, got.Answers[0].Start)
		require.False(t, got.NoAnswer)
		if first == "" {
			first = r.out
		}
		require.Equal(t, first, r.out, name)
	}
	r := runTask(t, p, false, "", "--question", question, context)
	require.Contains(t, r.out, "who visited paris  (12 tokens)\n  Angela Merkel  0.9")
	require.Contains(t, r.out, "    in 2010 Angela Merkel visited paris\n            ^^^^^^^^^^^^^\n")
	r = runTask(t, p, false, "", "--json", "--no-answer-threshold", "-30", "--top", "3", "--context", context, question)
	var got task.Answered
	object(t, r.out, &got)
	require.True(t, got.NoAnswer)
	require.Len(t, got.Answers, 3)
	for want, in := range map[string]string{
		"there is no context to answer from":   `{"text":"who"}`,
		`"context" is 3, it must be a string`:  `{"text":"who","context":3}`,
		"which is meant?":                      `{"text":"x","question":"who","context":"a"}`,
		"a pair is a question and its context": `{"text":"x","pair":"y","question":"who"}`,
		`the object has no field "question" (it has: "context"); --question-field names another`: `{"context":"x"}`,
		`: it has no field "context" (it has: "ctx" "question"); --context-field names another`:  `{"question":"who","ctx":"x"}`,
	} {
		r := runTask(t, p, false, in, "--input", "-")
		require.Equal(t, ExitInput, r.code, in)
		require.Contains(t, r.err, "standard input:1: ")
		require.Contains(t, r.err, want)
	}
	r = runTask(t, p, false, `{"question":"who"}`, "--input", "-", "--format", "jsonl", "--input-name", "a.parquet")
	require.Contains(t, r.err, `a.parquet: row 1: there is no context to answer from: the row has no column "context"; --context-field names another`)
	r = runTask(t, taskProgram(tagsHead, nil, tagsOf), false, `{"question":"who"}`, "--input", "-", "--format", "jsonl", "--input-name", "a.parquet")
	require.Contains(t, r.err, `a.parquet: row 1: the row has no column "text"; --text-field names another`)
	dir := t.TempDir()
	for want, in := range map[string]string{
		`no column "question" in the header (its columns: q, context); --question-field names another`:     "q,context\nwho,x\n",
		`it has no field "context" (it has: question, ctx); --context-field names another, --context sets`: "question,ctx\nwho,x\n",
	} {
		file := filepath.Join(dir, "a.csv")
		require.NoError(t, os.WriteFile(file, []byte(in), 0o666))
		r := runTask(t, p, false, "", "--input", file)
		require.Equal(t, ExitInput, r.code, in)
		require.Contains(t, r.err, want)
		if strings.HasPrefix(in, "question") {
			r = runTask(t, taskProgram(tagsHead, nil, tagsOf), false, "", "--input", file)
			require.Contains(t, r.err, `a.csv:1: no column "text" in the header (its columns: question, ctx); --text-field names another`)
		}
	}
	r = runTask(t, p, false, string(whole), "--input", "-", "--context", "other")
	require.Contains(t, r.err, "sets another: leave out one of the two")
	r = runTask(t, p, false, "", "--question", "q", "--context", "c", "more")
	require.Equal(t, ExitUsage, r.code)
	r = runTask(t, taskProgram(tagsHead, nil, tagsOf), false, string(whole), "--input", "-")
	require.Contains(t, r.err, `standard input:1: the object has no field "text" (it has: "context" "id" "question"); --text-field names another`)
}

func TestRunChoices(t *testing.T) {
	p := taskProgram(engine.Head{Name: "mc", Task: tasktable.Choices, C: 1}, nil, func(ids []int32, _, _ int) float32 {
		sum := float32(0)
		for _, id := range ids {
			sum += likes(id, "paris")
		}
		return sum
	})
	r := runTask(t, p, false, "", "--options", "Rome, Paris", "--context", "the capital of france", "what is a city")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Equal(t, "what is a city  (24 tokens)\n  Paris  0.9999  ████████████████████\n  Rome   0.0001\n", r.out)
	r = runTask(t, p, false, `{"question":"where","options":["a, b","paris"]}`, "--json", "--input", "-")
	var got chosen
	object(t, r.out, &got)
	require.Equal(t, []any{1, "paris", 11}, []any{got.Index, got.Option, got.Tokens})
	for want, in := range map[string]string{
		"there are no options to choose from":                                                     `{"question":"where"}`,
		`it has no field "options" (it has: "choices" "question"); --options-field names another`: `{"question":"where","choices":["a"]}`,
		`"options" is empty`:                        `{"question":"where","options":[]}`,
		`"options" is "a", it must be an array`:     `{"question":"where","options":"a"}`,
		`"options" is ["a",3], it must be an array`: `{"question":"where","options":["a",3]}`,
	} {
		r := runTask(t, p, false, in, "--input", "-")
		require.Equal(t, ExitInput, r.code, in)
		require.Contains(t, r.err, want)
	}
	r = runTask(t, p, false, "", "--options", "a,"+strings.Repeat("b ", 70), "x")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "argument 1: with option 2: 74 tokens are too long")
	require.Contains(t, runTask(t, p, false, "", "--options", "a,,b", "x").err, "a part between its commas is empty")
	require.Contains(t, runTask(t, p, false, "", "--options", `["a",1]`, "x").err, "JSON array of strings")
}
