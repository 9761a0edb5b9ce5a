package extraction_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/extraction/extractiontest"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// row is a row of a recorded case: a text with its schema, what the model read and computed, and the results.
type row struct {
	ID      string
	Text    string
	Schema  json.RawMessage
	Options struct {
		MaxLen   int    `json:"max_len"`
		Splitter string `json:"word_splitter"`
		Chunk    int    `json:"chunk_size"`
		Overlap  int    `json:"chunk_overlap"`
	}
	Validated *bool
	Chunks    [][2]int
	ModelText string   `json:"model_text"`
	Prefix    []string `json:"prefix"`
	Words     [][]any
	IDs       []int32   `json:"input_ids"`
	Positions []int32   `json:"word_positions"`
	Marks     [][]int32 `json:"marker_positions"`
	Head      []string
	Tasks     []struct {
		Type        string
		Prompt      string
		Labels      []string
		Count       int
		CountLogits string `json:"count_logits"`
		Logits      string
		Queries     []int
	}
	Results []result
}

// result is the recorded result for one setting.
type result struct {
	Threshold  float64
	Overlap    string `json:"overlap_policy"`
	Confidence *bool  `json:"include_confidence"`
	Spans      *bool  `json:"include_spans"`
	Output     any
}

// folder is a recorded case.
type folder struct {
	name     string
	boundary *extraction.BoundarySettings // nil: a span head
	width    int
	score    float64 // tolerance of a confidence
	tokens   tokenizer.SpanTokenizer
	outputs  *safetensors.File
	rows     []row
}

// cases are the folders of the recorded cases, which are beside those of other models.
var cases = filepath.Join("..", "..", "cmd", "debertac", "testdata", "cases")

// eachCase runs a test on every recorded case.
func eachCase(t *testing.T, pattern string, f func(t *testing.T, c *folder)) {
	dirs, err := filepath.Glob(filepath.Join(cases, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { f(t, open(t, dir)) })
	}
}

func open(t *testing.T, dir string) *folder {
	c := &folder{name: filepath.Base(dir)}
	var info struct {
		Tolerance struct{ Score struct{ Atol float64 } }
	}
	var config struct {
		Architecture string
		MaxWidth     int `json:"max_width"`
		Boundary     struct {
			Abstention          bool    `json:"enable_abstention"`
			AbstentionThreshold float64 `json:"abstention_threshold"`
			Pair                float64 `json:"pair_temperature"`
			Class               float64 `json:"classification_temperature"`
			Overlap             string  `json:"overlap_policy"`
		} `json:"boundary_head"`
	}
	for name, to := range map[string]any{"case.json": &info, "config.json": &config} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, to))
	}
	c.score, c.width = info.Tolerance.Score.Atol, config.MaxWidth
	require.Positive(t, c.score)
	if config.Architecture == "boundary" {
		b := config.Boundary
		overlap, err := extraction.ParseOverlap(b.Overlap)
		require.NoError(t, err)
		c.boundary = &extraction.BoundarySettings{PairTemperature: b.Pair, ClassTemperature: b.Class, Abstention: b.Abstention,
			AbstentionThreshold: b.AbstentionThreshold, Overlap: overlap}
	}
	read, err := token.Load(os.DirFS(dir))
	require.NoError(t, err)
	model, err := token.ForModel(read)
	require.NoError(t, err)
	c.tokens = model.(tokenizer.SpanTokenizer)
	c.outputs, err = safetensors.Open(filepath.Join(dir, "outputs.safetensors"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.outputs.Close()) })
	data, err := os.ReadFile(filepath.Join(dir, "expected.jsonl"))
	require.NoError(t, err)
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		c.rows = append(c.rows, r)
	}
	require.NoError(t, lines.Err())
	require.GreaterOrEqual(t, len(c.rows), 10)
	return c
}

