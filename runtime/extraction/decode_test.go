package extraction

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/tokenizer"
)

// letters is a tokenizer that has one token per code point, except for U+0001, which has none. Markers in a text are read.
type letters struct{ tokenizer.SpanTokenizer }

func (letters) ID(piece string) (int32, bool) {
	for i, m := range Markers {
		if m == piece {
			return int32(i), true
		}
	}
	return -1, false
}

func (l letters) AppendIDs(dst []int32, text string, specials bool) ([]int32, error) {
	for text != "" {
		if end := strings.IndexByte(text, ']'); specials && text[0] == '[' && end > 0 {
			if id, ok := l.ID(text[:end+1]); ok {
				dst, text = append(dst, id), text[end+1:]
				continue
			}
		}
		r, n := utf8.DecodeRuneInString(text)
		if r != 1 {
			dst = append(dst, 1000+r)
		}
		text = text[n:]
	}
	return dst, nil
}

// numbers are numbers that functions compute. Missing functions return numbers of results that are not there.
type numbers struct {
	count int
	class func(label int) float32
	span  func(label, instance, start, end int) float32
	in    *Input
	pool  []Boundary
	null  float32
}

const width = 3

func (n *numbers) Class(mark int) float32 { return n.class(n.in.Marks[mark].Label) }

func (n *numbers) Count(int) []float32 {
	x := make([]float32, MaxCount+1)
	x[n.count] = 1
	return x
}

func (n *numbers) Span(mark, instance, word int) []float32 {
	x := make([]float32, width)
	for w := range x {
		x[w] = n.span(n.in.Marks[mark].Label, instance, word, word+w+1)
	}
	return x
}

func (n *numbers) Pool() []Boundary { return n.pool }

func (n *numbers) Pair(mark int) []float32 {
	var x []float32
	for _, p := range n.pool {
		x = append(x, n.span(n.in.Marks[mark].Label, 0, int(p.Start), int(p.End)))
	}
	return x
}

func (n *numbers) Null(int) float32 { return n.null }

// read returns the input for a schema in its JSON form and a text.
func read(t testing.TB, schema, text string) (*Schema, *Input) {
	s, err := ParseSchema([]byte(schema))
	require.NoError(t, err)
	p, err := NewPrompts(letters{})
	require.NoError(t, err)
	in, err := p.Input(s, Read(text, SplitWords, 0))
	require.NoError(t, err)
	return s, in
}

// published returns the published form of a result.
func published(t testing.TB, r *Result, f Format) string {
	text, err := r.JSON(f)
	require.NoError(t, err)
	require.True(t, json.Valid(text), "%s", text)
	members, err := r.Members(f)
	require.NoError(t, err)
	require.Equal(t, string(text), "{"+string(members)+"}")
	return string(text)
}

// TestThresholds tries probabilities that equal a threshold: a span and a label are kept, and a label whose absence is as probable as the limit has results.
func TestThresholds(t *testing.T) {
	s, in := read(t, `{"entities": ["a"], "classifications": [{"task": "t", "labels": ["x", "y"], "multi_label": true}]}`, "one")
	n := &numbers{count: 1, in: in, pool: []Boundary{{0, 1}, {0, 2}}, class: func(int) float32 { return 0 }}
	n.span = func(_, _, start, end int) float32 { return float32(1 - end) } // probability 1/2 of the first word
	want := `{"entities":{"a":["one"]},"t":["x","y"]}`
	require.Equal(t, want, published(t, DecodeSpans(s, in, n, &Options{}), Format{}))
	b := &BoundarySettings{PairTemperature: 1, ClassTemperature: 1, Abstention: true, AbstentionThreshold: 0.5, Overlap: Allow}
	require.Equal(t, want, published(t, DecodeBoundaries(s, in, n, b, &Options{}), Format{}))
	b.Overlap, n.null = Flat, 1e-6
	require.Equal(t, `{"entities":{"a":[]},"t":["x","y"]}`, published(t, DecodeBoundaries(s, in, n, b, &Options{}), Format{}))
	b.Abstention, b.Overlap = false, Greedy
	require.Equal(t, want, published(t, DecodeBoundaries(s, in, n, b, &Options{}), Format{}))
	o := &Options{Threshold: new(0.5000001)}
	require.Equal(t, `{"entities":{"a":[]},"t":["x","y"]}`, published(t, DecodeSpans(s, in, n, o), Format{}))
	for threshold, spans := range map[float64]int{0: 3, 1: 0} { // "one", "one." and "."
		r := DecodeSpans(s, in, n, &Options{Threshold: &threshold, Overlap: Allow})
		require.Len(t, r.Entities[0].Spans, spans)
	}
	n.span = func(_, _, _, _ int) float32 { return 40 } // a probability of exactly 1
	require.Len(t, DecodeSpans(s, in, n, &Options{Threshold: new(1.0), Overlap: Allow}).Entities[0].Spans, 3)
}

