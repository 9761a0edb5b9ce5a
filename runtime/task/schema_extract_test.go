package task

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/tasktable"
)

// schemaPieces is a tokenizer with a token for each marker of a schema, and for each byte.
type schemaPieces struct{ wordPieces }

const idSchemaByte = 20

func (schemaPieces) ID(piece string) (int32, bool) {
	for i, m := range extraction.Markers {
		if m == piece {
			return int32(5 + i), true
		}
	}
	return 0, false
}

func (schemaPieces) AppendIDs(dst []int32, text string, _ bool) ([]int32, error) {
next:
	for text != "" {
		for i, m := range extraction.Markers {
			if rest, ok := strings.CutPrefix(text, m); ok {
				dst, text = append(dst, int32(5+i)), rest
				continue next
			}
		}
		dst, text = append(dst, idSchemaByte+int32(text[0])), text[1:]
	}
	return dst, nil
}

// The shape of the model of these tests.
const (
	schemaCounts = 4
	schemaWidth  = 3
)

func schemaParts() []engine.Part {
	return []engine.Part{{Name: tasktable.ClassOutput, Rows: engine.PerMark, C: 1}, {Name: tasktable.CountOutput, Rows: engine.PerMark, C: schemaCounts},
		{Name: tasktable.SpanOutput, Rows: engine.PerPair, C: schemaWidth, Width: schemaWidth}}
}

// Numbers that are made from the tokens of a sequence and the rows of markers.
func classNumber(sum, row int) float32 { return float32(3 * noise(sum, row)) }
func countNumber(sum, row, k int) float32 {
	return float32(noise(sum, row, k, 1))
}
func spanNumber(sum, row, step, word, width int) float32 {
	return float32(3*noise(sum, row, step, word, width) - 1)
}

func sumOf(ids []int32) (sum int) {
	for i, id := range ids {
		sum += int(id) * (i + 1)
	}
	return sum
}

// schemaForward computes the outputs of a batch, in the order of schemaParts.
func schemaForward(x *engine.Exec) {
	out := x.Out
	put := func(v float32) { out[0], out = v, out[1:] }
	each := func(of func(s, sum int)) {
		for s := range x.B {
			of(s, sumOf(x.IDs[x.Starts[s]:x.Starts[s+1]]))
		}
	}
	marks := func(s int, of func(row int)) {
		for _, row := range x.Marks[x.MarkStarts[s]:x.MarkStarts[s+1]] {
			of(int(row - x.Starts[s]))
		}
	}
	each(func(s, sum int) { marks(s, func(row int) { put(classNumber(sum, row)) }) })
	each(func(s, sum int) {
		marks(s, func(row int) {
			for k := range schemaCounts {
				put(countNumber(sum, row, k))
			}
		})
	})
	each(func(s, sum int) {
		for w := range x.WordStarts[s+1] - x.WordStarts[s] {
			for q := x.QueryStarts[s]; q < x.QueryStarts[s+1]; q++ {
				for k := range schemaWidth {
					put(spanNumber(sum, int(x.Queries[q]-x.Starts[s]), int(x.Steps[2*q]), int(w), k))
				}
			}
		}
	})
	if len(out) > 0 {
		panic(fmt.Sprintf("%d numbers are left", len(out)))
	}
}

// expectedNumbers are the numbers of one text, by the same functions.
type expectedNumbers struct{ in *extraction.Input }

func (n expectedNumbers) row(mark int) int { return int(n.in.Marks[mark].Row) }

func (n expectedNumbers) Class(mark int) float32 { return classNumber(sumOf(n.in.IDs), n.row(mark)) }

func (n expectedNumbers) Count(mark int) (x []float32) {
	for k := range schemaCounts {
		x = append(x, countNumber(sumOf(n.in.IDs), n.row(mark), k))
	}
	return x
}

func (n expectedNumbers) Span(mark, instance, word int) (x []float32) {
	for k := range schemaWidth {
		x = append(x, spanNumber(sumOf(n.in.IDs), n.row(mark), instance, word, k))
	}
	return x
}

func newSchemaExtractor(t testing.TB, forward func(x *engine.Exec), opts ...runtime.Option) *SchemaExtractor {
	f := fake{
		heads: []engine.Head{{Task: tasktable.Extract, Rows: engine.PerPair, C: schemaWidth, Parts: schemaParts()}},
		limits: func(l *engine.Limits) {
			l.Words, l.Marks, l.Steps, l.SequenceTokens, l.BatchTokens = true, true, schemaCounts, 512, 1024
		},
		forward: forward,
		token:   schemaPieces{},
	}
	x, err := NewSchemaExtractor(f.open(t, opts...), "")
	require.NoError(t, err)
	return x
}

func parsed(t testing.TB, text string) *Schema {
	s, err := extraction.ParseSchema([]byte(text))
	require.NoError(t, err)
	return s
}