// schema returns the schema of a row: from its JSON form, or for rows that this form refuses from the typed one.
func (r *row) schema(t *testing.T) *extraction.Schema {
	s, err := extraction.ParseSchema(r.Schema)
	if r.Validated == nil || *r.Validated {
		require.NoError(t, err, r.ID)
		return s
	}
	require.ErrorContains(t, err, "classifications[0].labels: \"one\" occurs twice")
	s = &extraction.Schema{Classifications: []extraction.Classification{{Task: "dup", Labels: []string{"one", "two", "one"}, Multi: true}}}
	require.NoError(t, s.Check())
	return s
}

func (r *row) options(t *testing.T, of *result) *extraction.Options {
	overlap, err := extraction.ParseOverlap(of.Overlap)
	require.NoError(t, err)
	splitter, err := extraction.ParseSplitter(r.Options.Splitter)
	require.NoError(t, err)
	o := &extraction.Options{Threshold: &of.Threshold, Overlap: overlap, Splitter: splitter, MaxWords: r.Options.MaxLen,
		Window: r.Options.Chunk, Share: r.Options.Overlap}
	require.NoError(t, o.Check())
	return o
}

func (of *result) format() extraction.Format {
	return extraction.Format{Confidence: of.Confidence == nil || *of.Confidence, Spans: of.Spans == nil || *of.Spans}
}

// TestRecordedInputs compares words, prompts, tokens and their places with recorded ones.
func TestRecordedInputs(t *testing.T) {
	eachCase(t, "gliner2_*", func(t *testing.T, c *folder) {
		p, err := extraction.NewPrompts(c.tokens)
		require.NoError(t, err)
		for i := range c.rows {
			r := &c.rows[i]
			if r.Chunks != nil {
				o := r.options(t, &r.Results[0])
				var places [][2]int
				for _, w := range extraction.Windows(r.Text, o) {
					places = append(places, [2]int{w.RuneStart, w.RuneEnd})
					require.Equal(t, w.Text, r.Text[w.Start:w.End])
				}
				require.Equal(t, r.Chunks, places, r.ID)
				continue
			}
			o := r.options(t, &result{Threshold: 0.5})
			text := extraction.Read(r.Text, o.Splitter, o.MaxWords)
			require.Equal(t, r.ModelText, text.Model, r.ID)
			var words [][]any
			for _, w := range text.Words {
				words = append(words, []any{w.Text, float64(w.RuneStart), float64(w.RuneEnd)})
				require.Equal(t, w.Text, extraction.Lower(text.Model[w.Start:w.End]))
			}
			require.Equal(t, r.Words, words, r.ID)
			s := r.schema(t)
			in, err := p.Input(s, text)
			require.NoError(t, err)
			require.Equal(t, r.IDs, in.IDs, r.ID)
			require.Equal(t, r.Prefix, append([]string{}, in.Choices...), r.ID)
			var positions []int32
			for i := 0; i < len(in.Words); i += 2 {
				positions = append(positions, in.Words[i])
			}
			require.Equal(t, r.Positions, positions, r.ID)
			r.compareTasks(t, in)
		}
	})
}

func (r *row) compareTasks(t *testing.T, in *extraction.Input) {
	kinds := []string{"json_structures", "entities", "relations", "classifications"}
	marks := make([][]int32, len(in.Tasks))
	for _, m := range in.Marks {
		require.Equal(t, len(marks[m.Task])-1, m.Label)
		marks[m.Task] = append(marks[m.Task], m.Row)
	}
	require.Equal(t, r.Marks, marks, r.ID)
	require.Len(t, in.Tasks, len(r.Tasks))
	for i, want := range r.Tasks {
		task := in.Tasks[i]
		require.Equal(t, want.Type, kinds[task.Kind], r.ID)
		require.Equal(t, want.Prompt, task.Prompt, r.ID)
		require.Equal(t, want.Labels, task.Labels, r.ID)
	}
}

// recorded reads the numbers of a row from the tensors of its case.
type recorded struct {
	t     *testing.T
	c     *folder
	r     *row
	in    *extraction.Input
	cache map[string][]float32
}

