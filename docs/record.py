#!/usr/bin/env python3
"""Records what transformers computes for a Hugging Face model folder, for `debertac verify --model DIR --outputs FILE`.

    python record.py DIR FILE --text "a text" --text "another text"
    python record.py DIR FILE --texts texts.txt --layers 1,6,12         a text a line; hidden states of these layers only
    python record.py DIR FILE --text premise --pair hypothesis          the pair of each text
    python record.py DIR FILE --text question --text question --pair "an answer" --pair "another answer"      multiple choice
    python record.py DIR FILE --random 3x128                            token ids drawn: no tokenizer is needed

It needs Python 3.10 or newer and: pip install torch transformers
The head is that of the architecture that config.json names, or of --as CLASS. FILE gets the inputs, hidden_states.0 (the embeddings) to hidden_states.L, and
what the head gives: last_hidden_state, logits, or start_logits and end_logits; sentence_embedding if the folder is one of sentence-transformers.
"""
import argparse, json, os, sys

import torch, transformers
from safetensors.torch import save_file


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir")
    p.add_argument("file")
    p.add_argument("--text", action="append", default=[])
    p.add_argument("--pair", action="append", default=[], help="the second part of the text in the same place")
    p.add_argument("--texts", metavar="FILE", help="a text a line, or text, tab, pair; FILE.json: an array of texts or of [text, pair]")
    p.add_argument("--random", metavar="SxN", help="S sequences, of N tokens and shorter ones, drawn by --seed")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--as", dest="cls", metavar="CLASS", help="a class of transformers, such as BertForMaskedLM, instead of the architecture's")
    p.add_argument("--choices", type=int, help="multiple choice: so many texts make a question; default all")
    p.add_argument("--layers", metavar="LIST", help="hidden states to keep, as 0,1,12; default all; none for none")
    p.add_argument("--max-tokens", type=int, help="cut texts to so many tokens; default what the tokenizer says")
    p.add_argument("--double", action="store_true", help="compute in float64: a reference without rounding of its own, in twice the memory")
    return p.parse_args()


