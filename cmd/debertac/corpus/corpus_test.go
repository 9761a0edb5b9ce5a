package corpus_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/corpus"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/tokenizer"
	"github.com/debertac/debertac/spec"
)

// tok is the tokenizer of the tests.
func tok(t *testing.T) *token.Tokenizer {
	tk, err := token.Load(os.DirFS(filepath.Join("..", "..", "..", "examples", "spam", "model")))
	require.NoError(t, err)
	return tk
}

// training resolves a training of a head. more follows the model, and words the head in the training.
func training(t *testing.T, model, head, words string) *spec.Train {
	text := "dspec 1\nmodel m like deberta_v3_base { dim vocab = 8064; dim hidden = 32; dim heads = 2; dim layers = 1; dim span = 8; " + model + " }\n" +
		"head h on m { " + head + " }\ntrain t on m.h { batch 4 sequences; length 12 tokens; steps 9 steps; rate 1e-3; " + words + " }\n"
	s, list := spec.ParseAndResolve("test.dspec", []byte(text))
	require.NotNil(t, s, text)
	require.Len(t, s.Trains, 1, "%v", list)
	return s.Trains[0]
}

// encoded prepares examples and returns the rows, and what a report says.
func encoded(t *testing.T, tr *spec.Train, set corpus.Settings, examples ...example.Example) ([][]prepared.Sequence, *corpus.Report, error) {
	e, err := corpus.NewEncoder(tr, tok(t), set)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(t.TempDir(), "data")
	i := 0
	report, err := corpus.Prepare(t.Context(), func() (*example.Example, error) {
		if i++; i > len(examples) {
			return nil, io.EOF
		}
		examples[i-1].At = int64(i)
		return &examples[i-1], nil
	}, e, corpus.Options{Path: path, Workers: 3, Place: func(e *example.Example) string { return fmt.Sprint(e.At) },
		RowError: func(error) (string, string, bool) { return "", "", false }})
	if err != nil {
		return nil, nil, err
	}
	f, err := prepared.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var rows [][]prepared.Sequence
	for i := range f.Rows {
		row, err := f.Row(i)
		require.NoError(t, err)
		rows = append(rows, row)
	}
	return rows, report, nil
}

// pieces returns the tokens of a sequence.
func pieces(t *testing.T, ids []int32) string {
	m, err := token.ForModel(tok(t))
	require.NoError(t, err)
	var list []string
	for _, id := range ids {
		p, _ := m.(tokenizer.SpanTokenizer).Piece(id)
		list = append(list, p)
	}
	return strings.Join(list, " ")
}

const labels = `take first; linear hidden; act; linear 2 as labels("ham", "spam"); loss `

// TestClasses checks texts with one label, and with several.
func TestClasses(t *testing.T) {
	both, none := []string{"spam", "ham"}, []string{}
	rows, report, err := encoded(t, training(t, "", labels+"cross_entropy", ""), corpus.Settings{Long: runtime.Truncate},
		example.Example{Text: "see you at nine", Label: "ham"}, example.Example{Text: "you won a prize you won a prize you won a prize", Label: "1"})
	require.NoError(t, err)
	require.Equal(t, "[CLS] ▁see ▁you ▁at ▁n ine [SEP]", pieces(t, rows[0][0].IDs))
	require.Equal(t, []int32{0}, rows[0][0].Integers["target"])
	require.Equal(t, []int32{1}, rows[1][0].Integers["target"])
	require.Len(t, rows[1][0].IDs, 12)
	require.Equal(t, 1, report.Cut)
	require.Equal(t, prepared.Counts{"ham": 1, "spam": 1}, report.Count)

	rows, _, err = encoded(t, training(t, "", labels+"binary_cross_entropy", ""), corpus.Settings{}, example.Example{Text: "a", Labels: &both},
		example.Example{Text: "a", Labels: &none}, example.Example{Text: "a", Label: "spam"})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 1}, rows[0][0].Floats["target"])
	require.Equal(t, []float32{0, 0}, rows[1][0].Floats["target"])
	require.Equal(t, []float32{0, 1}, rows[2][0].Floats["target"])
}

