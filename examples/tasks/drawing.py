"""Small random models in the layout of Hugging Face folders.

Weights are drawn larger than models have them, so that attention is far from uniform and outputs differ from text to text: what is
wrong in a formula is seen. They are rounded to float16, in which they are stored; everything is computed in float32 from these.
"""
import json, os, zlib

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, DebertaConfig, DebertaV2Config, RobertaConfig

import tokenizing

BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
SIZES = dict(hidden_size=32, num_attention_heads=2, intermediate_size=48, num_hidden_layers=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def v3(**more):
    base = dict(relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8, max_relative_positions=-1, max_position_embeddings=256,
                share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0, layer_norm_eps=1e-7)
    return DebertaV2Config(**(SIZES | base | more))


def v2(**more):
    return v3(**(dict(conv_kernel_size=3, conv_act="gelu", share_att_key=False, position_buckets=-1, max_relative_positions=32) | more))


def v1(**more):
    base = dict(relative_attention=True, pos_att_type=["c2p", "p2c"], max_relative_positions=32, max_position_embeddings=256, position_biased_input=False,
                type_vocab_size=0, layer_norm_eps=1e-7)
    return DebertaConfig(**(SIZES | base | more))


def bert(**more):
    return BertConfig(**(SIZES | dict(max_position_embeddings=256, type_vocab_size=2) | more))


def roberta(**more):
    return RobertaConfig(**(SIZES | dict(max_position_embeddings=258, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0, eos_token_id=2) | more))


def labels(*names, **more):
    return dict(id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)}) | more


def draw(name, shape, generator):
    """A tensor by its name: norms near 1, biases small, matrices by their number of columns."""
    x = torch.randn(shape, generator=generator)
    if "LayerNorm.weight" in name or "layer_norm.weight" in name:
        return 1 + 0.2 * x
    if len(shape) == 1 and not name.startswith("head."):
        return 0.2 * x
    if "embeddings." in name:
        return 0.6 * x
    if name.startswith("head."):
        return 1.5 * x
    last = ("classifier.weight", "out_proj.weight", "qa_outputs.weight")
    if name.endswith(last) and not name.startswith("mask_predictions.dense"):
        return x * 2 / shape[-1] ** 0.5
    return x * 1.4 / shape[-1] ** 0.5


KEEP = False  # take models as they lie there


def save(folder, cls, config, limit, more=None, change=None, train=None):
    """Draws a model of a library class and writes its folder; more(config) gives further tensors' shapes by name, change(name, tensor) may
    change what is drawn, and train(model, tokenizer) all of it."""
    if KEEP:
        return cls.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(folder)
    tokenizer = tokenizing.make(config.model_type, limit)
    config.vocab_size = len(tokenizer)
    generator = torch.Generator().manual_seed(zlib.crc32(os.path.basename(folder).encode()))
    model = cls(config)
    with torch.no_grad():
        for name, p in model.named_parameters():  # what is tied has one name, and is stored once
            x = draw(name, tuple(p.shape), generator)
            if change:
                change(name, x)
            p.copy_(x)
    if train:
        train(model, tokenizer)
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.backend_tokenizer.no_truncation()
    with torch.no_grad():
        tensors = {name: p.half().contiguous() for name, p in model.named_parameters()}
        for name, p in model.named_parameters():
            p.copy_(tensors[name].float())
    for name, shape in (more(config) if more else {}).items():
        tensors[name] = draw(name, shape, generator).half()
    os.makedirs(folder, exist_ok=True)
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    config.architectures = [cls.__name__]
    plain = config.to_diff_dict()
    for k in ("transformers_version", "dtype"):
        plain.pop(k, None)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(plain, f, indent=1)
        f.write("\n")
    tokenizer.save_pretrained(folder)
    compact(os.path.join(folder, "tokenizer.json"))
    return model.eval(), tokenizer


def compact(path):
    with open(path, encoding="utf-8") as f:
        doc = json.load(f)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(doc, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


def extra(folder):
    """The folder's tensors, in float32, by name."""
    return {k: v.float() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()}