// schemaInputs returns texts, each with a schema and settings of its own.
func schemaInputs(t testing.TB) []ExtractInput {
	entities := parsed(t, `{"entities": {"a": {"dtype": "str"}, "b": ""}, "entity_attributes": {"g": {"labels": ["x", "y"]}}}`)
	all := parsed(t, `{"entities": ["a"], "structures": {"s": {"fields": [{"name": "f"}, {"name": "c", "choices": ["u", "v"]}]}},
		"relations": ["r"], "classifications": [{"task": "t", "labels": ["x", "y", "z"]}]}`)
	class := parsed(t, `{"classifications": [{"task": "t", "labels": ["x", "y"], "multi_label": true}]}`)
	windows := &ExtractOptions{Window: 3, Share: 1, Threshold: new(0.3)}
	return []ExtractInput{
		{"one two three", entities, nil}, {"one two three", all, nil}, {"", class, nil}, {"four five six seven eight nine ten", all, windows},
		{"é, ten words are in this text which goes on", entities, &ExtractOptions{MaxWords: 4, Overlap: extraction.Allow}}, {"x", all, windows},
		{"one two three four", class, windows},
	}
}

// expectedResult decodes a text's numbers as they must be.
func expectedResult(t testing.TB, x *SchemaExtractor, in ExtractInput, o ExtractOptions) *extraction.Result {
	if in.Options != nil {
		o = *in.Options
	}
	read := func(text string, limit int) *extraction.Result {
		read, err := x.prompts.Input(in.Schema, extraction.Read(text, o.Splitter, limit))
		require.NoError(t, err)
		return extraction.DecodeSpans(in.Schema, read, expectedNumbers{read}, &o)
	}
	if o.Window == 0 {
		return read(in.Text, o.MaxWords)
	}
	windows := extraction.Windows(in.Text, &o)
	var results []*extraction.Result
	for _, w := range windows {
		results = append(results, read(w.Text, o.Window))
	}
	return extraction.Merge(in.Text, windows, results, o.Overlap)
}

// TestExtract compares results with decoding of the numbers that the model must have computed, for texts that are batched in any way.
func TestExtract(t *testing.T) {
	x := newSchemaExtractor(t, schemaForward)
	inputs := schemaInputs(t)
	o := ExtractOptions{Threshold: new(0.6)}
	together, err := x.ExtractEach(background, inputs, o)
	require.NoError(t, err)
	found := 0
	for i, in := range inputs {
		want := expectedResult(t, x, in, o)
		require.Equal(t, want, together[i].Result, "text %d", i)
		for _, e := range want.Entities {
			found += len(e.Spans)
		}
		alone, err := x.ExtractEach(background, inputs[i:i+1], o)
		require.NoError(t, err)
		require.Equal(t, together[i], alone[0], "text %d", i)
	}
	require.Greater(t, found, 5)
	require.Equal(t, 3, together[3].Windows)
	require.Equal(t, 8, together[4].WordsCut)
	require.Zero(t, together[4].Truncated)
	same, err := x.Extract(background, []string{"one two three", "x"}, inputs[1].Schema, o)
	require.NoError(t, err)
	require.Equal(t, together[1], same[0])
	none, err := x.Extract(background, nil, inputs[1].Schema, o)
	require.NoError(t, err)
	require.Empty(t, none)
}

// TestExtractTokens checks the number of tokens: tokens of the schema, and of words that windows share, count once.
func TestExtractTokens(t *testing.T) {
	x := newSchemaExtractor(t, schemaForward)
	s := parsed(t, `{"entities": ["a"]}`)
	at := func(text string, o ExtractOptions) runtime.Seen {
		r, err := x.Extract(background, []string{text}, s, o)
		require.NoError(t, err)
		return r[0].Seen
	}
	schema := len("(Pentities(Ea))S")
	require.Equal(t, runtime.Seen{Tokens: schema + len("aabb."), Windows: 1}, at("aa bb", ExtractOptions{}))
	require.Equal(t, runtime.Seen{Tokens: schema + len("aabbccdd"), Windows: 3}, at("aa bb cc dd", ExtractOptions{Window: 2, Share: 1}))
	require.Equal(t, runtime.Seen{Tokens: schema + len("aabbcc."), Windows: 2}, at("aa bb cc", ExtractOptions{Window: 2}))
}

