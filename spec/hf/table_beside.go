package hf

// tokenizerTable lists every known field of tokenizer_config.json. Package runtime/token reads the applied fields, except the length limit.
var tokenizerTable = []group{
	{Applied, "tokenizer_class", "the kind of tokenizer, where the files do not tell; whether texts have token types; a class of another kind than the files " +
		"have is refused", nil},
	{Applied, "cls_token sep_token pad_token mask_token unk_token bos_token eos_token", "the names of special tokens", nil},
	{Applied, "additional_special_tokens extra_special_tokens", "names of further special tokens, which the tokenizer's files must have", nil},
	{Applied, "added_tokens_decoder",
		"added tokens with their flags, which replace those that tokenizer.json has; a token that tokenizer.json lacks is refused", nil},
	{Applied, "do_lower_case strip_accents tokenize_chinese_chars split_by_punct add_prefix_space",
		"what is done to texts if there is no tokenizer.json; otherwise a difference from it is refused if the library would follow the field", nil},
	{Applied, "unk_id", "the number of the piece for what no other piece stands for; another number than that of tokenizer.json is refused if the library " +
		"would follow the field", nil},
	{Applied, "do_basic_tokenize trim_offsets", "what is done to texts if there is no tokenizer.json, which has its own steps", nil},
	{Applied, "split_special_tokens add_special_tokens",
		"only false (split_special_tokens) and true (add_special_tokens) are understood; " +
			"otherwise names of special tokens in texts would be text, or texts would have no special tokens around them", nil},
	{Applied, "model_max_length max_len", "the limit on the tokens of a text", nil},
	{Applied, "model_input_names", "whether the second text of a pair has a token type of its own: without token_type_ids it does not", nil},
	{Applied, "truncation_side", "which end of a text is cut", nil},

	{Harmless, "name_or_path special_tokens_map_file tokenizer_file vocab_file merges_file full_tokenizer_file added_tokens_file processor_class backend " +
		"is_local local_files_only use_fast fast_tokenizer_files files_loaded device_map slow_tokenizer_class from_slow cache_dir trust_remote_code " +
		"transformers_version _commit_hash revision tokenizer_type vocab_type",
		"names the writer of the files, and how they were found", nil},
	{Harmless, "padding_side padding pad_to_multiple_of pad_token_type_id pad_token_id", "no padding is computed", nil},
	{Harmless, "max_length stride truncation truncation_strategy return_tensors return_special_tokens_mask return_offsets_mapping",
		"a setting of calls, which the library does not take from the file", nil},
	{Harmless, "clean_up_tokenization_spaces clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output errors",
		"a setting of how tokens become text: results are places in the given text, or come from the tokenizer's own decoder", nil},
	{Harmless, "chat_template response_template chat_control_tokens use_default_system_prompt", "how chats become texts; texts are taken as they are", nil},
	{Harmless, "add_bos_token add_eos_token legacy", "belongs to tokenizers of other models; what stands around a text is in the tokenizer's files", nil},
	{Harmless, "num_labels id2label label2id problem_type max_seq_length", "belongs to the model; the tokenizer does not read it", nil},
	{Harmless, "init_inputs", "arguments of the tokenizer's class", []string{"[]"}},
	{Harmless, "sp_model_kwargs", "SentencePiece would choose pieces at random", []string{"{}"}},
	{Harmless, "never_split", "words that must not be cut are not understood", []string{"[]"}},
	{Harmless, "clean_text", "control characters would stay in texts", []string{"true"}},
	{Harmless, "wordpieces_prefix", "pieces inside words would be marked in another way", []string{`"##"`}},
	{Refused, "auto_map", "the tokenizer is code in the folder, which is not run", nil},
	{Harmless, "remove_space keep_accents", "only the tokenizers of ALBERT and XLNet read it, from files that are not read here", nil},
}

// specialTable lists the fields of special_tokens_map.json.
var specialTable = []group{
	{Applied, "cls_token sep_token pad_token mask_token unk_token bos_token eos_token", "the names of special tokens", nil},
	{Applied, "additional_special_tokens extra_special_tokens", "names of further special tokens, which the tokenizer's files must have", nil},
}

