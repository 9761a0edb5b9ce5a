package hf_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec/hf"
)

// TestGLiNER2Faults checks that fields of a GLiNER2 folder that decide something else than what is understood are errors with their names.
func TestGLiNER2Faults(t *testing.T) {
	good := string(configs(t)["gliner2_lstm_v2"])
	for _, c := range []struct{ old, new, want string }{
		{`"architecture": "span"`, `"architecture": "boundary"`, "boundary_head is missing"},
		{`"architecture": "span"`, `"architecture": "spans"`, `architecture = "spans" is not one of boundary, span`},
		{`"token_pooling": "first"`, `"token_pooling": "last"`, `token_pooling = "last" is not one of first, mean, max`},
		{`"counting_layer": "count_lstm_v2"`, `"counting_layer": "count_gru"`,
			`counting_layer = "count_gru" is not one of count_lstm, count_lstm_moe, count_lstm_v2`},
		{`"span_mode": "markerV0"`, `"span_mode": "query"`, "span_head.span_mode"},
		{`"span_mode": "markerV0"`, `"span_modes": "markerV0"`, "span_head.span_modes is not known; span_mode is"},
		{`"span_head": {`, `"span_head": 3, "x": {`, "span_head = 3"},
		{`"max_len": null`, `"boundary_head": {}`, "boundary_head"},
		{`"max_len": null`, `"class_mlp": 3`, "class_mlp is not known"},
		{`"max_width": 6`, `"max_width": 0`, "max_width = 0, it must be at least 1"},
	} {
		require.Contains(t, good, c.old)
		_, _, err := hf.Spec([]byte(strings.Replace(good, c.old, c.new, 1)), nil, hf.Options{Encoder: encoder(t)})
		require.ErrorContains(t, err, c.want)
	}
	_, _, err := hf.Spec([]byte(good), nil, hf.Options{})
	require.ErrorContains(t, err, "encoder_config/config.json: is missing")
	_, _, err = hf.Spec([]byte(good), nil, hf.Options{Encoder: []byte("{")})
	require.ErrorContains(t, err, "encoder_config/config.json: ")
	_, _, err = hf.Spec([]byte(good), nil, hf.Options{Encoder: []byte(strings.Replace(string(encoder(t)), `"deberta-v2"`, `"bert"`, 1))})
	require.ErrorContains(t, err, `model_type = "bert"`)
	_, _, err = hf.Spec([]byte(good), nil, hf.Options{Encoder: encoder(t), Task: "entities"})
	require.ErrorContains(t, err, "a GLiNER2 model serves extract alone")
}

// TestGLiNER2Widths checks that the width of spans is that of span_head, else that of the model, else 8.
func TestGLiNER2Widths(t *testing.T) {
	for config, want := range map[string]string{
		`{"model_type": "extractor"}`: "spans   <= 8 markers", `{"model_type": "extractor", "max_width": 5}`: "spans   <= 5 markers",
		`{"model_type": "extractor", "max_width": 5, "span_head": {"max_width": 4}}`: "spans   <= 4 markers",
		`{"model_type": "extractor", "max_width": 5, "span_head": {"dropout": 0.2}}`: "spans   <= 5 markers",
	} {
		_, text, _ := resolve(t, []byte(config), hf.Options{Encoder: encoder(t)})
		require.Contains(t, text, want, config)
	}
}

// TestGLiNER2Tensors compares the fields of the config with the tensors of a checkpoint. The token table decides the number of its rows.
func TestGLiNER2Tensors(t *testing.T) {
	config := []byte(`{"model_type": "extractor", "counting_layer": "count_lstm_moe"}`)
	tensors := map[string][]int{"encoder.embeddings.word_embeddings.weight": {612, 32}, "encoder.encoder.layer.0.attention.output.dense.weight": {32, 32},
		"encoder.encoder.layer.1.output.dense.weight":    {32, 64},
		"span_rep.span_rep_layer.project_start.0.weight": {128, 32}}
	_, _, err := hf.Spec(config, tensors, hf.Options{Encoder: encoder(t)})
	require.ErrorContains(t, err, "counting_layer asks for the tensor count_embed.w1, which the checkpoint lacks")
	tensors["count_embed.w1"] = []int{4, 32, 64}
	text, _, err := hf.Spec(config, tensors, hf.Options{Encoder: encoder(t)})
	require.NoError(t, err)
	require.Contains(t, text, "dim vocab  = 612")
	delete(tensors, "span_rep.span_rep_layer.project_start.0.weight")
	_, _, err = hf.Spec(config, tensors, hf.Options{Encoder: encoder(t)})
	require.ErrorContains(t, err, "architecture asks for the tensor")
}
