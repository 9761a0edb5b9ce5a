"""What record_folders.py changes in folders of sentence-transformers, as its versions 2 to 6 write them. See record_changes.py."""
from record_changes import add

OLD, NEW = "sentence_transformers.models.", {"Transformer": "sentence_transformers.base.modules.transformer.Transformer", "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
                                             "Normalize": "sentence_transformers.base.modules.normalize.Normalize", "Dense": "sentence_transformers.base.modules.dense.Dense"}


def modules(*classes, new=False):
    out = [("file", "modules.json", [{"idx": i, "name": str(i), "path": "" if c == "Transformer" else f"{i}_{c}", "type": NEW[c] if new else OLD + c} for i, c in enumerate(classes)])]
    for i, c in enumerate(classes):
        if c == "Normalize":
            out.append(("file", f"{i}_Normalize/config.json", {}))
    return out


def modes(**on):
    return {"word_embedding_dimension": 32, **{"pooling_mode_" + k: bool(on.get(k)) for k in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")}, **{"pooling_mode_" + k: True for k in on}}


POOL = ("file", "1_Pooling/config.json", modes(mean_tokens=1))
for _mode in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"):
    add("pooling " + _mode, "embed", *modules("Transformer", "Pooling"), ("file", "1_Pooling/config.json", modes(**{_mode: 1})), names=["pooling"])
add("two poolings", "embed", *modules("Transformer", "Pooling"), ("file", "1_Pooling/config.json", modes(cls_token=1, mean_tokens=1)), names=["pooling"])
for _mode in ("mean", "cls", "max", ["mean"], "lasttoken"):
    add("pooling of version 6", "embed", *modules("Transformer", "Pooling", "Normalize", new=True), ("file", "1_Pooling/config.json", {"embedding_dimension": 32, "pooling_mode": _mode, "include_prompt": True}), names=["pooling"])
add("Normalize", "embed", *modules("Transformer", "Pooling", "Normalize"), POOL)
add("no Pooling", "embed", *modules("Transformer"))
add("Pooling's file absent", "embed", *modules("Transformer", "Pooling"), names=["1_Pooling/config.json"])
add("Dense", "embed", *modules("Transformer", "Pooling", "Dense"), POOL, ("file", "2_Dense/config.json", {"in_features": 32, "out_features": 4, "bias": True, "activation_function": "torch.nn.modules.activation.Tanh"}), names=["Dense"])
add("an unknown module", "embed", ("file", "modules.json", [{"idx": 0, "name": "0", "path": "", "type": OLD + "Transformer"}, {"idx": 1, "name": "1", "path": "1_X", "type": "my.Module"}]), names=["Module"])
ST = "sentence_bert_config.json"
for _v in ({"max_seq_length": 12, "do_lower_case": False}, {"max_seq_length": 12, "do_lower_case": True}, {"max_seq_length": None, "do_lower_case": True}, {"max_seq_length": 512},
           {"max_seq_length": 32, "transformer_task": "feature-extraction", "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}, "module_output_name": "token_embeddings"},
           {"unheard_of": 1}, {"max_seq_length": "12"}, {"model_args": {"attn_implementation": "eager"}}, {"transformer_task": "fill-mask"}):
    add("sentence_bert_config.json", "embed", *modules("Transformer", "Pooling"), POOL, ("file", ST, _v), names=list(_v))
CST = "config_sentence_transformers.json"
VERSION = {"sentence_transformers": "2.2.2", "transformers": "4.20.0", "pytorch": "1.12"}
for _v in ({"__version__": VERSION}, {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"}, {"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": None},
           {"prompts": {"query": "query: "}, "default_prompt_name": "query"}, {"similarity_fn_name": "dot"}, {"truncate_dim": 8}, {"model_type": "SentenceTransformer"}, {"model_type": "SparseEncoder"},
           {"unheard_of": 1}):
    add("config_sentence_transformers.json", "embed", *modules("Transformer", "Pooling"), POOL, ("file", CST, _v), names=list(_v))
for _inc in (True, False):
    add(f"include_prompt {_inc}", "embed", *modules("Transformer", "Pooling"), ("file", "1_Pooling/config.json", modes(mean_tokens=1) | {"include_prompt": _inc}),
        ("file", CST, {"prompts": {"query": "The query: "}, "default_prompt_name": "query"}), names=["include_prompt", "prompts", "default_prompt_name"])
