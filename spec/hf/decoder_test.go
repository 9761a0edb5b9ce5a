package hf_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec/hf"
)

// TestDecoder checks that a stored decoder of masked tokens is a copy of the token table or the head's own weight, and that the decoder must be stored if
// tie_word_embeddings = false.
func TestDecoder(t *testing.T) {
	const tied, own = "take masked; linear hidden; act; norm; linear vocab tied embed.token", "take masked; linear hidden; act; norm; linear vocab"
	const narrow = "take masked; linear 24; act; norm; linear vocab tied embed.token" // embedding_size = 24
	untie := fields{"tie_word_embeddings": false}
	for _, c := range []struct {
		base   string
		fields fields
		stored []string // of the decoder: weight, bias
		equal  bool
		want   string
	}{
		{"bert_mlm", nil, nil, true, tied},
		{"bert_mlm", nil, []string{"weight"}, true, tied},
		{"bert_mlm", nil, []string{"weight"}, false, own},
		{"roberta_mlm", nil, []string{"weight", "bias"}, false, own},
		{"v1_mlm_legacy", nil, []string{"weight"}, false, own},
		{"v2_mlm_legacy", nil, []string{"weight"}, true, narrow},
		{"v2_mlm_legacy", nil, []string{"weight"}, false, "take masked; linear 24; act; norm; linear vocab"},
		{"v2_mlm_new", nil, []string{"weight"}, true, tied},
		{"v2_mlm_new", untie, nil, true, tied}, // the new head always reads the token table
		{"bert_mlm", untie, []string{"weight", "bias"}, false, own},
		{"bert_mlm", untie, []string{"weight", "bias"}, true, tied},
	} {
		stem, table := "cls.predictions.", "embeddings.word_embeddings.weight"
		switch c.base {
		case "roberta_mlm":
			stem = "lm_head."
		case "v2_mlm_new":
			stem = "lm_predictions.lm_head."
		}
		tensors := map[string][]int{}
		maps.Copy(tensors, bare)
		if c.base == "v2_mlm_legacy" {
			tensors[table] = []int{101, 24}
		}
		if c.base != "roberta_mlm" {
			tensors[stem+"transform.dense.weight"] = []int{32, 32}
		}
		for _, n := range c.stored {
			tensors[stem+"decoder."+n] = []int{101}
		}
		asked := false
		opts := hf.Options{Equal: func(a, b string) (bool, error) {
			asked = true
			require.Equal(t, []string{stem + "decoder.weight", table}, []string{a, b})
			return c.equal, nil
		}}
		text, _, err := hf.Spec(with(t, c.base, c.fields), tensors, opts)
		require.NoError(t, err, "%v", c)
		s := resolved(t, text)
		require.Equal(t, c.want, statements(s.Heads[0]), "%v", c)
		require.Equal(t, c.stored != nil, asked)
	}
	for field, tensors := range map[string]map[string][]int{
		"tie_word_embeddings = false, so the head for masked tokens needs cls.predictions.decoder.weight": bare,
		"tie_word_embeddings = false, so the head for masked tokens needs cls.predictions.decoder.bias": shapes("cls.predictions.decoder.weight 101x32",
			"cls.predictions.bias 101"),
	} {
		_, _, err := hf.Spec(with(t, "bert_mlm", untie), tensors, hf.Options{})
		require.ErrorContains(t, err, field)
	}
	_, _, err := hf.Spec(with(t, "v2_mlm_new", nil), shapes("embeddings.word_embeddings.weight 101x32", "lm_predictions.lm_head.dense.weight 32x32",
		"lm_predictions.lm_head.decoder.weight 101x32"),
		hf.Options{Equal: func(string, string) (bool, error) { return false, nil }})
	require.ErrorContains(t, err, "lm_predictions.lm_head.decoder.weight with other values")
}

// TestRobertaDecoderActivation checks that RoBERTa's head for masked tokens uses gelu and ignores hidden_act.
func TestRobertaDecoderActivation(t *testing.T) {
	s, _, _ := resolve(t, with(t, "roberta_mlm", fields{"hidden_act": "relu"}), hf.Options{})
	require.Equal(t, "gelu", s.Heads[0].Steps[1].Act)
	s, _, _ = resolve(t, with(t, "bert_mlm", fields{"hidden_act": "relu"}), hf.Options{})
	require.Equal(t, "relu", s.Heads[0].Steps[1].Act)
}
