package task

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// markedPieces is a tokenizer with a token for each byte, and for the marks of a prompt.
type markedPieces struct{ wordPieces }

var marks = []string{"<<LABEL>>", "<<SEP>>", "<<EXAMPLE>>"}

// The numbers of the marks, and of the first byte.
const (
	idMark = 5 + iota
	idEnd
	idExample
	idByte
)

func (markedPieces) ID(piece string) (int32, bool) {
	for i, m := range marks {
		if m == piece {
			return int32(idMark + i), true
		}
	}
	return 0, false
}

func (markedPieces) AppendIDs(dst []int32, text string, _ bool) ([]int32, error) {
next:
	for text != "" {
		for i, m := range marks {
			if rest, ok := strings.CutPrefix(text, m); ok {
				dst, text = append(dst, int32(idMark+i)), rest
				continue next
			}
		}
		dst, text = append(dst, idByte+int32(text[0])), text[1:]
	}
	return dst, nil
}

// matcher opens a model whose number for a label is made from the tokens of the label, its sequence and its text.
func matcher(t testing.TB, p engine.Prompt, opts ...runtime.Option) *Matcher {
	p.Mark, p.End, p.Example = marks[0], marks[1], marks[2]
	f := fake{
		heads:  []engine.Head{{Task: tasktable.OwnLabels, Rows: engine.PerWord, C: 1, Prompt: &p}},
		limits: func(l *engine.Limits) { l.Types, l.Words, l.Prefix = 3, true, p.FromEnd },
		forward: func(x *engine.Exec) {
			for s := range x.B {
				sum := 0
				for i := x.Starts[s]; i < x.Starts[s+1]; i++ {
					sum += int(x.IDs[i]) * int(i-x.Starts[s]+1)
				}
				for w := x.WordStarts[s]; w < x.WordStarts[s+1]; w++ {
					for i := x.Words[2*w]; i < x.Words[2*w+1]; i++ {
						sum += int(x.IDs[i])
					}
					x.Out[w] = float32(4 * noise(sum, int(w-x.WordStarts[s])))
				}
			}
		},
		token: markedPieces{},
	}
	m, err := NewMatcher(f.open(t, opts...), "")
	require.NoError(t, err)
	return m
}

// TestLabelPlaces checks the text that the model reads, the rows of labels, the beginning of the text and the kinds of tokens.
func TestLabelPlaces(t *testing.T) {
	in := MatchInput{Text: "xy", Labels: []string{"ab", "", "c"}}
	few := []MatchExample{{"z", []string{"c", "ab"}}}
	for name, c := range map[string]struct {
		prompt engine.Prompt
		in     MatchInput
		o      MatchOptions
		text   string
		words  []int32
		prefix int32
		types  string
		cut    int
	}{
		"in front":     {engine.Prompt{}, in, MatchOptions{}, "LabLLcSxy", []int32{1, 2, 4, 5, 5, 6}, 0, "00000001111", 0},
		"last":         {engine.Prompt{Last: true}, in, MatchOptions{Prompt: "p"}, "xyLabLLcSp", []int32{3, 4, 6, 7, 7, 8}, 0, "000000000111", 0},
		"after":        {engine.Prompt{After: true}, in, MatchOptions{}, "LabLLcSxy", []int32{2, 3, 5, 6, 6, 7}, 0, "00000001111", 0},
		"whole":        {engine.Prompt{Whole: true}, in, MatchOptions{}, "LabLLcSxy", []int32{1, 4, 4, 5, 5, 11}, 0, "00000001111", 0},
		"after, whole": {engine.Prompt{Whole: true, After: true}, in, MatchOptions{}, "LabLLcSxy", []int32{2, 4, 5, 5, 6, 11}, 0, "00000001111", 0},
		"from the end": {engine.Prompt{Whole: true, FromEnd: true}, in, MatchOptions{}, "LabLLcSxy", []int32{1, 4, 4, 5, 5, 7}, 7, "00000001111", 0},
		"examples": {engine.Prompt{}, in, MatchOptions{Examples: few}, "LabLLcSxyEz \nLabels:\n c, abS",
			[]int32{1, 2, 4, 5, 5, 6}, 0, strings.Repeat("2", 30), 0},
		"cut":           {engine.Prompt{FromEnd: true}, in, MatchOptions{MaxLength: 6}, "LabLLcSxy", []int32{1, 2, 4, 5, 5, 5}, 0, "111111", 1},
		"cut at a mark": {engine.Prompt{After: true}, in, MatchOptions{MaxLength: 6}, "LabLLcSxy", []int32{2, 3, 5, 6, 6, 6}, 0, "111111", 1},
		"marks in a text": {engine.Prompt{Last: true, Whole: true, FromEnd: true}, MatchInput{Text: "x<<SEP>><<LABEL>>", Labels: []string{"a"}}, MatchOptions{},
			"xSLLaS", []int32{2, 2}, 2, "00111111", 0},
	} {
		p := c.prompt
		p.Mark, p.End, p.Example = marks[0], marks[1], marks[2]
		m, err := NewLabelPrompt(&p, markedPieces{}, engine.Limits{Types: 3})
		require.NoError(t, err)
		short := strings.NewReplacer(marks[0], "L", marks[1], "S", marks[2], "E").Replace(m.Input(c.in, c.o))
		require.Equal(t, c.text, short, name)
		var s engine.Sequence
		cut, err := m.Sequence(&s, c.in, c.o)
		require.NoError(t, err)
		var types strings.Builder
		for _, k := range s.Types {
			fmt.Fprint(&types, k)
		}
		require.Equal(t, []any{c.words, c.prefix, c.types, c.cut}, []any{s.Words, s.Prefix, types.String(), cut}, name)
	}
}