// TestTemperatures tries the numbers that logits of a boundary head are divided by.
func TestTemperatures(t *testing.T) {
	s, in := read(t, `{"entities": ["a"], "classifications": [{"task": "t", "labels": ["x", "y"]}]}`, "one")
	n := &numbers{in: in, pool: []Boundary{{0, 1}}, class: func(l int) float32 { return float32(l) }}
	n.span = func(_, _, _, _ int) float32 { return 3 }
	r := DecodeBoundaries(s, in, n, &BoundarySettings{PairTemperature: 3, ClassTemperature: 0.5}, &Options{})
	require.InDelta(t, 1/(1+math.Exp(-1)), r.Entities[0].Spans[0].Score, 1e-12)
	require.Equal(t, "y", r.Answers[0].Labels[0].Label)
	require.InDelta(t, 1/(1+math.Exp(-2)), r.Answers[0].Labels[0].Score, 1e-12)
}

// TestNothing tries what stands in place of results that are not there.
func TestNothing(t *testing.T) {
	schema := `{"entities": {"a": {"dtype": "str"}, "b": {}}, "relations": {"r": {}, "q": "of it"},
		"structures": {"s": {"fields": [{"name": "f"}]}, "p": {"fields": [{"name": "head"}, {"name": "tail", "choices": ["x"]}]}}}`
	s, in := read(t, schema, "one two")
	n := &numbers{in: in, span: func(_, _, _, _ int) float32 { return -9 }}
	require.Equal(t, `{"entities":{},"relation_extraction":{"r":[],"q":[]},"s":{},"p":{},"q: of it":[]}`,
		published(t, DecodeSpans(s, in, n, &Options{}), Format{true, true}))
	n.count = MaxCount
	require.Equal(t, `{"entities":{"a":null,"b":[]},"relation_extraction":{"r":[],"q":[]},"s":[],"p":[],"q: of it":[]}`,
		published(t, DecodeSpans(s, in, n, &Options{}), Format{true, true}))
	// the last instance alone has values
	n.span = func(_, instance, start, end int) float32 {
		if instance == MaxCount-1 && end == start+1 {
			return float32(9 - start)
		}
		return -9
	}
	r := DecodeSpans(s, in, n, &Options{})
	require.Equal(t, `{"entities":{"a":null,"b":[]},`+
		`"relation_extraction":{"p":[{"head":["one","two","."],"tail":["x"]}],"r":[["one","one"]],"q":[],"q: of it":[["one","one"]]},`+
		`"s":[{"f":["one","two","."]}]}`, published(t, r, Format{}))
	require.True(t, r.Instances[0].Counted)
}

// TestChoices tries fields with choices: the first word that equals a choice counts, also if it is the name of a field, and equal choices are one.
func TestChoices(t *testing.T) {
	s, in := read(t, `{"structures": {"s": {"fields": [{"name": "Red", "choices": ["b", "red", "RED"]},
		{"name": "g", "dtype": "str", "choices": ["b", ")", "k"]}]}}}`, "one")
	require.Equal(t, []string{"(", "s:", "Red", "(", "b", "|", "red", "|", "RED", ")", ",", "g", "(", "b", "|", ")", "|", "k", ")", ")"}, in.Choices)
	var asked []int
	n := &numbers{count: 1, in: in, span: func(_, _, start, end int) float32 {
		if end == start+1 {
			asked = append(asked, start)
			return float32(start)
		}
		return -9
	}}
	r := DecodeSpans(s, in, n, &Options{})
	require.Equal(t, []int{4, 2, 2, 4, 9, 17}, asked)
	require.Equal(t, `{"s":[{"Red":["b","red"],"g":"k"}]}`, published(t, r, Format{}))
}

