package hf

// gliclassFile names the file in tables.
const gliclassFile = "config.json of GLiClass"

// gliclassTable lists every known field of the config.json of GLiClass.
var gliclassTable = append([]group{
	{Applied, "model_type", "GLiClass", nil},
	{Applied, "encoder_config", "the encoder; its fields are those of config.json", nil},
	{Applied, "vocab_size", "rows of the token table with the tokens around labels", nil},
	{Applied, "hidden_size", "compared with that of the encoder", nil},
	{Applied, "class_token_pooling embed_class_token", "which tokens of a label are read", nil},
	{Applied, "class_token_index text_token_index example_token_index", "the tokens around labels", nil},
	{Applied, "prompt_first", "whether labels stand in front of the text, or with last after it", nil},
	{Applied, "pooling_strategy extract_text_features use_lstm", "the row of a text", nil},
	{Applied, "projector_hidden_act", "the activation between the two layers on rows of texts and labels", nil},
	{Applied, "normalize_features", "rows divided by their lengths, and a learned number that multiplies scores", nil},
	{Applied, "use_segment_embeddings", "a table of token types for labels, text and examples", nil},
	{Applied, "scorer_type scorer_num_heads scorer_mlp_hidden_size", "how a text is compared with a label", nil},
	{Applied, "focal_loss_alpha focal_loss_gamma problem_type", "the loss in training; written into the spec", nil},

	{Harmless, "architecture_type", "a second encoder for labels, or a decoder, is another model", []string{`"uni-encoder"`}},
	{Harmless, "squeeze_layers layer_wise", "rows of several layers would be mixed, or trained; the library cannot run squeeze_layers with DeBERTa",
		[]string{"false"}},
	{Harmless, "encoder_layer_id", "the library cannot run another layer than the last one with DeBERTa", []string{"-1"}},
	{Harmless, "use_calibrator", "scores would be corrected by a second model", []string{"false"}},
	{Harmless, "multimodal", "pictures and sounds are not understood", []string{"false"}},
	{Harmless, "use_embedding_projection", "a projection after the encoder is another model", []string{"false"}},
	{Harmless, "max_labels_alloc", "with a fixed number of labels, missing ones would count as labels of zeros", []string{`"dynamic"`}},
	{Refused, "label_model_config label_model_name", "a second encoder for labels is another model", nil},

	{Harmless, "architectures encoder_model_name encoder_model transformers_version dtype",
		"names the writer, the origin and the purpose of the file", nil},
	{Harmless, "max_num_classes", "the greatest number of labels of a text in training", nil},
	{Harmless, "dropout scorer_attn_dropout initializer_range logit_scale_init_value contrastive_loss_coef focal_loss_reduction ignore_index " +
		"freeze_media_encoders",
		"a setting of training", nil},
	{Harmless, "calibrator_beta_max calibrator_dropout calibrator_hidden_size calibrator_use_bias",
		"belongs to a calibrator, which use_calibrator would ask for", nil},
	{Harmless, "recurrent_bptt_steps recurrent_confidence_coef recurrent_confidence_margin recurrent_confidence_mode recurrent_halt_threshold " +
		"recurrent_improvement_coef recurrent_improvement_margin recurrent_inference recurrent_inference_max_steps recurrent_min_steps recurrent_read_text " +
		"recurrent_steps scorer_encoder_num_layers scorer_full_sequence shared_position_embeddings",
		"belongs to models with a decoder, which architecture_type would name", nil},
	{Harmless, "id2label label2id tie_word_embeddings pad_token_id is_decoder is_encoder_decoder",
		"a field of every configuration of the library, which GLiClass's models do not read", nil},
}, beside(Applied, configTable)...)