// TestMatchEach checks that the result of a text with labels and options of its own has the same bits alone and among others.
func TestMatchEach(t *testing.T) {
	m := matcher(t, engine.Prompt{FromEnd: true})
	o := &MatchOptions{Single: true, Prompt: "which?"}
	inputs := []MatchInput{{Text: "one", Labels: []string{"a", "b"}}, {Text: "", Labels: []string{"a", "a", "c"}, Options: o},
		{Text: "東", Labels: []string{"x"}},
		{Text: "much longer", Labels: []string{"a"}, Options: &MatchOptions{MaxLength: 12}}, {Text: "one", Labels: []string{"b", "a"}}}
	all, err := m.MatchEach(background, inputs, MatchOptions{})
	require.NoError(t, err)
	for i, in := range inputs {
		one, err := m.MatchEach(background, []MatchInput{in}, MatchOptions{})
		require.NoError(t, err)
		require.Equal(t, all[i], one[0])
		require.Len(t, all[i].Scores, len(in.Labels))
	}
	require.Len(t, all[1].Labels, 1)
	require.InDelta(t, 1, all[1].Scores[0]+all[1].Scores[1]+all[1].Scores[2], 1e-12)
	require.Equal(t, runtime.Seen{Tokens: 12, Truncated: 4, Windows: 1}, all[3].Seen)
	same, err := m.Match(background, []string{"one", "x"}, []string{"a", "b"}, MatchOptions{})
	require.NoError(t, err)
	require.Equal(t, all[0], same[0])
}

// TestMatchRefuses checks the errors for labels, options and texts.
func TestMatchRefuses(t *testing.T) {
	m := matcher(t, engine.Prompt{})
	for text, c := range map[string]struct {
		labels []string
		o      MatchOptions
	}{
		"there are no labels":                                      {},
		`the label "a<<SEP>>" contains <<SEP>>`:                    {labels: []string{"a<<SEP>>"}},
		"a label: byte 0 (0xff) is not valid UTF-8":                {labels: []string{"\xff"}},
		"the prompt: byte 0 (0xff) is not valid UTF-8":             {labels: []string{"a"}, o: MatchOptions{Prompt: "\xff"}},
		"the text of an example: byte 0 (0xff) is not valid UTF-8": {labels: []string{"a"}, o: MatchOptions{Examples: []MatchExample{{Text: "\xff"}}}},
		`the label of an example "<<LABEL>>" contains`: {labels: []string{"a"},
			o: MatchOptions{Examples: []MatchExample{{Labels: []string{"<<LABEL>>"}}}}},
		"MaxLength is 2: it must be above the 2": {labels: []string{"a"}, o: MatchOptions{MaxLength: 2}},
	} {
		_, err := m.Match(background, []string{"x"}, c.labels, c.o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, text)
	}
	long := strings.Repeat("x", 70)
	_, err := m.Match(background, []string{"x", long}, []string{"a"}, MatchOptions{})
	require.ErrorIs(t, err, runtime.ErrTooLong)
	require.ErrorContains(t, err, "75 tokens with its labels are too long, the limit is 64")
	r, err := m.Match(background, []string{long}, []string{"a"}, MatchOptions{MaxLength: 20})
	require.NoError(t, err)
	require.Equal(t, 55, r[0].Truncated)
	r, err = matcher(t, engine.Prompt{}, runtime.Long(runtime.Truncate)).Match(background, []string{long}, []string{"a"}, MatchOptions{})
	require.NoError(t, err)
	require.Equal(t, runtime.Seen{Tokens: 64, Truncated: 11, Windows: 1}, r[0].Seen)
	_, err = matcher(t, engine.Prompt{}, runtime.Long(runtime.Windows(2))).Match(background, []string{long}, []string{"a"}, MatchOptions{})
	require.ErrorContains(t, err, "it is not read in windows")
}