// TestAnswers checks where answers begin and end, in windows too.
func TestAnswers(t *testing.T) {
	tr := training(t, "", "take each; linear 2 as span; loss cross_entropy", "")
	context := "it is paid on monday at the prize"
	rows, _, err := encoded(t, tr, corpus.Settings{}, example.Example{Question: "when", Context: context[:20], Answered: true,
		Answers: []example.Answer{{Text: "monday", Start: 14}}}, example.Example{Question: "who", Context: "the prize", Answered: true})
	require.NoError(t, err)
	s := rows[0][0]
	require.Equal(t, "▁mon day", pieces(t, s.IDs[s.Integers["target.start"][0]:s.Integers["target.end"][0]+1]))
	require.Equal(t, []int32{0}, rows[1][0].Integers["target.start"])

	rows, _, err = encoded(t, tr, corpus.Settings{Long: runtime.Windows(2)}, example.Example{Question: "when", Context: context, Answered: true,
		Answers: []example.Answer{{Text: "prize", Start: -1}}})
	require.NoError(t, err)
	require.Greater(t, len(rows), 1)
	last := rows[len(rows)-1][0]
	require.Equal(t, "▁prize", pieces(t, last.IDs[last.Integers["target.start"][0]:last.Integers["target.end"][0]+1]))
	require.Equal(t, []int32{0}, rows[0][0].Integers["target.end"])
}

// TestTags checks that the label of a word stands at its first token.
func TestTags(t *testing.T) {
	tr := training(t, "", `take each; linear 3 as labels("O", "B-DAY", "I-DAY"); loss cross_entropy`, "")
	want := []int32{-1, 0, 0, 1, -1, 2, -1}
	for _, e := range []example.Example{
		{Words: []string{"paid", "on", "monday", "night"}, Tags: []string{"O", "O", "B-DAY", "I-DAY"}},
		{Words: []string{"paid", "on", "monday", "night"}, Entities: []example.Entity{{Label: "DAY", Start: 2, End: 4}}},
		{Text: "paid on monday night", Entities: []example.Entity{{Label: "DAY", Start: 8, End: 20}}},
	} {
		rows, _, err := encoded(t, tr, corpus.Settings{}, e)
		require.NoError(t, err)
		require.Equal(t, "[CLS] ▁paid ▁on ▁mon day ▁night [SEP]", pieces(t, rows[0][0].IDs))
		require.Equal(t, want, rows[0][0].Integers["target"])
	}
}

// TestRows checks rows of several sequences: options, documents, and texts that mean the same.
func TestRows(t *testing.T) {
	rows, report, err := encoded(t, training(t, "", "take first; linear hidden; act; linear 1 as choices; loss cross_entropy", ""), corpus.Settings{},
		example.Example{Question: "who", Options: []string{"you", "a prize", "nine"}, Label: "1"})
	require.NoError(t, err)
	require.Equal(t, 3, report.Most)
	require.Equal(t, "[CLS] ▁who [SEP] ▁a ▁prize [SEP]", pieces(t, rows[0][1].IDs))
	for i, want := range []int32{-1, 1, -1} {
		require.Equal(t, []int32{want}, rows[0][i].Integers["target"])
	}
	for loss, want := range map[string][]float32{"pairwise": {1, 0}, "listwise": {1, 0}} {
		rows, _, err = encoded(t, training(t, "", "take first; linear hidden; act; linear 1 as score; loss "+loss, ""), corpus.Settings{},
			example.Example{Text: "who won", Documents: []string{"you", "they"}},
			example.Example{Query: "who", Documents: []string{"a", "b"}, Scores: []float64{0, 3}})
		require.NoError(t, err)
		require.Equal(t, want, []float32{rows[0][0].Floats["target"][0], rows[0][1].Floats["target"][0]})
		require.Equal(t, float32(3), rows[1][1].Floats["target"][0])
	}
	rows, _, err = encoded(t, training(t, "", "take mean; loss contrastive(temperature: 0.05)", ""), corpus.Settings{},
		example.Example{Text: "you won", Positive: "you have won", Negatives: []string{"see you"}})
	require.NoError(t, err)
	require.Len(t, rows[0], 3)
	other, near := "you have won", 0.25
	rows, _, err = encoded(t, training(t, "", "take mean; loss cosine_similarity", ""), corpus.Settings{},
		example.Example{Text: "you won", Pair: &other, Score: &near})
	require.NoError(t, err)
	require.Len(t, rows[0], 2)
	require.Equal(t, []float32{0.25}, rows[0][0].Floats["target"])
	require.Equal(t, []float32{0.25}, rows[0][1].Floats["target"])
}

