"""What record_folders.py changes in the files of a model folder: fields absent, contradictory, and as several versions of the libraries write them.

A change is a name, the kinds of folders that it is for, and edits. An edit is one of

    ("set", FILE, FIELD, VALUE)      of the object in a JSON file, which is made if it is not there
    ("unset", FILE, FIELD)
    ("file", FILE, VALUE)            a whole JSON file, or a text
    ("remove", FILE)
    ("tensors", OP, ...)             prefix P | rename FROM TO | copy FROM TO SCALE | drop NAME | make NAME SHAPE

The fields and files of its edits, and of "names", are what a refusal may name. Where debertac reads more than the libraries do, "as_is" says
that the result is that of the folder without the change: prefixes of training libraries, sizes that the tensors tell.
"""
import itertools

CONFIG, TOKENS, SPECIAL, TOKENIZER = "config.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"
GLINER = "gliner_config.json"

# The base folders, which are in examples/tasks: what kind of task each has, and its family.
BASES = {
    "classify": ("labels", "v2"), "multilabel": ("labels", "v2"), "classify_bert": ("labels", "bert"), "classify_deberta": ("labels", "v1"),
    "score": ("score", "v2"), "rank": ("score", "roberta"), "nli_small": ("zero-shot", "v2"),
    "tag": ("tags", "v2"), "tag_bert": ("tags", "bert"), "tag_deberta": ("tags", "v1"),
    "fill": ("masks", "v2"), "fill_legacy": ("masks", "v2"), "fill_bert": ("masks", "bert"), "fill_roberta": ("masks", "roberta"), "fill_deberta": ("masks", "v1"),
    "embed": ("embed", "v2"), "answer": ("answer", "v2"), "answer_roberta": ("answer", "roberta"), "choose": ("choose", "v2"),
    "entities": ("entities", "gliner"),
}
KINDS = {"any": set(BASES)}
for _b, (_task, _family) in BASES.items():
    KINDS.setdefault(_task, set()).add(_b)
    KINDS.setdefault(_family, set()).add(_b)
KINDS["deberta"] = KINDS["v1"] | KINDS["v2"]
KINDS["plain"] = KINDS["any"] - KINDS["gliner"]
KINDS["sequence"] = KINDS["labels"] | KINDS["score"]
KINDS["three"] = {"classify", "classify_bert", "classify_deberta"}
KINDS["old"] = KINDS["bert"] | KINDS["roberta"]

CHANGES = []


class Drop:
    def __repr__(self):
        return "absent"


DROP = Drop()


def add(name, kinds, *edits, names=(), as_is=False):
    folders = set.union(*(KINDS[k] for k in kinds.split("+")))
    CHANGES.append({"name": name, "folders": sorted(folders), "edits": list(edits), "names": list(names), "as_is": as_is})


def values(file, field, kinds, *choices, **more):
    """One change for each value; DROP takes the field away."""
    for v in choices:
        add(f"{field} = {v!r}", kinds, ("unset", file, field) if v is DROP else ("set", file, field, v), **more)



# ---- config.json ---------------------------------------------------------------------------------------------------------------------------

values(CONFIG, "hidden_act", "plain", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "gelu_accurate", "relu", "silu", "swish", "tanh", "sigmoid", "linear", "quick_gelu",
       "mish", "gelu_10", "relu2", "laplace", "leaky_relu", "GELU", DROP)
