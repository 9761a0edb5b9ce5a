package golden_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/runtime/engine"
)

// texts writes a case of two texts: three words for two labels, the second word of two tokens, and one word for one label.
func texts(t *testing.T, entities string) *golden.Case {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	write("case.json", `{"name": "texts", "kind": "gliner", "tolerance": {"other": {"atol": 1e-3, "rtol": 0}, "score": {"atol": 1e-5}}}`)
	write("expected.jsonl",
		`{"text": "a bc d", "labels": ["x", "y"], "words": [["a", 0, 1], ["bc", 2, 4], ["d", 5, 6]], "input_ids": [1, 9, 5, 9, 6, 8, 3, 4, 4, 3, 2], `+
			`"words_mask": [0, 0, 0, 0, 0, 0, 1, 2, 2, 3, 0], "logits": "logits.0", "results": [{"threshold": 0.5, "flat_ner": true, "multi_label": false, `+
			`"entities": [`+entities+`]}]}
{"text": "e", "labels": ["x"], "words": [["e", 0, 1]], "input_ids": [1, 9, 5, 8, 3, 2], "words_mask": [0, 0, 0, 0, 1, 0], "logits": "logits.1", "results": []}
`)
	c, err := golden.Open(dir)
	require.NoError(t, err)
	return c
}

func TestTextBatch(t *testing.T) {
	c := texts(t, "")
	for _, after := range []bool{false, true} {
		b, err := c.TextBatch(9, after)
		require.NoError(t, err)
		require.NoError(t, b.Validate(engine.Limits{Vocab: 10, SequenceTokens: 16, BatchSequences: 2, BatchTokens: 32, Words: true, Marks: true}))
		require.Equal(t, []int32{6, 7, 7, 9, 9, 10, 15, 16}, b.Words)
		require.Equal(t, []int32{0, 3, 4}, b.WordStarts)
		require.Equal(t, map[bool][]int32{false: {1, 3, 12}, true: {2, 4, 13}}[after], b.Marks)
		require.Equal(t, []int32{0, 2, 3}, b.MarkStarts)
	}
	_, err := c.TextBatch(7, false)
	require.ErrorContains(t, err, "line 1 has 2 labels and 0 tokens in front of labels")
}

// TestCompareTexts compares spans of up to two words. Spans that reach beyond the text are not compared; the others, and the entities among them, are.
func TestCompareTexts(t *testing.T) {
	const found = `{"start": 0, "end": 4, "text": "a bc", "label": "y", "score": 0.8807971}`
	run := func(entities string, change func(want, got tensors)) []golden.Result {
		c := texts(t, entities)
		want, got := tensors{}, tensors{}
		// [1, words, widths, labels] and [words, labels, widths]
		want.set("logits.0", []float32{-1, -2, -3, 2, -4, -5, -6, -7, -8, -9, 50, 60}, 1, 3, 2, 2)
		want.set("logits.1", []float32{-1, 70}, 1, 1, 2, 1)
		got.set("output", []float32{-1, -3, -2, 2, -4, -6, -5, -7, -8, 0, -9, 0, -1, 0}, 7, 2)
		change(want, got)
		want.write(t, c.Outputs())
		file := filepath.Join(t.TempDir(), "out")
		got.write(t, file)
		results, err := c.Compare(c.Outputs(), golden.Produced{Files: map[string]string{"": file}, Head: true, Widths: 2}, golden.Scope{Forward: true})
		require.NoError(t, err)
		return results
	}
	same := func(tensors, tensors) {}
	results := run(found, same)
	require.Len(t, results, 4)
	for i, name := range []string{"logits.0", "logits.1", "entities.0", "entities.1"} {
		require.Equal(t, name, results[i].Tensor)
		require.True(t, results[i].OK, "%+v", results[i])
	}
	require.Equal(t, []int{10, 1, 1, 0}, []int{results[0].Compared, results[1].Compared, results[2].Compared, results[3].Compared})
	r := run(found, func(_, got tensors) { got["output"].data[3] = 2.5 })
	require.False(t, r[0].OK)
	require.Equal(t, []int{0, 0, 1, 1}, r[0].At)
	require.False(t, r[2].OK, "the score of the entity is another one")
	require.Contains(t, run("", same)[2].Reason, "1 entities, 0 were recorded")
	require.Contains(t, run(`{"start": 0, "end": 4, "text": "a bc", "label": "x", "score": 0.88}`, same)[2].Reason, `entity 0 is y "a bc" at 0, recorded is x`)
	require.Contains(t, run(found, func(want, _ tensors) { want.set("logits.1", []float32{1, 2, 3}, 1, 1, 1, 3) })[1].Reason, "the model produces [1 1 2 1]")
}