// transformerTable lists the fields of sentence_bert_config.json and of its older names.
var transformerTable = []group{
	{Applied, "max_seq_length", "the limit on the tokens of a text for embeddings; without it model_max_length", nil},
	{Applied, "do_lower_case", "texts are lower-cased before the tokenizer, as versions 2 to 5 do", nil},
	{Applied, "modality_config", "only texts are understood", nil},
	{Harmless, "transformer_task", "other classes return other rows", []string{`"feature-extraction"`, `"sequence-classification"`}},
	{Harmless, "module_output_name", "other outputs are not understood", []string{`"token_embeddings"`, `"scores"`}},
	{Harmless, "unpad_inputs", "no padding is computed", nil},
	{Harmless, "processing_kwargs model_args tokenizer_args config_args", "settings of the library's classes are not understood", []string{"{}"}},
	{Refused, "query_length document_length query_expansion", "queries and documents would be cut or filled up differently", nil},
}

// sentenceTable lists the fields of config_sentence_transformers.json.
var sentenceTable = []group{
	{Applied, "prompts default_prompt_name", "the prompts in front of a text, by name, and the one that is used if a call names none", nil},
	{Applied, "activation_fn", "the function after a score", nil},
	{Applied, "model_type", "embeddings of one vector for each text are understood", nil},
	{Harmless, "__version__", "names the writer of the file", nil},
	{Harmless, "similarity_fn_name", "how vectors are compared, which is up to the caller", nil},
}

// moduleTable lists the fields of an entry of modules.json.
var moduleTable = []group{
	{Applied, "path type", "the module and its folder", nil},
	{Harmless, "idx name", "the order of the list counts", nil},
	{Harmless, "kwargs", "arguments of calls would reach the module", []string{"[]", "{}"}},
}

// normalizeTable lists the fields of the config of a division by the length.
var normalizeTable = []group{
	{Harmless, "module_input_name", "other numbers would be divided", []string{`"sentence_embedding"`}},
	{Harmless, "module_output_name", "another output is not understood", []string{`"sentence_embedding"`}},
}

// generationTable lists the fields of generation_config.json. They apply to config.json as well for the head generate, which takes the most probable token
// unless a call asks for something else.
var generationTable = []group{
	{Harmless, "transformers_version _from_model_config _commit_hash", "names the writer of the file", nil},
	{Harmless, "max_length max_new_tokens max_time", "each call sets how many tokens are generated; the default is 64", nil},
	{Harmless, "bos_token_id pad_token_id eos_token_id decoder_start_token_id",
		"the tokenizer's files decide this: a text ends with the token that closes a sequence", nil},
	{Harmless, "use_cache cache_implementation cache_config return_legacy_cache prefill_chunk_size max_cache_len use_mtp compile_config disable_compile " +
		"continuous_batching_config low_memory is_assistant num_assistant_tokens num_assistant_tokens_schedule assistant_confidence_threshold " +
		"assistant_early_exit assistant_lookbehind target_lookbehind assistant_ensemble_weight speculation_type prompt_lookup_num_tokens " +
		"max_matching_ngram_size",
		"a setting of how another program computes", nil},
	{Harmless, "output_attentions output_hidden_states output_scores output_logits return_dict_in_generate remove_invalid_values",
		"a setting of what a call of another program returns", nil},
	{Harmless, "temperature top_k top_p min_p top_h typical_p epsilon_cutoff eta_cutoff renormalize_logits",
		"has an effect with do_sample only, which is refused; a call draws with --temperature, --top-k and --top-p", nil},
	{Harmless, "early_stopping length_penalty diversity_penalty", "has an effect with num_beams only, which is refused", nil},
	{Harmless, "do_sample", "tokens would be drawn: use --temperature for that", []string{"false"}},
	{Harmless, "num_beams num_beam_groups num_return_sequences", "several texts at a time are not followed", []string{"1"}},
	{Harmless, "repetition_penalty encoder_repetition_penalty guidance_scale", "scores would be changed", []string{"1", "1.0"}},
	{Harmless, "no_repeat_ngram_size encoder_no_repeat_ngram_size min_length", "some tokens would be left out", []string{"0"}},
	{Harmless, "token_healing", "the prompt would be changed", []string{"false"}},
	{Refused, "min_new_tokens stop_strings bad_words_ids forced_bos_token_id forced_eos_token_id exponential_decay_length_penalty suppress_tokens " +
		"begin_suppress_tokens sequence_bias watermarking_config penalty_alpha dola_layers constraints force_words_ids",
		"tokens would be chosen in a way that is not understood", nil},
}
