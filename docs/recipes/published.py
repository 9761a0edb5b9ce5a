"""The published folders of these pages: configuration, files and labels, as far as they are known.

A configuration here has the fields of the published file. "small" is what the small folder of the test changes: sizes, and nothing else.
"""

V3 = {
    "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "initializer_range": 0.02, "layer_norm_eps": 1e-07,
    "max_position_embeddings": 512, "max_relative_positions": -1, "model_type": "deberta-v2", "norm_rel_ebd": "layer_norm", "pad_token_id": 0,
    "pooler_dropout": 0, "pooler_hidden_act": "gelu", "pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "position_buckets": 256,
    "relative_attention": True, "share_att_key": True, "type_vocab_size": 0, "vocab_size": 128100,
}


def sizes(hidden, layers, vocab=128100):
    return V3 | {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": hidden // 64, "intermediate_size": 4 * hidden,
                 "pooler_hidden_size": hidden, "vocab_size": vocab}


XSMALL, BASE, LARGE, MULTI = sizes(384, 12), sizes(768, 12), sizes(1024, 24), sizes(768, 12, 251000)
SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 256, "pooler_hidden_size": 64}


def labels(*names):
    return {"id2label": {str(i): n for i, n in enumerate(names)}, "label2id": {n: i for i, n in enumerate(names)}}


PII = ["ACCOUNTNUM", "BUILDINGNUM", "CITY", "CREDITCARDNUMBER", "DATEOFBIRTH", "DRIVERLICENSENUM", "EMAIL", "GIVENNAME", "IDCARDNUM", "PASSWORD", "SOCIALNUM",
       "STREET", "SURNAME", "TAXNUM", "TELEPHONENUM", "USERNAME", "ZIPCODE"]
CLASSIFIER, TAGGER = "DebertaV2ForSequenceClassification", "DebertaV2ForTokenClassification"
FAST = ["special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"]
SLOW = ["added_tokens.json", "spm.model"] + FAST
TORCH = "pytorch_model.bin"

FOLDERS = {
    "meta-llama/Llama-Prompt-Guard-2-86M": dict(cls=CLASSIFIER, config=MULTI | {"legacy": True, "torch_dtype": "float32", "transformers_version": "4.51.3"}, tokenizer="mdeberta", files=FAST),
    "meta-llama/Llama-Prompt-Guard-2-22M": dict(cls=CLASSIFIER, config=XSMALL | {"legacy": True, "torch_dtype": "float32", "transformers_version": "4.51.3"}, tokenizer="v3", files=FAST),
    "protectai/deberta-v3-base-prompt-injection-v2": dict(
        cls=CLASSIFIER, tokenizer="v3", files=SLOW,
        config=BASE | labels("SAFE", "INJECTION") | {"_name_or_path": "microsoft/deberta-v3-base", "problem_type": "single_label_classification",
                                                     "torch_dtype": "float32", "transformers_version": "4.38.1"}),
    "MoritzLaurer/deberta-v3-base-zeroshot-v2.0": dict(
        cls=CLASSIFIER, tokenizer="v3", files=SLOW, dtype="F16",
        config=BASE | labels("entailment", "not_entailment") | {"_name_or_path": "microsoft/deberta-v3-base", "torch_dtype": "float16", "transformers_version": "4.37.2"}),
    "MoritzLaurer/deberta-v3-large-zeroshot-v2.0": dict(
        cls=CLASSIFIER, tokenizer="v3", files=SLOW, dtype="F16",
        config=LARGE | labels("entailment", "not_entailment") | {"_name_or_path": "microsoft/deberta-v3-large", "torch_dtype": "float16", "transformers_version": "4.37.2"}),
    "iiiorg/piiranha-v1-detect-personal-information": dict(
        cls=TAGGER, tokenizer="mdeberta", files=SLOW,
        config=MULTI | labels(*("I-" + n for n in PII), "O") | {"_name_or_path": "microsoft/mdeberta-v3-base", "torch_dtype": "float32", "transformers_version": "4.44.2"}),
    "OpenAssistant/reward-model-deberta-v3-large-v2": dict(
        cls=CLASSIFIER, tokenizer="v3", files=SLOW, weights=TORCH, buffers=True,
        config=LARGE | labels("LABEL_0") | {"_name_or_path": "microsoft/deberta-v3-large", "torch_dtype": "float32", "transformers_version": "4.25.1"}),
    "microsoft/deberta-xlarge-mnli": dict(
        small=SMALL | {"num_hidden_layers": 48}, cls="DebertaForSequenceClassification", tokenizer="v1", files=["merges.txt", "tokenizer_config.json", "vocab.json"], weights=TORCH, dtype="F16", buffers=True,
        config=labels("CONTRADICTION", "NEUTRAL", "ENTAILMENT") | {
            "model_type": "deberta", "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 1024, "initializer_range": 0.02,
            "intermediate_size": 4096, "max_position_embeddings": 512, "relative_attention": True, "pos_att_type": "c2p|p2c", "layer_norm_eps": 1e-7, "padding_idx": 0,
            "pad_token_id": 0, "num_attention_heads": 16, "num_hidden_layers": 48, "type_vocab_size": 0, "vocab_size": 50265, "max_relative_positions": -1,
            "position_biased_input": False, "pooler_dropout": 0, "pooler_hidden_act": "gelu", "pooler_hidden_size": 1024}),
}
for _size, _base in ("xsmall", XSMALL), ("base", BASE), ("large", LARGE):
    FOLDERS[f"mixedbread-ai/mxbai-rerank-{_size}-v1"] = dict(
        cls=CLASSIFIER, tokenizer="v3", files=SLOW, dtype="F16",
        config=_base | labels("LABEL_0") | {"_name_or_path": f"microsoft/deberta-v3-{_size}", "torch_dtype": "float16", "transformers_version": "4.38.2"})

# The settings of its training, which the published file has as well, are left out: they change nothing.
GLINER = {"max_width": 12, "model_name": "microsoft/mdeberta-v3-base", "fine_tune": True, "subtoken_pooling": "first", "hidden_size": 512, "span_mode": "markerV0", "dropout": 0.4,
          "max_types": 25, "shuffle_types": True, "random_drop": True, "max_neg_type_ratio": 1, "max_len": 384, "size_sup": -1, "num_steps": 30000, "warmup_ratio": 0.1,
          "train_batch_size": 8, "eval_every": 5000, "lr_encoder": "1e-5", "lr_others": "5e-5", "root_dir": "log_main", "prev_path": "none", "name": "large", "log_dir": "logs"}
FOLDERS["urchade/gliner_multi_pii-v1"] = dict(cls="GLiNER", config=GLINER, tokenizer="mdeberta", files=[], weights=TORCH)
FOLDERS["microsoft/mdeberta-v3-base"] = dict(cls=None, tokenizer="mdeberta", files=["spm.model", "tokenizer_config.json"], config=MULTI)

# The first of a family has a small folder; the others differ in sizes alone.
SMALLS = [n for n in FOLDERS if n not in ("MoritzLaurer/deberta-v3-large-zeroshot-v2.0", "mixedbread-ai/mxbai-rerank-base-v1", "mixedbread-ai/mxbai-rerank-large-v1")]