values(CONFIG, "layer_norm_eps", "plain", 1e-12, 1e-5, 0.1, DROP, "1e-7", 0)
values(CONFIG, "hidden_dropout_prob", "plain", 0.3, DROP)
values(CONFIG, "attention_probs_dropout_prob", "plain", 0.3, DROP)
values(CONFIG, "cls_dropout", "plain", 0.2, 0)
values(CONFIG, "classifier_dropout", "plain", 0.1, None, 0.0)
values(CONFIG, "pooler_dropout", "deberta", 0.4, DROP)
values(CONFIG, "pooler_hidden_act", "sequence+zero-shot", "relu", "tanh", "gelu_new", DROP)
values(CONFIG, "pooler_hidden_size", "deberta", DROP, 16)
values(CONFIG, "pooling", "labels+embed", {"dropout": 0, "hidden_act": "gelu"}, {"dropout": 0.1, "hidden_act": "tanh"})
values(CONFIG, "problem_type", "labels+score", "regression", "single_label_classification", "multi_label_classification", None, "ranking")
values(CONFIG, "tie_word_embeddings", "plain", False, DROP)
values(CONFIG, "legacy", "labels+embed", True, False, DROP)
values(CONFIG, "legacy", "masks", True, False, DROP, as_is=True)  # the tensors tell
values(CONFIG, "type_vocab_size", "plain", DROP, 0, 1, 2)
values(CONFIG, "position_biased_input", "deberta", DROP, True)
values(CONFIG, "max_position_embeddings", "plain", 64, 512, DROP)
values(CONFIG, "max_relative_positions", "deberta", 16, 64, DROP, 0)
values(CONFIG, "position_buckets", "v2", DROP, -1, 4)
values(CONFIG, "position_buckets", "v1", -1, 8)
values(CONFIG, "pos_att_type", "deberta", "c2p|p2c", "p2c|c2p", "P2C|C2P", ["c2p"], ["p2c"], "c2p", DROP, [], "none", ["c2p", "p2c", "p2p"])
values(CONFIG, "share_att_key", "v2", False, DROP)
values(CONFIG, "norm_rel_ebd", "v2", "none", DROP, "layer_norm|none")
values(CONFIG, "norm_rel_ebd", "v2", ["layer_norm"], as_is=True)
values(CONFIG, "relative_attention", "deberta", False, DROP)
values(CONFIG, "conv_kernel_size", "deberta", 0, 3)
values(CONFIG, "talking_head", "deberta", False, True)
values(CONFIG, "attention_head_size", "plain", 16, 8)
values(CONFIG, "embedding_size", "plain", 32, 16)
values(CONFIG, "initializer_range", "plain", 0.5, DROP)
values(CONFIG, "pad_token_id", "plain", DROP, None, 3)
values(CONFIG, "padding_idx", "deberta", 0, 1)
values(CONFIG, "architectures", "labels+score+embed", DROP, [], None)
values(CONFIG, "architectures", "labels", ["DebertaV2ForSequenceClassification", "DebertaV2Model"])
values(CONFIG, "is_decoder", "old", True)
values(CONFIG, "add_cross_attention", "old", True)
values(CONFIG, "position_embedding_type", "old", "absolute", "relative_key", "relative_key_query")
values(CONFIG, "chunk_size_feed_forward", "plain", 0, 4)
values(CONFIG, "pruned_heads", "plain", {}, {"0": [1]})
values(CONFIG, "vocab_size", "plain", 500, 300)
values(CONFIG, "num_hidden_layers", "plain", 1, 4)
values(CONFIG, "num_attention_heads", "plain", 4, 3)
values(CONFIG, "intermediate_size", "plain", 64)
values(CONFIG, "hidden_size", "plain", DROP)
values(CONFIG, "model_type", "plain", DROP, "deberta", "electra")
values(CONFIG, "quantization_config", "plain", {"load_in_8bit": True, "quant_method": "bitsandbytes"})
values(CONFIG, "auto_map", "plain", {"AutoModel": "modeling.Custom"})
values(CONFIG, "output_hidden_states", "plain", True)
values(CONFIG, "output_attentions", "plain", True)
values(CONFIG, "return_dict", "plain", False)
values(CONFIG, "torchscript", "plain", True)
values(CONFIG, "torch_dtype", "plain", "float16", "bfloat16")
values(CONFIG, "dtype", "plain", "float16")
values(CONFIG, "task_specific_params", "plain", {"text-classification": {"max_length": 4}})
values(CONFIG, "num_hidden_layer", "plain", 1)
values(CONFIG, "my_experiment", "plain", "run 7")
values(CONFIG, "rope_theta", "plain", 10000.0)
values(CONFIG, "z_steps", "deberta", 0, 2)
values(CONFIG, "is_encoder_decoder", "plain", True)
values(CONFIG, "max_length", "plain", 5)
values(CONFIG, "mask_token_id", "masks", 7)
values(CONFIG, "cls_token_id", "plain", 5)
values(CONFIG, "adapters", "plain", {"adapters": {"x": "y"}})
values(CONFIG, "use_cache", "plain", True)
values(CONFIG, "finetuning_task", "plain", "mnli")
values(CONFIG, "gradient_checkpointing", "plain", True)
values(CONFIG, "summary_type", "plain", "first")
values(CONFIG, "pooler_type", "old", "first_token_transform")

