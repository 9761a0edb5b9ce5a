package hf_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec/hf"
)

// TestBoundaryFaults checks that fields of a GLiNER2.5 folder that decide something else than what is understood are errors with their names.
func TestBoundaryFaults(t *testing.T) {
	good := string(configs(t)["gliner2_boundary_plain_flat"])
	for _, c := range []struct{ old, new, want string }{
		{`"candidate_pool": "shared"`, `"candidate_pool": "per_query"`, `boundary_head.candidate_pool = "per_query"`},
		{`"candidate_pool": "shared", `, "", `boundary_head.candidate_pool = "per_query": spans are chosen for all fields`},
		{`"candidate_attention_layers": 0`, `"candidate_attention_layers": 1`, "boundary_head.candidate_attention_layers = 1"},
		{`"candidate_attention_layers": 0, `, "", "boundary_head.candidate_attention_layers = 2: attention among spans"},
		{`"query_attention_layers": 0, `, "", "boundary_head.query_attention_layers = 1"},
		{`"boundary_attention_layers": 0`, `"boundary_attention_layers": 65`, "boundary_head.boundary_attention_layers = 65"},
		{`"boundary_attention_heads": 4, "boundary_attention_layers": 0`, `"boundary_attention_heads": 5, "boundary_attention_layers": 1`,
			"boundary_head.boundary_attention_heads = 5 does not divide boundary_dim = 24"},
		{`"adaptive_threshold": false`, `"adaptive_threshold": true`, "boundary_head.adaptive_threshold = true"},
		{`"overlap_policy": "flat"`, `"overlap_policy": "greedy"`, `boundary_head.overlap_policy = "greedy" is not one of flat, longest, nested`},
		{`"pair_temperature": 1.0`, `"pair_temperature": 0`, "boundary_head.pair_temperature = 0"},
		{`"abstention_threshold": 0.5`, `"abstention_threshold": 1.5`, "boundary_head.abstention_threshold = 1.5"},
		{`"min_pool_per_query": 8`, `"min_pool_per_query": 400`, "boundary_head.min_pool_per_query = 400 is larger than 384"},
		{`"boundary_dim": 24`, `"boundary_dim": 0`, "boundary_head.boundary_dim = 0"},
		{`"boundary_ffn_multiplier": 2.0`, `"boundary_ffn_multiplier": -1`, "boundary_head.boundary_ffn_multiplier = -1"},
		{`"dropout": 0.1`, `"dropout": 1`, "boundary_head.dropout = 1"},
		{`"enable_span_content": true`, `"enable_span_contents": true`, "boundary_head.enable_span_contents is not known; enable_span_content is"},
		{`"token_pooling": "first"`, `"token_pooling": "last"`, `token_pooling = "last" is not one of first, mean, max`},
		{`"architecture_version": 1`, `"architecture_version": 2`, "architecture_version"},
		{`"boundary_head": {`, `"boundary_head": 3, "x": {`, "boundary_head = 3"},
	} {
		require.Contains(t, good, c.old)
		_, _, err := hf.Spec([]byte(strings.Replace(good, c.old, c.new, 1)), nil, hf.Options{Encoder: encoder(t)})
		require.ErrorContains(t, err, c.want)
	}
}

// TestBoundaryDefaults checks the statements of a config in which only what the library's defaults would make another model of is set.
func TestBoundaryDefaults(t *testing.T) {
	least := `{"model_type": "extractor", "architecture": "boundary", "config_version": 2, "boundary_head": ` +
		`{"candidate_pool": "shared", "candidate_attention_layers": 0, "query_attention_layers": 0}}`
	_, text, notes := resolve(t, []byte(least), hf.Options{Encoder: encoder(t)})
	for _, line := range []string{"dropout    0.1", "boundaries 128 refine 1 ffn 256", "pool       <= 384 from 64 least 8", "candidates 128 film 64 inside",
		"absent     above 0.5"} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, "temperature")
	require.Empty(t, notes)
	_, _, notes = resolve(t, []byte(strings.Replace(least, `"config_version": 2, `, "", 1)), hf.Options{Encoder: encoder(t)})
	require.Len(t, notes, 2, "records and relations")
}

// TestBoundaryTensors compares the fields of the config with the tensors of a checkpoint.
func TestBoundaryTensors(t *testing.T) {
	config := configs(t)["gliner2_boundary_no_abstention"]
	tensors := map[string][]int{"encoder.embeddings.word_embeddings.weight": {612, 32}, "encoder.encoder.layer.0.attention.output.dense.weight": {32, 32},
		"encoder.encoder.layer.1.output.dense.weight": {32, 64}}
	for _, c := range []struct{ tensor, field string }{{"boundary_head.boundary_encoder.bos_state", "boundary_dim"},
		{"boundary_head.shared_pool_builder.start_projection.weight", "candidate_pool"}, {"classifier.2.weight", "dropout"}} {
		_, _, err := hf.Spec(config, tensors, hf.Options{Encoder: encoder(t)})
		require.ErrorContains(t, err, "boundary_head."+c.field+" asks for the tensor "+c.tensor)
		tensors[c.tensor] = []int{1, 1}
	}
	_, _, err := hf.Spec(config, tensors, hf.Options{Encoder: encoder(t)})
	require.NoError(t, err)
}
