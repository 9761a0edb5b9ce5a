package program

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// AppendWords makes words a tokenizer.WordTokenizer.
func (w words) AppendWords(dst []tokenizer.Span, list []string, _ bool) ([]tokenizer.Span, error) {
	for i, one := range list {
		for _, s := range w.encode(nil, one, 0) {
			s.Word = int32(i)
			dst = append(dst, s)
		}
	}
	return dst, nil
}

// entityProgram returns a model that finds the word paris if a label is city, and merkel with the word before it if a label is who.
func entityProgram() *engine.Program {
	p := taskProgram(engine.Head{
		Name: "entities", Task: tasktable.Entities, Rows: engine.PerPair, C: 2, Width: 2, Prompt: &engine.Prompt{Mark: "[MASK]", End: "[SEP]", After: true},
	}, func(l *engine.Limits) { l.Words, l.Marks = true, true }, nil)
	p.Bind = func(w *engine.Weights, _ cpu.ISA) (engine.NewForward, error) {
		w.F32("table")
		return func(x *engine.Exec) (engine.Forward, error) {
			return func() error {
				out := x.Out
				for s := range x.B {
					for i := x.WordStarts[s]; i < x.WordStarts[s+1]; i++ {
						first, last := x.IDs[x.Words[2*i]], x.IDs[x.Words[2*i+1]-1]
						next := int32(0)
						if i+1 < x.WordStarts[s+1] {
							next = x.IDs[x.Words[2*i+2]]
						}
						for _, m := range x.Marks[x.MarkStarts[s]:x.MarkStarts[s+1]] {
							label := x.IDs[m]
							out[0], out[1] = -3, -3
							if label == word("city") {
								out[0] += likes(last, "paris")
							} else if label == word("who") {
								out[0] += likes(last, "merkel") - 5
								out[1] += likes(first, "angela") * likes(next, "merkel")
							}
							out = out[2:]
						}
					}
				}
				return x.Layer("all")
			}, nil
		}, nil
	}
	return p
}

// TestUnread checks the note about fields that a task with settings does not read.
func TestUnread(t *testing.T) {
	p := entityProgram()
	r := runWithSummary(t, p, false, `{"text":"a","thresold":1}`+"\n"+`{"text":"a","key":2,"thresold":1}`, "--input", "-", "--labels", "who")
	require.Contains(t, r.err, `note: fields of the input that this task does not read: "thresold", "key" (the settings of a text: threshold, thresholds, `)
	r = runWithSummary(t, p, false, "text,thresold\na,1\n", "--input", "-", "--labels", "who", "--format", "csv")
	require.Contains(t, r.err, `does not read: "thresold" (`)
	r = runWithSummary(t, p, false, `{"text":"a","key":2,"labels":["who"]}`, "--input", "-", "--echo", "key")
	require.NotContains(t, r.err, "note")
}