# Labels.
THREE = {"0": "negative", "1": "neutral", "2": "positive"}
for ids, back in itertools.product((DROP, THREE, {"0": "a", "1": "a", "2": "b"}, {"0": "", "1": "x", "2": ""}, {"2": "c", "0": "a", "1": "b"}, {"1": "a", "2": "b", "3": "c"}, ["a", "b", "c"], {"0": 0, "1": 1, "2": 2}),
                                   (DROP, {"negative": 0, "neutral": 1, "positive": 2}, {"0": "negative", "1": "neutral", "2": "positive"}, {"negative": "0", "neutral": "1", "positive": "2"},
                                    {"negative": 2, "neutral": 1, "positive": 0})):
    if ids in (DROP, THREE) or back is DROP:
        add("labels", "three", *[("unset", CONFIG, f) if v is DROP else ("set", CONFIG, f, v) for f, v in (("id2label", ids), ("label2id", back))], names=["num_labels"])
values(CONFIG, "num_labels", "labels+score", 1, 3, 5, as_is=True)  # id2label decides
values(CONFIG, "_num_labels", "labels", 3)
add("num_labels alone", "labels", ("unset", CONFIG, "id2label"), ("unset", CONFIG, "label2id"), ("set", CONFIG, "num_labels", 3))
add("entailment without a name", "zero-shot", ("set", CONFIG, "id2label", {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}), ("unset", CONFIG, "label2id"), names=["LABEL_0"])

# As versions of transformers wrote them.
add("transformers 3", "plain", ("set", CONFIG, "gradient_checkpointing", False), ("set", CONFIG, "output_past", True), ("set", CONFIG, "_num_labels", 3), ("unset", CONFIG, "legacy"),
    ("unset", CONFIG, "tie_word_embeddings"), ("set", CONFIG, "pruned_heads", {}), ("set", CONFIG, "use_bfloat16", False), ("set", CONFIG, "xla_device", None), ("unset", CONFIG, "bos_token_id"))
add("transformers 4", "plain", ("set", CONFIG, "_name_or_path", "my/model"), ("set", CONFIG, "transformers_version", "4.30.2"), ("set", CONFIG, "torch_dtype", "float32"), ("unset", CONFIG, "legacy"),
    ("unset", CONFIG, "tie_word_embeddings"), ("unset", CONFIG, "bos_token_id"), ("unset", CONFIG, "eos_token_id"))
add("all of PretrainedConfig", "plain", *[("set", CONFIG, k, v) for k, v in {
    "return_dict": True, "output_hidden_states": False, "torchscript": False, "use_bfloat16": False, "tf_legacy_loss": False, "pruned_heads": {}, "chunk_size_feed_forward": 0,
    "is_encoder_decoder": False, "is_decoder": False, "cross_attention_hidden_size": None, "add_cross_attention": False, "tie_encoder_decoder": False, "max_length": 20, "min_length": 0,
    "do_sample": False, "early_stopping": False, "num_beams": 1, "temperature": 1.0, "top_k": 50, "top_p": 1.0, "typical_p": 1.0, "bad_words_ids": None, "prefix": None,
    "sep_token_id": None, "decoder_start_token_id": None, "task_specific_params": None, "exponential_decay_length_penalty": None, "suppress_tokens": None}.items()])

# ---- other files ---------------------------------------------------------------------------------------------------------------------------

add("generation_config.json", "plain", ("file", "generation_config.json", {"_from_model_config": True, "pad_token_id": 0, "transformers_version": "4.40.0"}))
add("generation_config.json that generates", "masks", ("file", "generation_config.json", {"max_new_tokens": 3, "do_sample": True, "temperature": 0.3}))
add("preprocessor_config.json", "plain", ("file", "preprocessor_config.json", {"do_resize": True, "size": 224}))
add("training's files", "any", ("file", "trainer_state.json", {"global_step": 10}), ("file", "all_results.json", {"eval_loss": 0.1}), ("file", "README.md", "---\nlicense: mit\n---\n"),
    ("file", "training_args.json", {"learning_rate": 1e-5}))
add("adapter_config.json", "plain", ("file", "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": "x/y", "r": 8}))
add("a broken generation_config.json", "plain", ("file", "generation_config.json", "{"))

# ---- the tokenizer -------------------------------------------------------------------------------------------------------------------------