func (n *recorded) tensor(name string) []float32 {
	if x, ok := n.cache[name]; ok {
		return x
	}
	info, err := n.c.outputs.Info(name)
	require.NoError(n.t, err)
	size := 1
	for _, d := range info.Shape {
		size *= d
	}
	x := make([]float32, size)
	require.NoError(n.t, n.c.outputs.Floats(name, x))
	n.cache[name] = x
	return x
}

func (n *recorded) Class(mark int) float32 {
	m := n.in.Marks[mark]
	require.Equal(n.t, extraction.MarkLabel, m.Kind)
	return n.tensor(n.r.Tasks[m.Task].Logits)[m.Label]
}

func (n *recorded) Count(mark int) []float32 {
	m := n.in.Marks[mark]
	require.Equal(n.t, extraction.MarkTask, m.Kind)
	return n.tensor(n.r.Tasks[m.Task].CountLogits)
}

func (n *recorded) Span(mark, instance, word int) []float32 {
	m := n.in.Marks[mark]
	require.Less(n.t, instance, m.Kind.Steps())
	x := n.tensor(n.r.Tasks[m.Task].Logits)
	words, fields := len(n.in.Words)/2, len(n.in.Tasks[m.Task].Labels)
	from := ((instance*fields+m.Label)*words + word) * n.c.width
	return x[from : from+n.c.width]
}

func (n *recorded) Pool() []extraction.Boundary {
	info, err := n.c.outputs.Info(n.r.Head[0])
	require.NoError(n.t, err)
	x := make([]int64, 2*info.Shape[0])
	require.NoError(n.t, n.c.outputs.Ints(n.r.Head[0], x))
	pool := make([]extraction.Boundary, info.Shape[0])
	for i := range pool {
		pool[i] = extraction.Boundary{Start: int32(x[2*i]), End: int32(x[2*i+1])}
	}
	return pool
}

// query returns the row of a label in the tensors of a boundary head.
func (n *recorded) query(mark int) int {
	m := n.in.Marks[mark]
	return n.r.Tasks[m.Task].Queries[0] + m.Label
}

func (n *recorded) Pair(mark int) []float32 {
	x, size := n.tensor(n.r.Head[1]), len(n.Pool())
	return x[n.query(mark)*size:][:size]
}

func (n *recorded) Null(mark int) float32 {
	require.True(n.t, n.c.boundary.Abstention)
	name := n.r.Head[slices.IndexFunc(n.r.Head, func(h string) bool { return strings.HasPrefix(h, "null.") })]
	return n.tensor(name)[n.query(mark)]
}

// TestRecordedResults decodes recorded numbers and compares the results with recorded ones.
func TestRecordedResults(t *testing.T) {
	eachCase(t, "gliner2_*", func(t *testing.T, c *folder) {
		p, err := extraction.NewPrompts(c.tokens)
		require.NoError(t, err)
		for i := range c.rows {
			r := &c.rows[i]
			if r.Chunks != nil {
				continue // their numbers are not recorded
			}
			s := r.schema(t)
			for j := range r.Results {
				want := &r.Results[j]
				o := r.options(t, want)
				in, err := p.Input(s, extraction.Read(r.Text, o.Splitter, o.MaxWords))
				require.NoError(t, err)
				n := &recorded{t, c, r, in, map[string][]float32{}}
				var got *extraction.Result
				if c.boundary == nil {
					got = extraction.DecodeSpans(s, in, n, o)
				} else {
					require.NoError(t, extraction.CheckBoundary(s))
					got = extraction.DecodeBoundaries(s, in, n, c.boundary, o)
				}
				text, err := got.JSON(want.format())
				require.NoError(t, err)
				var value any
				require.NoError(t, json.Unmarshal(text, &value), "%s", text)
				if fault := extractiontest.Differ(value, want.Output, c.score); fault != "" {
					t.Errorf("%s, result %d: %s\ngot  %s\nwant %v", r.ID, j, fault, text, want.Output)
				}
			}
		}
	})
}