// TestExtractTooLong tries texts and schemas that do not fit.
func TestExtractTooLong(t *testing.T) {
	s := parsed(t, `{"entities": ["a"]}`) // 16 tokens
	long := []string{"aaa bbb cccc"}
	x := newSchemaExtractor(t, schemaForward, runtime.MaxTokens(22))
	_, err := x.Extract(background, long, s, ExtractOptions{})
	require.ErrorIs(t, err, runtime.ErrTooLong)
	require.ErrorContains(t, err, "text 0: 27 tokens with its schema are too long, the limit is 22")
	_, err = x.Extract(background, long, s, ExtractOptions{Window: 3})
	require.ErrorIs(t, err, runtime.ErrTooLong)
	require.ErrorContains(t, err, "a window of 3 words takes 26 tokens with its schema, the limit is 22: lower Window")
	r, err := x.Extract(background, long, s, ExtractOptions{MaxWords: 2})
	require.NoError(t, err)
	require.Equal(t, 22, r[0].Tokens)
	require.ErrorIs(t, x.Check(parsed(t, `{"entities": ["abcdefg"]}`), ExtractOptions{}), runtime.ErrTooLong)

	x = newSchemaExtractor(t, schemaForward, runtime.MaxTokens(22), runtime.Long(runtime.Truncate))
	cut, err := x.Extract(background, long, s, ExtractOptions{})
	require.NoError(t, err)
	require.Equal(t, runtime.Seen{Tokens: 22, Truncated: 5, Windows: 1}, cut[0].Seen)
	require.Equal(t, 2, cut[0].WordsCut)
	require.Equal(t, r[0].Entities, cut[0].Entities)
	_, err = x.Extract(background, []string{"abcdefgh"}, s, ExtractOptions{})
	require.ErrorContains(t, err, "the limit of 22 tokens leaves no room for its first word beside the schema")

	x = newSchemaExtractor(t, schemaForward, runtime.Long(runtime.Windows(2)))
	_, err = x.Extract(background, long, s, ExtractOptions{})
	require.ErrorContains(t, err, "set Long to Reject or Truncate, and Window and Share")
}

// TestExtractFaults tries schemas, texts and numbers that are not valid.
func TestExtractFaults(t *testing.T) {
	x := newSchemaExtractor(t, schemaForward)
	s := parsed(t, `{"entities": ["a"]}`)
	for want, in := range map[string]ExtractInput{
		"schema: it is missing":                      {Text: "a"},
		"schema: it asks for nothing":                {Schema: &Schema{}},
		"threshold is 2: it must be from 0 to 1":     {Schema: s, Options: &ExtractOptions{Threshold: new(2.0)}},
		"the text: byte 1 (0xff) is not valid":       {Text: "a\xff", Schema: s},
		`entities["[E]"]: "[E]" contains [E]`:        {Schema: &Schema{Entities: []extraction.Entity{{Label: "[E]"}}}},
		"max_len has no effect in windows":           {Schema: s, Options: &ExtractOptions{Window: 2, MaxWords: 2}},
		"chunk_overlap is 2: it must be from 0 to 1": {Schema: s, Options: &ExtractOptions{Window: 2, Share: 2}},
	} {
		_, err := x.ExtractEach(background, []ExtractInput{{Text: "fine", Schema: s}, in}, ExtractOptions{})
		require.ErrorIs(t, err, runtime.ErrInput, want)
		require.ErrorContains(t, err, "text 1: ", want)
		require.ErrorContains(t, err, want)
	}
	_, err := x.Extract(background, nil, s, ExtractOptions{Threshold: new(-1.0)})
	require.ErrorContains(t, err, "threshold is -1")
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, err = x.Extract(ctx, []string{"a"}, s, ExtractOptions{})
	require.ErrorIs(t, err, context.Canceled)
	damaged := false // after the self-test
	bad := newSchemaExtractor(t, func(x *engine.Exec) {
		if clear(x.Out); damaged {
			x.Out[len(x.Out)-1] = float32(math.NaN())
		}
	})
	damaged = true
	_, err = bad.Extract(background, []string{"a"}, s, ExtractOptions{})
	require.ErrorIs(t, err, ErrNoNumbers)
}

// TestExtractLacks tries heads that lack an output.
func TestExtractLacks(t *testing.T) {
	for part, wants := range map[int]map[string]string{
		0: {`{"classifications": [{"task": "t", "labels": ["x", "y"]}]}`: "classifications: the model does not classify texts", `{"entities": ["a"]}`: ""},
		2: {`{"classifications": [{"task": "t", "labels": ["x", "y"]}]}`: "", `{"entities": ["a"]}`: "entities: the model does not find parts of texts",
			`{"structures": {"s": {"fields": [{"name": "f"}]}}}`: "structures: the model does not", `{"relations": ["r"]}`: "relations: the model does not"},
	} {
		parts := schemaParts()
		f := fake{
			heads:   []engine.Head{{Task: tasktable.Extract, Rows: engine.PerPair, C: schemaWidth, Parts: append(parts[:part:part], parts[part+1:]...)}},
			limits:  func(l *engine.Limits) { l.Words, l.Marks, l.Steps = true, true, schemaCounts },
			forward: func(x *engine.Exec) { clear(x.Out) }, token: schemaPieces{},
		}
		x, err := NewSchemaExtractor(f.open(t), "")
		require.NoError(t, err)
		for schema, want := range wants {
			if err := x.Check(parsed(t, schema), ExtractOptions{}); want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, want)
			}
		}
	}
	f := fake{heads: []engine.Head{{Task: tasktable.Extract, Rows: engine.PerPair, C: schemaWidth, Parts: schemaParts()}}, forward: schemaForward,
		limits: func(l *engine.Limits) { l.Words, l.Marks, l.Steps = true, true, schemaCounts }, token: markedPieces{}}
	_, err := NewSchemaExtractor(f.open(t), "")
	require.ErrorContains(t, err, "the tokenizer has no token")
}