values(TOKENS, "do_lower_case", "plain", True, False)
values(TOKENS, "strip_accents", "plain", True, False, None)
values(TOKENS, "tokenize_chinese_chars", "bert", True, False)
values(TOKENS, "keep_accents", "v2", True, False)
values(TOKENS, "split_by_punct", "v2", True, False)
values(TOKENS, "add_prefix_space", "plain", True, False)
values(TOKENS, "trim_offsets", "roberta+v1", True, False)
values(TOKENS, "model_max_length", "any", 10, 512, 1000000000000000019884624838656, 1e30, DROP, None, "64", 0)
values(TOKENS, "truncation_side", "plain", "left", "right")
values(TOKENS, "padding_side", "plain", "left", "right")
values(TOKENS, "model_input_names", "plain", ["input_ids", "attention_mask"], ["input_ids", "token_type_ids", "attention_mask"], ["input_ids"], DROP)
values(TOKENS, "tokenizer_class", "v2", "DebertaV2Tokenizer", "DebertaV2TokenizerFast", "PreTrainedTokenizerFast", DROP)
values(TOKENS, "tokenizer_class", "bert", "BertTokenizer", "BertTokenizerFast", "PreTrainedTokenizerFast", DROP)
values(TOKENS, "tokenizer_class", "roberta", "RobertaTokenizer", "RobertaTokenizerFast", "PreTrainedTokenizerFast", DROP)
values(TOKENS, "tokenizer_class", "v1", "DebertaTokenizer", "DebertaTokenizerFast", "PreTrainedTokenizerFast", DROP)
values(TOKENS, "tokenizer_class", "plain", "T5Tokenizer", "MyTokenizer")
for _c, _k in (("BertTokenizer", "bert"), ("DebertaV2Tokenizer", "v2")):
    for _low in (True, False):
        add(f"{_c} do_lower_case {_low}", _k, ("set", TOKENS, "tokenizer_class", _c), ("set", TOKENS, "do_lower_case", _low))
add("BertTokenizer strip_accents", "bert", ("set", TOKENS, "tokenizer_class", "BertTokenizer"), ("set", TOKENS, "strip_accents", False))
add("DebertaV2Tokenizer split_by_punct", "v2", ("set", TOKENS, "tokenizer_class", "DebertaV2Tokenizer"), ("set", TOKENS, "split_by_punct", True))
add("RobertaTokenizer add_prefix_space", "roberta", ("set", TOKENS, "tokenizer_class", "RobertaTokenizer"), ("set", TOKENS, "add_prefix_space", True))
for _c, _k in (("BertTokenizer", "bert"), ("DebertaV2Tokenizer", "v2"), ("RobertaTokenizer", "roberta"), ("DebertaTokenizer", "v1")):
    for _n, _v in (("Lowercase", {"type": "Lowercase"}), ("no", None)):
        add(f"{_c} with {_n} normalizer", _k, ("set", TOKENS, "tokenizer_class", _c), ("set", TOKENIZER, "normalizer", _v))
values(TOKENS, "clean_up_tokenization_spaces", "plain", True)
values(TOKENS, "additional_special_tokens", "plain", ["[E1]", "[E2]"], [])
values(TOKENS, "extra_special_tokens", "plain", ["[E1]"], {})
values(TOKENS, "max_length", "plain", 8)
values(TOKENS, "stride", "plain", 4)
values(TOKENS, "truncation", "plain", True, "only_first")
values(TOKENS, "padding", "plain", "max_length")
values(TOKENS, "pad_to_multiple_of", "plain", 8)
values(TOKENS, "chat_template", "plain", "{{ messages }}")
values(TOKENS, "unheard_of", "plain", 1)
values(TOKENS, "add_bos_token", "plain", False)
values(TOKENS, "add_special_tokens", "plain", False)
values(TOKENS, "use_fast", "plain", False)
values(TOKENS, "split_special_tokens", "plain", True)
for _k, _cls, _sep in (("v2+bert", "[CLS]", "[SEP]"), ("roberta", "<s>", "</s>")):
    add("cls_token as an object", _k, ("set", TOKENS, "cls_token", {"__type": "AddedToken", "content": _cls, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}))
    values(TOKENS, "cls_token", _k, _sep)
    add("special_tokens_map.json", _k, ("file", SPECIAL, {"cls_token": _cls, "sep_token": _sep}))
    add("special_tokens_map.json with objects", _k, ("file", SPECIAL, {"cls_token": {"content": _cls, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}}))
    add("special_tokens_map.json that contradicts", _k, ("file", SPECIAL, {"cls_token": _sep}))
