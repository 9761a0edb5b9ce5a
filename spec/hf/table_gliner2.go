package hf

// gliner2File names the file in tables.
const gliner2File = "config.json of GLiNER2"

// gliner2Table lists every known field of the config.json of GLiNER2.
var gliner2Table = []group{
	{Applied, "model_type", "extractor", nil},
	{Applied, "architecture", "how spans are found: span, which is the default", nil},
	{Applied, "token_pooling", "which tokens of a word are read", nil},
	{Applied, "counting_layer", "how the rows of a schema's fields are made in each step", nil},
	{Applied, "span_head", "the span scorer; its field max_width replaces that of the model", nil},
	{Applied, "max_width", "words of the longest span", nil},

	{Harmless, "architecture_version config_version", "the version of the file; models of the architecture span are the same in each", nil},
	{Harmless, "max_len", "the greatest number of words of a text in training; calls have an option for it", nil},
	{Harmless, "model_name", "names the encoder, whose config is " + EncoderFile, nil},
	{Harmless, "attn_implementation", "decides how attention is computed, not what it is", nil},
	{Harmless, "architectures _name_or_path transformers_version torch_dtype dtype", "names the writer, the origin and the number format of the file", nil},
	{Harmless, "id2label label2id problem_type output_hidden_states output_attentions return_dict chunk_size_feed_forward is_encoder_decoder",
		"a field of every configuration of the library, which GLiNER2's models do not read", nil},
	{Refused, "boundary_head", "belongs to the architecture boundary", nil},
}

// gliner2SpanTable lists every known field of span_head.
var gliner2SpanTable = []group{
	{Applied, "max_width", "words of the longest span", nil},
	{Harmless, "span_mode", "other spans have other layers", []string{`"markerV0"`}},
	{Harmless, "dropout", "a setting of training", nil},
}
