package program

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// markedWords is words whose special tokens need no blanks around them.
type markedWords struct{ words }

func (w markedWords) AppendIDs(dst []int32, text string, specials bool) ([]int32, error) {
	for _, mark := range []string{"[MASK]", "[SEP]", "[UNK]"} {
		text = strings.ReplaceAll(text, mark, " "+mark+" ")
	}
	return w.words.AppendIDs(dst, text, specials)
}

// ownLabelsProgram returns a model whose number for a label is higher if the text begins with the word of the label.
func ownLabelsProgram() *engine.Program {
	p := taskProgram(engine.Head{
		Name: "match", Task: tasktable.OwnLabels, Rows: engine.PerWord, C: 1, Prompt: &engine.Prompt{Mark: "[MASK]", End: "[SEP]", Example: "[UNK]"},
	}, func(l *engine.Limits) { l.Words = true }, nil)
	p.Tokenizer = func(string, []byte) (tokenizer.Tokenizer, error) { return markedWords{}, nil }
	p.Bind = func(w *engine.Weights, _ cpu.ISA) (engine.NewForward, error) {
		w.F32("table")
		return func(x *engine.Exec) (engine.Forward, error) {
			return func() error {
				for s := range x.B {
					for i := x.WordStarts[s]; i < x.WordStarts[s+1]; i++ {
						if x.Words[2*i] == x.Words[2*i+1] {
							continue // the row of the text
						}
						label := x.IDs[min(int(x.Words[2*i])+1, len(x.IDs)-1)] // follows its mark
						n := 0
						for _, id := range x.IDs[x.Starts[s]:x.Starts[s+1]] {
							if id == label {
								n++
							}
						}
						x.Out[i] = float32(3*n - 4) // once in the prompt, and perhaps in the text
					}
				}
				return x.Layer("all")
			}, nil
		}, nil
	}
	return p
}

func TestRunOwnLabels(t *testing.T) {
	p := ownLabelsProgram()
	lines := func(settings ...string) string {
		in := ""
		for _, s := range settings {
			in += `{"text":"paris merkel","labels":["paris","angela"]` + s + "}\n"
		}
		return in
	}
	r := runTask(t, p, false, lines(``, `,"threshold":0`, `,"classification_type":"Single_Label"`, `,"classification_type":"multi-label"`, `,"threshold":0.9`,
		`,"threshold":null,"max_length":null`, `,"return_hierarchical":true`), "--json", "--input", "-")
	require.Equal(t, ExitDone, r.code, r.err)
	for i, row := range strings.Split(strings.TrimSpace(r.out), "\n") {
		require.Equal(t, i == 1 || i == 6, strings.Contains(row, `angela`), row)
		require.Equal(t, i != 4, strings.Contains(row, `paris`), row)
	}
	for want, in := range map[string]string{
		`"threshold" is "a", it must be a number`:                               lines(`,"threshold":"a"`),
		`"max_length" is 0, it must be a whole number above 0`:                  lines(`,"max_length":0`),
		`"max_length" is -1, it must be a whole number above 0`:                 lines(`,"max_length":-1`),
		`"max_length" is 1.5, it must be a whole number above 0`:                lines(`,"max_length":1.5`),
		`"classification_type" is "x": it must be multi-label or single-label`:  lines(`,"classification_type":"x"`),
		`"return_hierarchical" is 1, it must be true or false`:                  lines(`,"return_hierarchical":1`),
		`"examples" is 1, it must be an array of objects with text and labels`:  lines(`,"examples":1`),
		`there are no labels to choose from: it has no field "labels" (it has:`: `{"text":"a"}`,
		"Threshold is 2": lines(`,"threshold":2`),
	} {
		r := runTask(t, p, false, in, "--input", "-")
		require.Equal(t, ExitInput, r.code, in)
		require.Contains(t, r.err, "standard input:1: ")
		require.Contains(t, r.err, want)
	}
	r = runTask(t, p, false, lines(``), "--input", "-", "--labels", "d")
	require.Contains(t, r.err, "sets others: leave out one of the two")
}