values(TOKENS, "mask_token", "masks", DROP, as_is=True)
values(TOKENS, "unk_token", "v2", DROP, "[PAD]")
add("added_tokens_decoder", "v2", ("set", TOKENS, "added_tokens_decoder", {str(i): {"content": c, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
                                                                         for i, c in ((0, "[PAD]"), (1, "[CLS]"), (2, "[SEP]"), (3, "[UNK]"), (400, "[MASK]"))}))
add("added_tokens_decoder with lstrip", "v2", ("set", TOKENS, "added_tokens_decoder", {"400": {"content": "[MASK]", "lstrip": True, "normalized": False, "rstrip": True, "single_word": False, "special": True}}))
add("added_tokens_decoder with a new token", "plain", ("set", TOKENS, "added_tokens_decoder", {"50": {"content": "fox", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": False}}))
add("added_tokens.json", "v2", ("file", "added_tokens.json", {"[MASK]": 400}))
add("added_tokens.json with a new token", "v2", ("file", "added_tokens.json", {"quick": 60}))
add("no tokenizer_config.json", "plain", ("remove", TOKENS))
add("a tokenizer_config.json of transformers 3", "plain", ("file", TOKENS, {"do_lower_case": False, "vocab_type": "spm"}))
add("a tokenizer_config.json of transformers 4", "v2", *[("set", TOKENS, k, v) for k, v in {
    "tokenizer_class": "DebertaV2Tokenizer", "sp_model_kwargs": {}, "vocab_type": "spm", "do_lower_case": False, "split_by_punct": False, "name_or_path": "x", "special_tokens_map_file": None, "use_fast": True}.items()])
add("a tokenizer_config.json of transformers 4", "bert", *[("set", TOKENS, k, v) for k, v in {
    "tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True, "do_basic_tokenize": True, "never_split": None, "name_or_path": "x"}.items()])
add("a tokenizer_config.json of transformers 4", "roberta", *[("set", TOKENS, k, v) for k, v in {
    "tokenizer_class": "RobertaTokenizer", "add_prefix_space": False, "errors": "replace", "trim_offsets": True, "name_or_path": "x"}.items()])
values(TOKENIZER, "truncation", "plain", {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}, {"direction": "Left", "max_length": 64, "strategy": "LongestFirst", "stride": 0})
values(TOKENIZER, "padding", "plain", {"strategy": {"Fixed": 32}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"})
values(TOKENIZER, "normalizer", "v2+bert", None, {"type": "Lowercase"})
values(TOKENIZER, "post_processor", "v2+bert", None)

# ---- cross-encoders ------------------------------------------------------------------------------------------------------------------------

TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"
for _f in ("torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid", "torch.nn.modules.activation.Tanh", "my.Activation"):
    values(CONFIG, "sbert_ce_default_activation_function", "score", _f)
    values(CONFIG, "sentence_transformers", "score", {"version": "4.1.0", "activation_fn": _f}, names=["activation_fn"])
    add("activation_fn", "score", ("file", "modules.json", [{"idx": 0, "name": "0", "path": "", "type": TRANSFORMER}]), ("file", "config_sentence_transformers.json", {"model_type": "CrossEncoder", "activation_fn": _f, "prompts": {}}),
        ("file", "sentence_bert_config.json", {"transformer_task": "sequence-classification", "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}}, "module_output_name": "scores"}), names=["activation_fn"])
values(CONFIG, "sbert_ce_default_activation_function", "labels", "torch.nn.modules.linear.Identity")
values(CONFIG, "sentence_transformers", "labels+embed", {"version": "4.1.0"})

# ---- GLiNER --------------------------------------------------------------------------------------------------------------------------------

values(GLINER, "max_width", "entities", 5, 12)
values(GLINER, "max_len", "entities", 20, 384, DROP)
values(GLINER, "max_types", "entities", 25)
values(GLINER, "subtoken_pooling", "entities", "last", "mean", "max", "sum", DROP)
values(GLINER, "span_mode", "entities", "marker", "token_level", "conv_share", DROP, names=["scorer"])
values(GLINER, "hidden_size", "entities", 64)
values(GLINER, "num_rnn_layers", "entities", 0, 2, DROP)
values(GLINER, "ent_token", "entities", "[MASK]", "<<NOPE>>", DROP)
values(GLINER, "sep_token", "entities", "[SEP]", DROP)
values(GLINER, "words_splitter_type", "entities", "whitespace", "spacy", "universal", DROP)
values(GLINER, "class_token_index", "entities", -1, DROP, as_is=True)
values(GLINER, "class_token_index", "entities", 304)
values(GLINER, "embed_ent_token", "entities", False, True, DROP)
values(GLINER, "fuse_layers", "entities", True, False)
values(GLINER, "post_fusion_schema", "entities", "", "l2l-l2t")
values(GLINER, "labels_encoder", "entities", None, "bert-base-uncased")
values(GLINER, "model_type", "entities", "gliner", "uni_encoder_span")
values(GLINER, "vocab_size", "entities", -1, DROP, as_is=True)
values(GLINER, "dropout", "entities", 0.4, DROP)
values(GLINER, "unheard_of", "entities", 1)
values(GLINER, "_attn_implementation", "entities", "eager")
values(GLINER, "transformers_version", "entities", "4.45.0")
values(GLINER, "encoder_config", "entities", DROP)
values(GLINER, "model_name", "entities", "microsoft/deberta-v3-small", DROP)
add("training's fields", "entities", *[("set", GLINER, k, v) for k, v in {"num_steps": 30000, "lr_encoder": 1e-5, "lr_others": 5e-5, "eval_every": 500, "shuffle_types": True, "random_drop": True,
                                                                        "size_sup": -1, "root_dir": "x", "train_data": "y", "scheduler_type": "cosine", "warmup_ratio": 0.1, "loss_alpha": -1}.items()])
add("config.json beside", "entities", ("file", CONFIG, {"model_type": "gliner", "architectures": ["GLiNER"]}))
add("an encoder's config.json beside", "entities", ("file", CONFIG, {"model_type": "deberta-v2", "hidden_size": 32}))

# ---- tensors -------------------------------------------------------------------------------------------------------------------------------

TABLE = {"bert": "bert.embeddings.word_embeddings.weight", "roberta": "roberta.embeddings.word_embeddings.weight", "v1": "deberta.embeddings.word_embeddings.weight"}
TABLE["v2"] = TABLE["v1"]
for _k in ("bert", "roberta", "v1", "v2"):
    for _b in sorted(KINDS["masks"] & KINDS[_k]):
        KINDS["=" + _b] = {_b}
        _stem = {"fill": "lm_predictions.lm_head.", "fill_roberta": "lm_head."}.get(_b, "cls.predictions.")
        for _scale in (1, 1.5):
            add(f"a decoder times {_scale}", "=" + _b, ("tensors", "copy", TABLE[_k], _stem + "decoder.weight", _scale))
            add(f"a decoder's bias times {_scale}", "=" + _b, ("tensors", "copy", _stem + "bias", _stem + "decoder.bias", _scale))
        add("an untied decoder", "=" + _b, ("tensors", "copy", TABLE[_k], _stem + "decoder.weight", 0.7), ("tensors", "copy", _stem + "bias", _stem + "decoder.bias", 2), ("set", CONFIG, "tie_word_embeddings", False))
        add("decoder.bias alone", "=" + _b, ("tensors", "rename", _stem + "bias", _stem + "decoder.bias"))
        add("another table of tokens missing", "=" + _b, ("tensors", "rename", TABLE[_k], _stem + "decoder.weight"), names=["word_embeddings"])
for _p in ("module.", "model.", "_orig_mod.", "backbone."):
    add("names begin with " + _p, "any", ("tensors", "prefix", _p), as_is=_p != "backbone.")
KINDS["rooted"] = KINDS["deberta"] - KINDS["embed"]  # whose tensors have the prefix of the class
for _k, _root in (("bert", "bert."), ("roberta", "roberta."), ("rooted", "deberta.")):
    add("position_ids stored", _k, ("tensors", "ints", _root + "embeddings.position_ids", [1, 256]))
    add("a tensor more", _k, ("tensors", "make", _root + "extra.weight", [4, 4]))
    add("a norm missing", _k, ("tensors", "drop", _root + "embeddings.LayerNorm.bias"), names=["LayerNorm"])
    add("norms named gamma and beta", _k, ("tensors", "rename", _root + "embeddings.LayerNorm.weight", _root + "embeddings.LayerNorm.gamma"),
        ("tensors", "rename", _root + "embeddings.LayerNorm.bias", _root + "embeddings.LayerNorm.beta"))
    add("token types", _k, ("tensors", "make", _root + "embeddings.token_type_embeddings.weight", [2, 32]), ("set", CONFIG, "type_vocab_size", 2))
    add("positions", _k, ("tensors", "make", _root + "embeddings.position_embeddings.weight", [256 + 2 * (_k == "roberta"), 32]), ("set", CONFIG, "position_biased_input", True))
for _n in ("classifier.weight", "classifier.bias"):
    add(_n + " missing", "labels", ("tensors", "drop", _n), names=["classifier"])