// TestInputPlaces tries words without tokens, which have the rows of their neighbors.
func TestInputPlaces(t *testing.T) {
	_, in := read(t, `{"entities": ["\u0001"]}`, "\u0001 ab \u0001 \u0001 c!")
	require.Equal(t, []int32{1, int32(2 + len("entities") + 1)}, []int32{in.Marks[0].Row, in.Marks[1].Row})
	first := int32(len(in.IDs) - len("abc!"))
	for i := range in.Words {
		in.Words[i] -= first
	}
	require.Equal(t, []int32{0, 2, 0, 2, 2, 3, 2, 3, 2, 3, 3, 4}, in.Words)
	p, err := NewPrompts(letters{})
	require.NoError(t, err)
	s := &Schema{Relations: []Relation{{Name: "r"}}}
	for words, want := range map[string][]int32{"\u0001 \u0001": {-1, 0, -1, 0}, "a \u0001": {0, 1, 0, 1}} {
		in, err := p.Input(s, Read(words, SplitWords, 2))
		require.NoError(t, err)
		after := int32(0)
		for i, id := range in.IDs {
			if id == 1 { // [SEP_TEXT]
				after = int32(i) + 1
			}
		}
		for i := range want {
			want[i] += after
		}
		require.Equal(t, want, in.Words)
	}
}

type noMarkers struct{ letters }

func (noMarkers) ID(piece string) (int32, bool) { return 0, piece != "[C]" }

func TestNoMarkers(t *testing.T) {
	_, err := NewPrompts(noMarkers{})
	require.ErrorContains(t, err, `the tokenizer has no token "[C]", which prompts of an extractor need`)
}

func TestCheckBoundary(t *testing.T) {
	for schema, want := range map[string]string{
		`{"entities": ["a"], "structures": {"s": {"fields": [{"name": "f"}]}}}`: `structures["s"]: a model with a boundary head finds entities and classifies`,
		`{"relations": {"r": "d"}}`: `relations["r"]: `,
		`{"entities": ["a"], "entity_attributes": {"g": {"labels": ["x"]}}}`:            `entity_attributes["g"]: `,
		`{"entities": ["a"], "classifications": [{"task": "t", "labels": ["x", "y"]}]}`: "",
	} {
		s, err := ParseSchema([]byte(schema))
		require.NoError(t, err)
		if err = CheckBoundary(s); want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"threshold is 1.5: it must be from 0 to 1":      {Threshold: new(1.5)},
		"threshold is NaN":                              {Threshold: new(math.NaN())},
		"word_splitter is \"x\"":                        {Splitter: "x"},
		"overlap_policy is 9: it must be a rule":        {Overlap: 9},
		"max_len is -1: it must be above 0":             {MaxWords: -1},
		"chunk_size is -1: it must be above 0":          {Window: -1},
		"chunk_overlap is 1 and has no effect without":  {Share: 1},
		"chunk_overlap is 3: it must be from 0 to 2, b": {Window: 3, Share: 3},
		"chunk_overlap is -1: it must be from 0 to 2":   {Window: 3, Share: -1},
		"max_len has no effect in windows":              {Window: 3, MaxWords: 2},
	} {
		require.ErrorContains(t, o.Check(), want)
	}
	require.NoError(t, new(Options).Check())
	require.NoError(t, (&Options{Window: 3, Share: 2, Overlap: Allow, Splitter: SplitChars, Threshold: new(0.0)}).Check())
}

// TestWindows tries the places of windows, and the full stop that a full window loses.
func TestWindows(t *testing.T) {
	o := &Options{Window: 3, Share: 1}
	text := "é one two three four  five "
	var got []string
	for _, w := range Windows(text, o) {
		require.Equal(t, text[w.Start:w.End], w.Text)
		require.Equal(t, len([]rune(text[:w.Start])), w.RuneStart)
		got = append(got, w.Text)
	}
	require.Equal(t, []string{"é one two", "two three four", "four  five"}, got)
	require.Len(t, Read(got[0], SplitWords, o.Window).Words, 3)
	require.Equal(t, ".", Read(got[2], SplitWords, o.Window).Words[2].Text)
	require.Equal(t, []Window{{"\u3000\n", Place{0, 4, 0, 2}}}, Windows("\u3000\n", o))
	require.Len(t, Windows("a b c", o), 1)
	require.Equal(t, []Window{{" a b ", Place{0, 5, 0, 5}}}, Windows(" a b ", &Options{}), "a Window of 0 reads the text at once")
}

