package hf_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec/hf"
)

// TestLabelsDecide checks that id2label is followed if label2id or num_labels contradict it, and that contradictions are reported. Labels without a name, or
// with a name that other labels have too, get numbers.
func TestLabelsDecide(t *testing.T) {
	names := fields{"0": "negative", "1": "neutral", "2": "positive"}
	for _, c := range []struct {
		fields fields
		labels []string
		said   string // "": no message
	}{
		{fields{"id2label": names, "label2id": fields{"negative": 0, "neutral": 1, "positive": 2}}, []string{"negative", "neutral", "positive"}, ""},
		{fields{"id2label": names, "label2id": fields{"negative": "0", "neutral": "1", "positive": "2"}}, []string{"negative", "neutral", "positive"}, ""},
		{fields{"id2label": names, "label2id": fields{"negative": 2, "neutral": 1, "positive": 0}}, []string{"negative", "neutral", "positive"},
			`label2id has 2 for "negative", but id2label has 0: id2label is followed`},
		{fields{"id2label": names, "label2id": 3}, []string{"negative", "neutral", "positive"},
			"label2id = 3 is not an object from texts to numbers: it is not read, id2label decides"},
		{fields{"id2label": names, "label2id": nil, "num_labels": 5}, []string{"negative", "neutral", "positive"},
			"id2label has 3 names, but num_labels = 5: id2label is followed"},
		{fields{"id2label": fields{"0": 0, "1": 1, "2": 2}, "label2id": fields{"0": 0, "1": 1, "2": 2}}, []string{"0", "1", "2"}, ""},
		{fields{"id2label": fields{"0": json.Number("1.5"), "1": true}, "label2id": nil}, []string{"1.5", "true"}, ""},
		{fields{"id2label": fields{"0": "a", "1": "b", "2": "a"}, "label2id": fields{"a": 2, "b": 1}}, []string{"a_0", "b", "a_2"},
			`id2label has the name "a" 2 times: that of 0 is called a_0`},
		{fields{"id2label": fields{"0": "a", "1": "", "2": nil}, "label2id": nil}, []string{"a", "LABEL_1", "LABEL_2"},
			"id2label has no name for 1: it is called LABEL_1"},
		{fields{"id2label": fields{"0": "a", "1": "a", "2": "a_1"}, "label2id": nil}, []string{"a_0", "a_1_1", "a_1"},
			`id2label has the name "a" 2 times: that of 0 is called a_0`},
		{fields{"id2label": nil, "label2id": fields{"no": 0, "yes": 1}}, []string{"LABEL_0", "LABEL_1"},
			"label2id has 2 names, but there is no id2label, which decides: labels are called LABEL_0 …"},
		{fields{"id2label": nil, "label2id": nil, "num_labels": 3}, []string{"LABEL_0", "LABEL_1", "LABEL_2"}, ""},
	} {
		var said []string
		s, _, notes := resolve(t, with(t, "v2_seq_multi", c.fields), hf.Options{Warn: func(text string) { said = append(said, text) }})
		require.Equal(t, c.labels, s.Heads[0].Labels, "%v", c.fields)
		require.NotContains(t, notes, c.said)
		if c.said == "" {
			require.Empty(t, said, "%v", c.fields)
			continue
		}
		require.NotEmpty(t, said, "%v", c.fields)
		require.Equal(t, c.said, said[0], "%v", c.fields)
	}
	// Without Warn the contradiction is among the notes. A head without labels reports nothing.
	reversed := fields{"id2label": names, "label2id": fields{"negative": 2}}
	_, _, notes := resolve(t, with(t, "v2_seq_multi", reversed), hf.Options{})
	require.Contains(t, notes, `label2id has 2 for "negative", but id2label has 0: id2label is followed`)
	_, _, notes = resolve(t, with(t, "v2_seq_multi", reversed), hf.Options{Task: "embed"})
	require.Empty(t, notes)
}

// TestHarmlessFields checks that fields that change nothing for a kind of model are accepted and do not change the spec.
func TestHarmlessFields(t *testing.T) {
	for _, c := range []struct {
		base   string
		fields fields
	}{
		{"v2_seq_multi", fields{"classifier_dropout": 0.1}},
		{"v2_seq_multi", fields{"classifier_dropout": nil}},
		{"v2_seq_multi", fields{"tie_word_embeddings": false}},
		{"v2_seq_multi", fields{"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}},
		{"v2_seq_multi", fields{"sentence_transformers": fields{"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "4.1.0"}}},
		{"bert_model", fields{"tie_word_embeddings": false}},
		{"gliner_span_plain", fields{"warmup_steps": 0.05, "loss_prob_margin": 0, "negatives": 1.0, "freeze_components": nil, "train_data": "data.json",
			"size_sup": -1, "represent_spans": false}},
	} {
		_, want, _ := resolve(t, configs(t)[c.base], hf.Options{})
		_, text, notes := resolve(t, with(t, c.base, c.fields), hf.Options{})
		require.Equal(t, want, text, "%v", c.fields)
		require.Empty(t, notes)
	}
}