// TestStream checks that masked models get the stream of all texts in sequences of one length, with the words of the tokens, and that causal models get the
// next token as the target.
func TestStream(t *testing.T) {
	tr := training(t, "", "take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy", "mask 15 % of words")
	texts := []example.Example{{Text: "see you on monday at nine"}, {Text: "you won a prize"}, {Text: "the build is green"}}
	rows, report, err := encoded(t, tr, corpus.Settings{}, texts...)
	require.NoError(t, err)
	require.Equal(t, "[CLS] ▁see ▁you ▁on ▁mon day ▁at ▁n ine [SEP] ▁you [SEP]", pieces(t, rows[0][0].IDs))
	require.Equal(t, []int32{-1, 1, 2, 3, 4, 4, 5, 6, 6, -1, 7, -1}, rows[0][0].WordOf)
	require.Equal(t, 3, report.Examples)
	require.Positive(t, report.Mask)

	causal := training(t, "encoder.attention.mask j <= i", "take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy", "")
	rows, _, err = encoded(t, causal, corpus.Settings{}, texts...)
	require.NoError(t, err)
	ids, target := rows[0][0].IDs, rows[0][0].Integers["target"]
	for i := range 10 {
		require.Equal(t, ids[i+1], target[i])
	}
	require.Equal(t, []int32{-1, -1}, target[10:]) // the text goes on in the next sequence
	last := rows[len(rows)-1][0]
	n := len(last.IDs)
	require.Equal(t, []int32{last.IDs[n-1], -1}, last.Integers["target"][n-2:]) // here it ends

	prefix := training(t, "encoder.attention.mask j <= i or prefix[j]",
		"take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy", "")
	rows, _, err = encoded(t, prefix, corpus.Settings{}, example.Example{Text: "you won", Target: "a prize"})
	require.NoError(t, err)
	s := rows[0][0]
	require.Equal(t, "[CLS] ▁you ▁won [SEP] ▁a ▁prize [SEP]", pieces(t, s.IDs))
	require.Equal(t, int32(4), s.Prefix)
	require.Equal(t, []int32{-1, -1, -1, s.IDs[4], s.IDs[5], s.IDs[6], -1}, s.Integers["target"])
}

