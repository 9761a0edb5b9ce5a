package hf

import "slices"

// glinerTable lists every known field of gliner_config.json: the fields of the library's configurations, and those that its training scripts add.
var glinerTable = append([]group{
	{Applied, "encoder_config", "the encoder; its fields are those of config.json", nil},
	{Applied, "model_name", "the encoder, where there is no encoder_config", nil},
	{Applied, "vocab_size", "rows of the token table with the tokens around labels", nil},
	{Applied, "hidden_size", "width of the head", nil},
	{Applied, "subtoken_pooling", "how the rows of a word's tokens become one", nil},
	{Applied, "num_rnn_layers has_rnn", "whether words pass through an LSTM", nil},
	{Applied, "span_mode max_width", "which spans are scored, and how", nil},
	{Applied, "ent_token sep_token class_token_index embed_ent_token", "the tokens around labels", nil},
	{Applied, "max_len", "the model's limit on the words of a text", nil},

	{Harmless, "name model_type transformers_version root_dir log_dir train_data val_data_dir prev_path gpu run_time _attn_implementation",
		"names the writer, the origin and the purpose of the file", nil},
	{Harmless, "fine_tune lr_encoder lr_others num_steps warmup_ratio warmup_steps train_batch_size eval_batch_size eval_every save_total_limit " +
		"max_neg_type_ratio neg_spans_ratio max_types random_drop shuffle_types size_sup scheduler_type loss_alpha loss_gamma loss_prob_margin " +
		"loss_reduction negatives label_smoothing masking weight_decay_encoder weight_decay_other max_grad_norm freeze_token_rep freeze_components dropout " +
		"token_loss_coef span_loss_coef train_val_split data_type compile_model bf16 fp16 seed report_to gradient_accumulation_steps logging_steps " +
		"num_epochs optimizer optimizer_type unfreeze_layers",
		"a setting of training", nil},
	{Harmless, "id_to_classes", "labels that a class of the library keeps for its user; here they are given with each call", nil},
	{Harmless, "decoder_mode full_decoder_context blank_entity_prob decoder_loss_coef", "belongs to a decoder of labels, which labels_decoder would name", nil},
	{Harmless, "embed_rel_token rel_token_index rel_token rel_id_to_classes adjacency_loss_coef relation_loss_coef augment_data_prob augment_ent_drop_prob " +
		"augment_rel_drop_prob augment_add_other_prob",
		"belongs to the extraction of relations, which relations_layer would name", nil},
	{Harmless, "num_post_fusion_layers", "counts the layers of post_fusion_schema, and there are no such layers", nil},

	{Harmless, "words_splitter_type", "texts are cut into words by the splitter whitespace", []string{`"whitespace"`}},
	{Harmless, "represent_spans", "the spans that result from words would be scored a second time", []string{"false"}},
	{Harmless, "fuse_layers", "the rows of several layers would be mixed", []string{"false"}},
	{Harmless, "post_fusion_schema", "layers of attention between words and labels are not understood", []string{`""`}},
	{Harmless, "precomputed_prompts_mode", "labels are read with each text", []string{"false"}},
	{Refused, "labels_encoder labels_encoder_config", "a second encoder for labels is another model", nil},
	{Refused, "labels_decoder labels_decoder_config", "a decoder that writes labels is another model", nil},
	{Refused, "decoder_config label_token sep_token_index max_cache_length right_context_width", "a decoder in the encoder's place is another model", nil},
	{Refused, "span_encoder_config", "further layers before the spans are not understood", nil},
	{Refused, "relations_layer triples_layer", "the extraction of relations is another head", nil},
	{Harmless, "architectures id2label label2id problem_type tie_word_embeddings pad_token_id is_decoder",
		"a field of every configuration of the library, which GLiNER's models do not read", nil},
}, beside(Applied, configTable)...)

// beside returns a table without the rows that have an effect.
func beside(e Effect, table []group) []group {
	return slices.DeleteFunc(slices.Clone(table), func(g group) bool { return g.effect == e })
}