// TestDecodeMatch checks which labels fit: those with at least the threshold, or the first of the best ones.
func TestDecodeMatch(t *testing.T) {
	labels, logits := []string{"a", "b", "c"}, []float32{0, -1, 2}
	require.Equal(t, []MatchedLabel{{"a", 0, 0.5}, {"c", 2, 0.8807970779778823}}, DecodeMatch(labels, logits, MatchOptions{}).Labels)
	require.Empty(t, DecodeMatch(labels, logits, MatchOptions{Threshold: new(0.9)}).Labels)
	one := DecodeMatch(labels, []float32{1, 1, 0}, MatchOptions{Single: true, Threshold: new(1.0)})
	require.Equal(t, "a", one.Labels[0].Label)
	require.InDelta(t, 0.4223188, one.Labels[0].Score, 1e-7)
}

// TestLabelTree checks how labels in groups are read and printed.
func TestLabelTree(t *testing.T) {
	for text, c := range map[string]struct {
		flat   []string
		scored string
	}{
		`["a", "b c", ""]`: {[]string{"a", "b c", ""}, `{"a":1,"b c":2,"":3}`},
		`["a", "b", "a"]`:  {[]string{"a", "b", "a"}, `{"a":3,"b":2}`},
		`{"m": ["x", "y"], "t": {"s": ["b"], "o": "tax"}}`: {[]string{"m.x", "m.y", "t.s.b", "t.o.tax"}, `{"m":{"x":1,"y":2},"t":{"s":{"b":3},"o":{"tax":4}}}`},
		`{"": ["x"], "e": {}}`:                             {[]string{"x"}, `{"":{"x":1},"e":{}}`},
		`{"\"": ["ü<>"]}`:                                  {[]string{"\".ü<>"}, `{"\"":{"ü\u003c\u003e":1}}`},
	} {
		var tree LabelTree
		require.NoError(t, json.Unmarshal([]byte(text), &tree), text)
		require.Equal(t, c.flat, tree.Flat(), text)
		got, err := tree.Scored(&Matched{Scores: []float64{1, 2, 3, 4}})
		require.NoError(t, err)
		require.Equal(t, c.scored, string(got), text)
	}
	tree := LabelTree{Labels: []string{"a", "a", "b"}}
	for want, o := range map[string]MatchOptions{
		`{"a":0.6652409557748218,"b":0.09003057317038046}`: {Single: true},
		`{"a":0.8807970779778823,"b":0.5}`:                 {Threshold: new(0.8)},
		`{"a":0.7310585786300049,"b":0.5}`:                 {Threshold: new(0.9)}, // none fits
	} {
		m := DecodeMatch(tree.Labels, []float32{2, 1, 0}, o)
		got, err := tree.Scored(&m)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	for text, want := range map[string]string{
		`"a"`: "not one string", `[1]`: "holds 1, which is not a string", `{"a": 2}`: "hold 2, which is neither", `{"a": ["b"], "a": ["c"]}`: "occurs twice",
		`[["a"]]`: "which is not a string",
	} {
		require.ErrorContains(t, json.Unmarshal([]byte(text), &LabelTree{}), want, text)
	}
}

// TestMatchExample checks both names of an example's labels, and one label in place of a list.
func TestMatchExample(t *testing.T) {
	var list []MatchExample
	require.NoError(t, json.Unmarshal([]byte(`[{"text": "a", "labels": ["x", "y"]}, {"text": "b", "true_labels": "z"}, {}]`), &list))
	require.Equal(t, []MatchExample{{"a", []string{"x", "y"}}, {"b", []string{"z"}}, {}}, list)
	require.Error(t, json.Unmarshal([]byte(`[{"labels": 1}]`), &list))
	require.ErrorContains(t, json.Unmarshal([]byte(`[{"text": "a", "label": "x"}]`), &list), `unknown field "label"`)
	for _, null := range []string{`[null]`, `[{"text": null}]`, `[{"labels": null}]`, `[{"true_labels": null}]`, `[{"labels": ["x", null]}]`} {
		require.ErrorContains(t, json.Unmarshal([]byte(null), &list), "null", null)
	}
}