func TestRunEntities(t *testing.T) {
	p := entityProgram()
	text := "Angela Merkel visited paris"
	r := runTask(t, p, false, "", "--labels", "city, who", text)
	require.Equal(t, ExitDone, r.code, r.err)
	require.Contains(t, r.out, text+"  (")
	require.Contains(t, r.out, "^^^^^^^^^^^^^         ^^^^^\n  who   1.0000  ████████████████████  Angela Merkel\n  city  0.9975  ████████████████████  "+
		"paris\n")
	r = runTask(t, p, false, `{"text":"`+text+`","labels":["city"]}`+"\n"+`{"text":"`+text+`","labels":["who"]}`+"\n", "--json", "--input", "-",
		"--threshold", "0.1", "--nested")
	require.Equal(t, ExitDone, r.code, r.err)
	rows := strings.Split(strings.TrimSpace(r.out), "\n")
	var got [2]task.Extraction
	for i := range got {
		object(t, rows[i], &got[i])
	}
	require.Equal(t, []any{1, "city", 22, 27}, []any{len(got[0].Entities), got[0].Entities[0].Label, got[0].Entities[0].Start, got[0].Entities[0].End})
	require.Equal(t, []any{2, "Angela Merkel", "Merkel"}, []any{len(got[1].Entities), got[1].Entities[0].Text, got[1].Entities[1].Text}, "one inside the other")
	settings := `{"text":"` + text + `"}` + "\n" + `{"text":"` + text + `","threshold":0.1,"nested":true}` + "\n" +
		`{"text":"` + text + `","thresholds":{"who":1}}` + "\n" + `{"text":"` + text + `"}` + "\n"
	r = runTask(t, p, false, settings, "--json", "--input", "-", "--labels", "who")
	require.Equal(t, ExitDone, r.code, r.err)
	rows = strings.Split(strings.TrimSpace(r.out), "\n")
	for i, count := range []int{1, 2, 0, 1} {
		var one task.Extraction
		object(t, rows[i], &one)
		require.Len(t, one.Entities, count, "settings of line %d alone", i+1)
	}
	for want, in := range map[string]string{
		`"threshold" is "a", it must be a number from 0 to 1`: `{"text":"a","labels":["c"],"threshold":"a"}`,
		`Threshold is 2`:                                   `{"text":"a","labels":["c"],"threshold":2}`,
		`Thresholds names label "d"`:                       `{"text":"a","labels":["c"],"thresholds":{"d":0.5}}`,
		`"nested" is 1, it must be true or false`:          `{"text":"a","labels":["c"],"nested":1}`,
		`"multi_label" is [], it must be true or false`:    `{"text":"a","labels":["c"],"multi_label":[]}`,
		"there are no labels to look for":                  `{"text":"a"}`,
		`"labels": `:                                       `{"text":"a","labels":[]}`,
		`"labels" is "a", it must be an array`:             `{"text":"a","labels":"a"}`,
		"it is a pair, and this model's head takes single": `{"text":"a","pair":"b","labels":["c"]}`,
	} {
		r := runTask(t, p, false, in, "--input", "-")
		require.Equal(t, ExitInput, r.code, in)
		require.Contains(t, r.err, "standard input:1: ")
		require.Contains(t, r.err, want)
	}
	r = runTask(t, p, false, `{"text":"a","labels":["`+strings.Repeat("a ", 70)+`"]}`, "--input", "-", "--on-error", "skip")
	require.Contains(t, r.err, "1 of 1 text is left out: 1 too long; the first: standard input:1: \"labels\": 1 labels take ")
	r = runTask(t, p, false, `{"text":"a","labels":["c"]}`, "--input", "-", "--labels", "d")
	require.Contains(t, r.err, "sets others: leave out one of the two")
	require.Equal(t, ExitUsage, runTask(t, p, false, "", "--labels", "a,a", "x").code)
	// Thresholds of single labels, also if each record has labels of its own. A threshold of 0 keeps every entity, a threshold of 1 keeps no entity.
	for threshold, want := range map[string]string{"1": "", "0.5,who=1": "city", "1, city=0": "city", `{"city": 1}`: "who", "who=0,city=1": "who"} {
		for _, own := range []bool{false, true} {
			args, in := []string{"--threshold", threshold, "--labels", "city,who", text}, ""
			if own {
				args, in = []string{"--threshold", threshold + map[bool]string{true: "", false: ",other=0.1"}[threshold[0] == '{'], "--input",
					"-"}, `{"text":"`+text+`","labels":["city","who"]}`
			}
			r := runTask(t, p, false, in, args...)
			require.Equal(t, ExitDone, r.code, r.err)
			for _, l := range []string{"city", "who"} {
				require.Equal(t, want == l, strings.Contains(r.out, "\n  "+l+" "), "%s: %s\n%s", threshold, l, r.out)
			}
		}
	}
	for threshold, want := range map[string]string{
		"2": "--threshold 2: it must be from 0 to 1", "who=-1": "--threshold -1", "NaN": "--threshold NaN", "x": `--threshold "x": it must be a number`,
		"":        `--threshold "": it must be`,
		"0.1,0.2": "another number without a label", "=1": "empty or given twice", "who=1,who=0": "given twice", `{"a":"b"}`: "a JSON object of labels",
		`{"who":null}`: "a JSON object of labels", "{}": "a JSON object of labels", "other=0.5": `Thresholds names label "other"`,
	} {
		r := runTask(t, p, false, "", "--labels", "city,who", "--threshold", threshold, "x")
		require.Equal(t, ExitUsage, r.code, threshold)
		require.Contains(t, r.err, want)
	}
	require.Contains(t, runTask(t, nliProgram(), false, "", "--nested", "x").err, "--nested belongs to heads of the kind entities")
}
