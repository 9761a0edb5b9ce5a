package extraction_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/extraction/extractiontest"
)

// drawn is a row of testdata/drawn.jsonl: the decoding of the reference implementation (gliner2 2.1.0) for a random schema and random numbers, which stand in
// place of a model's.
type drawn struct {
	row
	Settings result
	Numbers  [][]task // per window, per task
	Output   any
	Width    int
}

type task struct {
	Class  []float32
	Count  int
	Shape  []int
	Logits []float32
}

// drawnNumbers are the numbers of a window.
type drawnNumbers struct {
	t     *testing.T
	in    *extraction.Input
	tasks []task
	width int
}

func (n *drawnNumbers) Class(mark int) float32 {
	m := n.in.Marks[mark]
	return n.tasks[m.Task].Class[m.Label]
}

func (n *drawnNumbers) Count(mark int) []float32 {
	x := make([]float32, extraction.MaxCount+1)
	x[n.tasks[n.in.Marks[mark].Task].Count] = 1
	return x
}

func (n *drawnNumbers) Span(mark, instance, word int) []float32 {
	m := n.in.Marks[mark]
	task := &n.tasks[m.Task]
	require.Less(n.t, instance, task.Shape[0])
	require.Equal(n.t, task.Shape[2:], []int{len(n.in.Words) / 2, n.width})
	from := ((instance*task.Shape[1]+m.Label)*task.Shape[2] + word) * n.width
	return task.Logits[from : from+n.width]
}

// TestDrawn compares the decoding of random numbers with that of the reference implementation: every rule for overlaps, with and without
// probabilities and places, in windows and at once.
func TestDrawn(t *testing.T) {
	name := filepath.Join("testdata", "drawn.jsonl")
	if other := os.Getenv("DRAWN"); other != "" {
		name = other
	}
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	c := open(t, filepath.Join(cases, "gliner2_moe_first"))
	p, err := extraction.NewPrompts(c.tokens)
	require.NoError(t, err)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	rows := 0
	for ; lines.Scan(); rows++ {
		var d drawn
		require.NoError(t, json.Unmarshal(lines.Bytes(), &d))
		s, err := extraction.ParseSchema(d.Schema)
		require.NoError(t, err)
		o := d.options(t, &d.Settings)
		windows := []extraction.Window{{Text: d.Text}}
		limit := o.MaxWords
		if o.Window > 0 {
			windows, limit = extraction.Windows(d.Text, o), o.Window
		}
		require.Len(t, windows, len(d.Numbers))
		var results []*extraction.Result
		for i, w := range windows {
			in, err := p.Input(s, extraction.Read(w.Text, o.Splitter, limit))
			require.NoError(t, err)
			results = append(results, extraction.DecodeSpans(s, in, &drawnNumbers{t, in, d.Numbers[i], d.Width}, o))
		}
		r := results[0]
		if o.Window > 0 {
			r = extraction.Merge(d.Text, windows, results, o.Overlap)
		}
		text, err := r.JSON(d.Settings.format())
		require.NoError(t, err)
		var value any
		require.NoError(t, json.Unmarshal(text, &value), "%s", text)
		if fault := extractiontest.Differ(value, d.Output, 1e-9); fault != "" {
			t.Errorf("row %d: %s\n%s\ngot %s", rows, fault, lines.Bytes(), text)
		}
	}
	require.NoError(t, lines.Err())
	require.Greater(t, rows, 50)
}
