package hf

// configTable lists every known field of config.json. The code that writes the spec reads the applied fields; the model type decides which of them a model
// has.
var configTable = []group{
	{Applied, "model_type", "the kind of model: deberta-v2, deberta, bert or roberta", nil},
	{Applied, "architectures", "the head", nil},
	{Applied, "vocab_size", "rows of the token table", nil},
	{Applied, "hidden_size", "width of the rows", nil},
	{Applied, "embedding_size", "width of the tables of the input (DeBERTa)", nil},
	{Applied, "num_hidden_layers", "layers", nil},
	{Applied, "num_attention_heads", "attention heads", nil},
	{Applied, "attention_head_size pooler_hidden_size", "compared with the sizes of published layouts; another value is refused", nil},
	{Applied, "intermediate_size", "width of the inner layer", nil},
	{Applied, "hidden_act", "activation", nil},
	{Applied, "layer_norm_eps", "epsilon of layer norms", nil},
	{Applied, "hidden_dropout_prob attention_probs_dropout_prob", "dropout in training; written into the spec", nil},
	{Applied, "initializer_range", "initial weights in training; written into the spec", nil},
	{Applied, "max_position_embeddings", "rows of absolute positions, and the bound on relative ones", nil},
	{Applied, "type_vocab_size", "rows of the table of token types", nil},
	{Applied, "pad_token_id padding_idx", "the padding row; for RoBERTa, where positions begin", nil},
	{Applied, "position_biased_input", "whether the input has absolute positions (DeBERTa)", nil},
	{Applied, "relative_attention pos_att_type", "terms of the score (DeBERTa)", nil},
	{Applied, "max_relative_positions position_buckets", "offsets (DeBERTa)", nil},
	{Applied, "share_att_key norm_rel_ebd", "projections and the norm of the table of offsets (DeBERTa v2)", nil},
	{Applied, "talking_head", "mixing of attention heads (DeBERTa v1)", nil},
	{Applied, "conv_kernel_size conv_groups conv_act", "the convolution beside the first layer (DeBERTa v2)", nil},
	{Applied, "pooler_dropout pooler_hidden_act pooling", "the pooler (DeBERTa)", nil},
	{Applied, "cls_dropout", "dropout before the classifier in training (DeBERTa); written into the spec", nil},
	{Applied, "classifier_dropout", "dropout before the classifier in training (BERT, RoBERTa); written into the spec. DeBERTa's classes do not read it, and " +
		"a dropout changes no result", nil},
	{Applied, "legacy", "which of two heads for masked tokens, if the tensors do not tell (DeBERTa)", nil},
	{Applied, "id2label", "names of the labels. A name that is missing, or that several labels have, gets the label's number, with a message", nil},
	{Applied, "num_labels", "number of labels if there is no id2label; otherwise only compared with it", nil},
	{Applied, "label2id", "compared with id2label, which decides; a difference is reported", nil},
	{Applied, "problem_type", "whether labels exclude each other, and whether a head is a regression", nil},
	{Applied, "is_decoder", "whether a token sees only the tokens before it (BERT, RoBERTa); for DeBERTa only false is understood", nil},
	{Applied, "tie_word_embeddings",
		"a head on the vocabulary shares the token table; with false it reads the decoder that the checkpoint stores, and its bias", nil},
	{Applied, "sentence_transformers activation_fn sbert_ce_default_activation_function",
		"the function that a cross-encoder applies to its logit: with Sigmoid or Tanh the score is the function's result; with Identity, or without a " +
			"function, it is the logit", nil},
	{Applied, "generator discriminator embedding_sharing", "the two models of replaced-token detection", nil},

	{Harmless, "_name_or_path name_or_path _commit_hash transformers_version _diffusers_version language tags license finetuning_task model_name " +
		"unsloth_version transformers.js_config custom_pipelines is_composition",
		"names the writer, the origin and the purpose of the file", nil},
	{Harmless, "adapters", "names adapters, whose weights are files of their own, which are not read", nil},
	{Harmless, "_attn_implementation _attn_implementation_autoset _attn_implementation_internal attn_implementation _experts_implementation " +
		"experts_implementation torch_dtype dtype use_bfloat16 torchscript tf_legacy_loss xla_device gradient_checkpointing gradient_checkpointing_kwargs " +
		"chunk_size_feed_forward",
		"a setting of how another program computes; here weights are read in the type that they have, and computed in float32", nil},
	{Harmless, "return_dict use_return_dict return_dict_in_generate output_attentions output_hidden_states output_scores output_past use_cache",
		"a setting of what a call of another program returns", nil},
	{Harmless, "bos_token_id eos_token_id sep_token_id cls_token_id mask_token_id unk_token_id decoder_start_token_id tokenizer_class",
		"the tokenizer's files decide this, and are followed", nil},
	{Harmless, "max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p typical_p " +
		"repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences begin_suppress_tokens " +
		"suppress_tokens forced_bos_token_id forced_eos_token_id remove_invalid_values exponential_decay_length_penalty min_new_tokens max_new_tokens " +
		"renormalize_logits",
		"how text is generated: checked for the head generate if there is no generation_config.json; other heads do not generate", nil},
	{Harmless, "directionality pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type",
		"left by the first BERT; no class of these models reads it", nil},
	{Harmless, "summary_activation summary_first_dropout summary_last_dropout summary_proj_to_labels summary_type summary_use_proj",
		"belongs to models with a summary of a sequence; these have none", nil},
	{Harmless, "initializer_factor problem_types _num_labels", "belongs to training or to other software; no class of these models reads it", nil},
	{Harmless, "padding_side", "no padding is computed", nil},
	{Harmless, "max_seq_length do_lower_case", "no library reads it in this file; sentence_bert_config.json and tokenizer_config.json have fields of these " +
		"names, which are applied", nil},
	{Harmless, "is_encoder_decoder add_cross_attention tie_encoder_decoder", "a decoder that reads an encoder is another model", []string{"false"}},
	{Harmless, "pruned_heads", "without some attention heads the tensors have other sizes", []string{"{}"}},
	{Harmless, "position_embedding_type", "relative_key and relative_key_query add terms to the score", []string{`"absolute"`}},
	{Harmless, "z_steps", "the mask decoder would run several times", []string{"0"}},
	{Harmless, "task_specific_params", "pipelines would take other settings for a task", []string{"{}"}},
	{Refused, "cross_attention_hidden_size", "it belongs to a decoder that reads an encoder", nil},
	{Refused, "quantization_config", "weights that are quantized are not read: save the model in float32, float16 or bfloat16", nil},
	{Refused, "auto_map", "the model is code in the folder, which is not run", nil},
	{Refused, "prefix", "pipelines would put it in front of a text", nil},
	{Harmless, "function_to_apply", "pipelines read it only for models without labels; probabilities follow from problem_type", nil},
}