// TestRefused checks the reasons for which examples cannot be used.
func TestRefused(t *testing.T) {
	span := training(t, "", "take each; linear 2 as span; loss cross_entropy", "")
	class := training(t, "", labels+"cross_entropy", "")
	tag := training(t, "", `take each; linear 2 as labels("O", "DAY"); loss cross_entropy`, "")
	choice := training(t, "", "take first; linear hidden; act; linear 1 as choices; loss cross_entropy", "")
	score := training(t, "", "take first; linear hidden; act; linear 1 as score; loss mean_squared_error", "")
	ner := training(t, "checkpoint own",
		`take words(first); linear 32; prompt labels mark "[MASK]" end "[SEP]"; spans <= 2 markers; loss binary_cross_entropy`, "")
	pair := training(t, "", "take first; linear hidden; act; linear 1 as score; loss pairwise", "")
	vector := training(t, "", "take mean; loss contrastive", "")
	alike, five := training(t, "", "take mean; loss cosine_similarity", ""), 5.0
	prefix := training(t, "encoder.attention.mask j <= i or prefix[j]",
		"take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy", "")
	two := []string{"ham", "spam"}
	for _, c := range []struct {
		train *spec.Train
		x     example.Example
		want  string
	}{
		{class, example.Example{Text: "x"}, "it has no label"},
		{class, example.Example{Text: "x", Label: "2"}, `the head has no label "2" (there are: ham, spam)`},
		{class, example.Example{Text: "x", Label: "hamm"}, `did you mean "ham"?`},
		{class, example.Example{Text: "x", Labels: &two}, "it has 2 labels, and the loss cross_entropy takes one"},
		{class, example.Example{Text: "\xff", Label: "ham"}, "UTF-8"},
		{class, example.Example{Text: strings.Repeat("you won ", 9), Label: "ham"}, "20 tokens are too long, the limit is 12 (--long truncate cuts it"},
		{span, example.Example{Question: "x", Context: "y"}, "it has no answers"},
		{span, example.Example{Question: "x", Context: "y", Answers: []example.Answer{{Text: "z", Start: -1}}}, `its answer "z" does not stand at byte -1`},
		{span, example.Example{Question: "x", Context: "yz", Answers: []example.Answer{{Text: "zz", Start: 1}}}, `its answer "zz" does not stand at byte 1`},
		{tag, example.Example{Words: []string{"a"}, Tags: []string{"O", "O"}}, "it has 1 words and 2 tags"},
		{tag, example.Example{Words: []string{"a b"}, Tags: []string{"O"}}, `word 1 is "a b"`},
		{tag, example.Example{Text: "a b", Entities: []example.Entity{{Label: "DAY", Start: 0, End: 3}, {Label: "DAY", Start: 2, End: 3}}},
			"overlaps another one"},
		{choice, example.Example{Question: "x", Options: []string{"a"}, Label: "0"}, "it has 1 options"},
		{choice, example.Example{Question: "x", Options: []string{"a", "b"}, Label: "2"}, `its label "2" is not the number of an option, from 0 to 1`},
		{score, example.Example{Text: "x", Label: "1e39"}, "its score is 1e+39, it must be a number from -1e+15 to 1e+15"},
		{choice, example.Example{Question: "x", Options: []string{"a", "b", "c", "d", "e"}, Label: "2"},
			"it has 5 sequences, and a pass of the training takes up to 4"},
		{choice, example.Example{Question: "x", Options: []string{"a", "a"}, Label: "0"}, "its 2 options are the same text"},
		{pair, example.Example{Text: "x", Documents: []string{"a", "a"}}, "its 2 documents are the same text"},
		{pair, example.Example{Text: "x", Documents: []string{"a", "b"}, Scores: []float64{2, 2}}, "its 2 documents have the same score"},
		{alike, example.Example{Text: "x", Score: &five}, "it needs a text and a pair"},
		{alike, example.Example{Text: "x", Pair: &two[0]}, "it has no score, which the cosine of the two texts is compared with"},
		{alike, example.Example{Text: "x", Pair: &two[0], Score: &five}, "its score is 5, and a cosine is from -1 to 1: divide all scores by the largest one"},
		{vector, example.Example{Text: "x", Positive: "y", Negatives: []string{"z", "y"}}, "its negative 2 is its positive too"},
		{tag, example.Example{Words: []string{"\u200b"}, Tags: []string{"O"}}, "no word of it has a token that the model reads"},
		{ner, example.Example{Text: "x"}, "it has no entities; a text without any has an empty list"},
		{prefix, example.Example{Text: "x"}, "it has no target"},
		{score, example.Example{Text: "x"}, "it has no score"},
		{score, example.Example{Text: "x", Label: "high"}, `its label "high" is not a number`},
		{score, example.Example{Text: "x", Label: "NaN"}, "its score is NaN"},
	} {
		_, _, err := encoded(t, c.train, corpus.Settings{}, c.x)
		var bad *corpus.BadError
		require.True(t, errors.As(err, &bad), "%v: %v", c.want, err)
		require.Len(t, bad.Report.First, 1)
		require.Contains(t, bad.Report.First[0], c.want)
	}
	_, _, err := encoded(t, training(t, "", "take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy", ""), corpus.Settings{})
	require.ErrorContains(t, err, "the head m.h predicts each token, and its model sees all of them: write `mask j <= i`")
	_, _, err = encoded(t, span, corpus.Settings{Long: runtime.Truncate}, example.Example{Question: "x", Context: strings.Repeat("you won ", 9) + "monday",
		Answers: []example.Answer{{Text: "monday", Start: -1}}})
	require.ErrorContains(t, err, "1 of 1 examples cannot be used")
	_, _, err = encoded(t, ner, corpus.Settings{Long: runtime.Truncate})
	require.ErrorContains(t, err, "--long truncate: texts with entities are not cut for a training")
	_, _, err = encoded(t, class, corpus.Settings{MaxTokens: 2})
	require.ErrorContains(t, err, "--max-tokens 2: it leaves no room beside 2 special tokens")
	_, _, err = encoded(t, class, corpus.Settings{MaxTokens: 13})
	require.ErrorContains(t, err, "--max-tokens 13: the training t takes sequences of up to 12 tokens")
	_, _, err = encoded(t, class, corpus.Settings{})
	require.ErrorContains(t, err, "there is no example")
}