// TestMergeInstances checks that equal instances of two windows are kept once, with all scores of the one whose best score is higher.
func TestMergeInstances(t *testing.T) {
	text := "a b a b"
	instance := func(scores ...float64) *Result {
		spans := []Span{{Text: "a", Score: scores[0], Place: Place{0, 1, 0, 1}}, {Text: "b", Score: scores[1], Place: Place{2, 3, 2, 3}}}
		v := []Value{{Field: "f", Spans: spans}, {Field: "g", Choices: []Scored{{Label: "x", Score: scores[2]}}}}
		return &Result{Instances: []Instances{{Structure: "s", Instances: []Instance{v}}}}
	}
	windows := []Window{{text, Place{0, 7, 0, 7}}, {text, Place{0, 7, 0, 7}}}
	for _, higher := range [][]float64{{0.6, 0.9, 0.1}, {0.9, 0.6, 0.1}, {0.6, 0.6, 0.9}} {
		lower := []float64{0.8, 0.8, 0.8}
		for _, order := range [][2][]float64{{higher, lower}, {lower, higher}} {
			m := Merge(text, windows, []*Result{instance(order[0]...), instance(order[1]...)}, Flat)
			require.Equal(t, instance(higher...).Instances, m.Instances)
		}
	}
}

// TestWindowsWideCharacters tries windows whose added full stop stands where the text has a character of several bytes.
func TestWindowsWideCharacters(t *testing.T) {
	s := &Schema{Entities: []Entity{{Label: "a"}}}
	p, err := NewPrompts(letters{})
	require.NoError(t, err)
	o := &Options{Window: 1, Splitter: SplitChars, Overlap: Allow, Threshold: new(0.0)}
	for text, want := range map[string][]string{
		"see 東": {"see ", "東"}, "seeé x": {"seeé", "é", "x."}, "a😀b": {"a😀", "😀", "b."}, "x東é": {"x東", "東", "é"},
		"é x\u3000é": {"é", "x\u3000", "é"}, "\u3000": {"."},
	} {
		windows := Windows(text, o)
		var results []*Result
		for _, w := range windows {
			in, err := p.Input(s, Read(w.Text, o.Splitter, o.Window))
			require.NoError(t, err)
			n := &numbers{in: in, count: 1, span: func(_, _, _, _ int) float32 { return 0 }}
			results = append(results, DecodeSpans(s, in, n, o))
		}
		var got []string
		for _, e := range Merge(text, windows, results, o.Overlap).Entities[0].Spans {
			got = append(got, e.Text)
			if e.End <= len(text) {
				require.Equal(t, e.Text, text[e.Start:e.End], text)
				require.Equal(t, e.Text, string([]rune(text)[e.RuneStart:e.RuneEnd]), text)
			}
		}
		require.Equal(t, want, got, text)
	}
}

// FuzzDecode decodes any numbers with any options, at once and in windows, and writes the results.
func FuzzDecode(f *testing.F) {
	f.Add("one two three. four", []byte("numbers of a model"), byte(0), byte(2), true)
	f.Add("", []byte{}, byte(3), byte(1), false)
	schema := strings.Replace(allOfIt, `"s":{`, `"p":{"fields":[{"name":"head"},{"name":"tail","dtype":"str"}]},"s":{`, 1)
	f.Fuzz(func(t *testing.T, text string, data []byte, overlap, window byte, flag bool) {
		s, err := ParseSchema([]byte(schema))
		require.NoError(t, err)
		p, err := NewPrompts(letters{})
		require.NoError(t, err)
		o := &Options{Overlap: Overlap(overlap) % (Allow + 1), Window: 2 + int(window%5), Share: int(window % 2)}
		require.NoError(t, o.Check())
		draw := func(k int) float32 {
			if len(data) < 4 {
				return float32(k%7) - 3
			}
			x := math.Float32frombits(binary.LittleEndian.Uint32(data[k%(len(data)-3):]))
			if x-x != 0 {
				return 0 // NaN and infinities are an error before results are made
			}
			return x
		}
		windows := Windows(text, o)
		if len(windows) > 20 {
			return
		}
		var results []*Result
		for i, w := range windows {
			in, err := p.Input(s, Read(w.Text, SplitWords, o.Window))
			require.NoError(t, err)
			n := &numbers{in: in, count: (i + len(data)) % 4, class: func(l int) float32 { return draw(l) }}
			n.span = func(label, instance, start, end int) float32 { return draw(label*31 + instance*7 + start*3 + end) }
			results = append(results, DecodeSpans(s, in, n, o))
			published(t, results[i], Format{flag, !flag})
		}
		published(t, Merge(text, windows, results, o.Overlap), Format{!flag, flag})
	})
}