def encode(a, config):
    """Token ids, mask and types, [S, N]."""
    if a.random:
        try:
            s, n = (int(x) for x in a.random.split("x"))
        except ValueError:
            sys.exit(f"--random {a.random}: it is sequences and tokens, such as 3x128")
        draw = torch.Generator().manual_seed(a.seed)
        ids = torch.randint(3, config.vocab_size, (s, n), generator=draw)
        lengths = torch.tensor([max(1, n - i * n // s) for i in range(s)])
        mask = (torch.arange(n)[None, :] < lengths[:, None]).long()
        pad = config.pad_token_id or 0
        ids = torch.where(mask == 1, torch.where(ids == pad, 2, ids), pad)
        types = (torch.arange(n)[None, :].expand(s, n) >= n // 2).long() * mask if getattr(config, "type_vocab_size", 0) > 1 else torch.zeros_like(ids)
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    texts, pairs = list(a.text), list(a.pair)
    if a.texts:
        with open(a.texts, encoding="utf-8", newline="") as f:
            whole = f.read()
        rows = json.loads(whole) if a.texts.endswith(".json") else [line.rstrip("\r").split("\t", 1) for line in whole.split("\n") if line.strip()]
        for row in rows:
            text, *pair = [row] if isinstance(row, str) else row
            texts.append(text)
            pairs += pair
    if not texts:
        sys.exit("give --text, --texts or --random")
    if pairs and len(pairs) != len(texts):
        sys.exit(f"there are {len(texts)} texts and {len(pairs)} pairs: give every text a pair, or none")
    tokenizer = transformers.AutoTokenizer.from_pretrained(a.dir)
    limit = a.max_tokens or tokenizer.model_max_length
    cut = {"truncation": True, "max_length": limit} if limit < 1 << 20 else {"truncation": False}
    enc = tokenizer(texts, pairs or None, padding=True, return_token_type_ids=True, return_tensors="pt", **cut)
    return {k: enc[k] for k in ("input_ids", "attention_mask", "token_type_ids")}


def sentence_embedding(folder, hidden, mask):
    """Pools as the folder of sentence-transformers says; None if it is not one."""
    try:
        with open(os.path.join(folder, "modules.json"), encoding="utf-8") as f:
            modules = {m["type"].rsplit(".", 1)[-1]: m["path"] for m in json.load(f)}
    except FileNotFoundError:
        return None
    if set(modules) - {"Transformer", "Pooling", "Normalize"} or "Pooling" not in modules:
        sys.exit(f"modules.json has {', '.join(modules)}: Transformer, Pooling, Normalize are known")
    with open(os.path.join(folder, modules["Pooling"], "config.json"), encoding="utf-8") as f:
        modes = [k for k, v in json.load(f).items() if k.startswith("pooling_mode_") and v]
    live = mask[:, :, None].to(hidden.dtype)
    if modes == ["pooling_mode_mean_tokens"]:
        pooled = (hidden * live).sum(1) / live.sum(1)
    elif modes == ["pooling_mode_cls_token"]:
        pooled = hidden[:, 0]
    else:
        sys.exit(f"the folder's pooling is {modes}: mean_tokens or cls_token alone is known")
    return torch.nn.functional.normalize(pooled, dim=1) if "Normalize" in modules else pooled


def main():
    a = arguments()
    if not os.path.isfile(os.path.join(a.dir, "config.json")):
        sys.exit(f"{a.dir} is no model folder: it has no config.json")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    config = transformers.AutoConfig.from_pretrained(a.dir)
    architecture = a.cls or (config.architectures or ["AutoModel"])[0]
    kind = getattr(transformers, architecture, None)
    if kind is None:
        sys.exit(f"transformers {transformers.__version__} has no class {architecture}")
    bare = architecture in ("AutoModel", "BertModel", "RobertaModel")
    more = {"add_pooling_layer": False} if bare and config.model_type in ("bert", "roberta") else {}
    model, found = kind.from_pretrained(a.dir, dtype=torch.float64 if a.double else torch.float32, output_loading_info=True, **more)
    if found["missing_keys"]:
        sys.exit(f"{a.dir} lacks weights, which would be drawn at random: {', '.join(sorted(found['missing_keys']))}")
    model.eval()
    inputs = encode(a, config)
    if getattr(config, "type_vocab_size", 0) == 0:
        inputs.pop("token_type_ids")
    if architecture.endswith("ForMultipleChoice"):
        each = a.choices or len(inputs["input_ids"])
        if len(inputs["input_ids"]) % each:
            sys.exit(f"{len(inputs['input_ids'])} texts are no questions of {each} choices")
        inputs = {k: v.view(-1, each, v.shape[-1]) for k, v in inputs.items()}
    with torch.no_grad():
        out = model(**inputs, output_hidden_states=a.layers != "none", return_dict=True)
    record = dict(inputs)
    hidden = out.get("hidden_states") or ()
    keep = range(len(hidden)) if a.layers in (None, "none") else [int(i) for i in a.layers.split(",")]
    for i in keep:
        if not 0 <= i < len(hidden):
            sys.exit(f"--layers {a.layers}: there are the embeddings, 0, and {len(hidden) - 1} layers")
        record[f"hidden_states.{i}"] = hidden[i]
    for name in ("last_hidden_state", "logits", "start_logits", "end_logits"):
        if name in out:
            record[name] = out[name]
    if "last_hidden_state" in out:
        pooled = sentence_embedding(a.dir, out["last_hidden_state"], inputs["attention_mask"])
        if pooled is not None:
            record["sentence_embedding"] = pooled
    save_file({k: (v.float() if v.is_floating_point() else v).contiguous().clone() for k, v in record.items()}, a.file)
    mask = inputs["attention_mask"]
    mask = mask.view(-1, mask.shape[-1])  # choices count one by one
    for k, v in record.items():
        live = v
        if v.is_floating_point() and v.dim() == 3 and v.shape[:2] == mask.shape:
            live = v[mask == 1]
        print(f"{k:24} {str(list(v.shape)):20}" + (f" largest {live.abs().max():.4g}  standard deviation {live.std():.4g}" if v.is_floating_point() else ""))


if __name__ == "__main__":
    main()
