package hf

// boundaryFile names the file in tables.
const boundaryFile = "config.json of GLiNER2.5"

// boundaryTable lists every known field of the config.json of GLiNER2.5.
var boundaryTable = []group{
	{Applied, "model_type", "extractor", nil},
	{Applied, "architecture", "how spans are found: boundary", nil},
	{Applied, "token_pooling", "which tokens of a word are read", nil},
	{Applied, "boundary_head", "how boundaries are scored, and how spans are chosen and scored", nil},
	{Applied, "config_version", "below 3, enable_records and enable_relations are false if they are missing", nil},

	{Harmless, "architecture_version", "the version of the architecture, of which there is one", []string{"1"}},
	{Harmless, "max_len", "the greatest number of words of a text in training; calls have an option for it", nil},
	{Harmless, "max_width counting_layer span_head", "belongs to the architecture span; the library does not read it here", nil},
	{Harmless, "model_name", "names the encoder, whose config is " + EncoderFile, nil},
	{Harmless, "attn_implementation", "decides how attention is computed, not what it is", nil},
	{Harmless, "architectures _name_or_path transformers_version torch_dtype dtype", "names the writer, the origin and the number format of the file", nil},
	{Harmless, "id2label label2id problem_type output_hidden_states output_attentions return_dict chunk_size_feed_forward is_encoder_decoder",
		"a field of every configuration of the library, which GLiNER2.5's models do not read", nil},
}

// boundaryHeadFile names the object in tables.
const boundaryHeadFile = boundaryFile + ", boundary_head"

// boundaryHeadTable lists every known field of boundary_head.
var boundaryHeadTable = []group{
	{Applied, "boundary_dim boundary_refinement_layers boundary_ffn_multiplier", "the rows of boundaries", nil},
	{Applied, "candidate_pool", "for whom spans are chosen: shared, for all fields of a text together; the default per_query is refused", nil},
	{Applied, "pool_size pool_boundary_top_k min_pool_per_query", "which spans are chosen", nil},
	{Applied, "pair_dim", "columns of a span's row", nil},
	{Applied, "enable_span_content content_dim content_soft_max_pool", "what a span's row has of its words", nil},
	{Applied, "use_inside_evidence", "whether the scores of a span's words are added", nil},
	{Applied, "enable_abstention abstention_threshold", "labels without result", nil},
	{Applied, "pair_temperature classification_temperature", "what logits are divided by", nil},
	{Applied, "overlap_policy", "which spans stay that share words", nil},
	{Applied, "dropout", "a setting of training, on which the names of the classifier's tensors depend", nil},
	{Applied, "boundary_attention_layers boundary_attention_heads boundary_attention_window", "attention among boundaries", nil},
	{Applied, "candidate_attention_layers query_attention_layers", "attention among spans or fields; other numbers than 0 are refused", nil},
	{Applied, "adaptive_threshold", "a threshold that depends on the text; true is refused", nil},
	{Applied, "enable_records enable_relations", "structures and relations, which are left out", nil},

	{Harmless, "candidate_attention_heads", "belongs to attention, of which there are no layers", nil},
	{Harmless, "start_top_k end_top_k ends_per_start starts_per_end candidate_budget end_block_size bidirectional_proposals export_mode " +
		"vectorized_pair_elements boundary_top_k_alpha boundary_top_k_max boundary_top_k_bucket",
		"belongs to spans that are chosen for each field, which candidate_pool would ask for", nil},
	{Harmless, "enable_rotary_endpoints rotary_base query_conditioned_inside_weight endpoint_difference_features reranker_endpoint_compat " +
		"multihead_pair_compat_heads",
		"belongs to the scores of spans that are chosen for each field, which candidate_pool would ask for", nil},
	{Harmless, "record_dim record_instance_queries record_anchor_proposal_threshold record_anchor_threshold record_field_threshold record_temperature",
		"belongs to structures, which are left out", nil},
	{Harmless, "relation_heads_per_type relation_tails_per_type relation_pair_cap relation_argument_proposal_threshold relation_temperature " +
		"directional_relation_states relation_biaffine_content",
		"belongs to relations, which are left out", nil},
	{Harmless, "enable_count_head", "counts are for training", nil},
	{Harmless, "training_candidate_budget max_gold_per_query boundary_negative_weight boundary_marginal_loss loss_reduction boundary_focal_gamma_positive " +
		"boundary_focal_gamma_negative boundary_focal_clip hard_negatives_per_positive minimum_hard_negatives hard_negative_keep_all_when_absent " +
		"proposal_loss_weight consistency_loss_weight rerank_listwise_weight soft_iou_aux_weight soft_iou_anneal_steps abstention_loss_weight " +
		"consistency_warmup_steps count_loss_weight negative_query_ratio max_negative_queries_per_batch classification_loss_weight record_loss_weight " +
		"relation_loss_weight",
		"a setting of training", nil},
}
