#!/usr/bin/env python3
"""Makes model folders in the layout of the published ones that these pages name, with weights from a formula.

    python make.py OUT                        all small folders: 2 layers (of bert-score's 48), hidden size 64, a small vocabulary
    python make.py OUT OWNER/NAME …           some of them
    python make.py OUT --full OWNER/NAME      in the published size
    python make.py --commit                   what folders/ here has: every file but the weights, and how the weights are made

It needs: pip install torch transformers sentencepiece, and gliner for GLiNER. The Go test makes the same small folders without Python.
"""
import argparse, json, os, shutil, sys

import numpy as np

import published, vocabularies

HERE = os.path.dirname(os.path.abspath(__file__))
NUMPY = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def short(name):
    return name.split("/")[1]


# ---- weights -------------------------------------------------------------------------------------------------------------------------------

def uniform(seed_text, start, count):
    """Elements start to start+count of the numbers of a tensor, from -0.5 to 0.5: splitmix64, begun with FNV-1a of a text."""
    seed = 0xCBF29CE484222325
    for b in seed_text.encode():
        seed = (seed ^ b) * 0x100000001B3 & (1 << 64) - 1
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(start + 1, start + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / (1 << 24) - 0.5


def values(folder_name, t):
    """A tensor of made.json."""
    count = int(np.prod(t["shape"]))
    if t["dtype"] == "I64":
        return np.arange(count, dtype=np.int64).reshape(t["shape"])
    out, step = np.empty(count, NUMPY[t["dtype"]]), 1 << 22
    for at in range(0, count, step):
        n = min(step, count - at)
        out[at:at + n] = (t["mean"] + uniform(folder_name + " " + t["name"], at, n) * t["width"]).astype(np.float32)
    return out.reshape(t["shape"])


def width(name, shape, layers):
    """The mean and the width of a tensor's numbers: norms near 1, small biases, matrices by their columns. Attention is far from uniform with these. What a layer adds
    is smaller in deep models, or all rows of a text would become alike."""
    less = min(1, 4 / layers) if ".output.dense." in name else 1
    if "LayerNorm.weight" in name or "layer_norm.weight" in name:
        return 1, 0.5
    if name == "prompt_rep_layer.3.bias":
        return 0, -5  # puts GLiNER's scores on both sides of 0.5
    if len(shape) == 1:
        return 0, 0.5 * less
    if "embeddings." in name:
        return 0, 2
    return 0, round(4 * less / shape[-1] ** 0.5 * 256) / 256


def tensors(recipe, config):
    """Names and shapes from the library's class, without weights."""
    import torch
    if recipe["cls"] == "GLiNER":
        shapes = gliner_shapes(config)
    else:
        import transformers
        cls = getattr(transformers, recipe["cls"])
        with torch.device("meta"):
            model = cls(cls.config_class(**config))
        shapes = {k: tuple(v.shape) for k, v in model.state_dict().items()}
        if recipe.get("buffers"):  # versions of transformers below 4.31 wrote them
            prefix = next(iter(shapes)).split(".")[0]
            shapes = {f"{prefix}.embeddings.position_ids": (1, config["max_position_embeddings"])} | shapes
    layers = (config.get("encoder_config") or (published.MULTI if recipe["cls"] == "GLiNER" else config))["num_hidden_layers"]
    for name, shape in shapes.items():
        if name.endswith("position_ids"):
            yield {"name": name, "dtype": "I64", "shape": list(shape)}
            continue
        mean, w = width(name, shape, layers)
        yield {"name": name, "dtype": recipe.get("dtype", "F32"), "shape": list(shape), "mean": mean, "width": w}


def gliner_shapes(config):
    """The tensors of GLiNER, from the library's class. It adds three tokens to the tokenizer, and rows for them to the table."""
    import tempfile
    from gliner.model import UniEncoderSpanGLiNER
    with tempfile.TemporaryDirectory() as temp:
        vocabularies.write(temp, "mdeberta", published.FOLDERS["microsoft/mdeberta-v3-base"]["files"])
        dump(os.path.join(temp, "config.json"), published.MULTI)
        inner = config.get("encoder_config") or published.MULTI
        config = {k: v for k, v in config.items() if k not in ("class_token_index", "vocab_size")}
        model = UniEncoderSpanGLiNER.load_from_config(config | {"model_name": temp, "encoder_config": inner}, backbone_from_pretrained=False)
    shapes = {k: tuple(v.shape) for k, v in model.model.state_dict().items()}
    table = next(k for k in shapes if k.endswith("word_embeddings.weight"))
    if not config.get("encoder_config"):
        shapes[table] = (250105, shapes[table][1])  # with the whole vocabulary
    return shapes


# ---- folders -------------------------------------------------------------------------------------------------------------------------------

def small(name, recipe):
    config = recipe["config"]
    if recipe["cls"] != "GLiNER":
        return config | recipe.get("small", published.SMALL) | {"vocab_size": vocabularies.ROWS[recipe["tokenizer"]]}
    return config | {"hidden_size": 48, "encoder_config": published.MULTI | published.SMALL | {"vocab_size": vocabularies.ROWS[recipe["tokenizer"]]}}


def dump(path, value, indent=2):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=indent)
        f.write("\n")


def folder(out, name, full):
    """Writes every file but the weights, and returns how these are made."""
    recipe = published.FOLDERS[name]
    config = recipe["config"] if full else small(name, recipe)
    if full and recipe["cls"] == "GLiNER":  # the added tokens follow those of the small tokenizer, and not the last one of the table
        config = config | {"class_token_index": vocabularies.SIZES[recipe["tokenizer"]] + 1, "vocab_size": 250105}
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    if recipe["cls"]:
        shown = dict(sorted(config.items()))
        if recipe["cls"] == "GLiNER":
            dump(os.path.join(out, "gliner_config.json"), config)
        else:
            dump(os.path.join(out, "config.json"), {"architectures": [recipe["cls"]]} | shown)
    vocabularies.write(out, recipe["tokenizer"], recipe["files"])
    return {"name": name, "tokenizer": recipe["tokenizer"], "files": [f for f in recipe["files"] if f in vocabularies.SHARED],
            "weights": recipe.get("weights", "model.safetensors") if recipe["cls"] else "", "tensors": list(tensors(recipe, config)) if recipe["cls"] else []}


def weights(out, made):
    import torch
    from safetensors.torch import save_file
    if not made["weights"]:
        return
    state = {t["name"]: torch.from_numpy(values(made["name"], t)) for t in made["tensors"]}
    path = os.path.join(out, made["weights"])
    if made["weights"].endswith(".safetensors"):
        save_file(state, path, metadata={"format": "pt"})
    else:
        torch.save(state, path)


def commit():
    for name in published.SMALLS:
        out = os.path.join(HERE, "folders", short(name))
        made = folder(out, name, False)
        for f in made["files"]:
            os.remove(os.path.join(out, f))
        lines = ",\n  ".join(json.dumps(t) for t in made.pop("tensors"))
        with open(os.path.join(out, "made.json"), "w", encoding="utf-8") as f:
            f.write(json.dumps(made)[:-1] + ', "tensors": [' + (f"\n  {lines}\n" if lines else "") + "]}\n")
        print(out)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", nargs="?")
    p.add_argument("names", nargs="*", metavar="OWNER/NAME")
    p.add_argument("--full", action="store_true", help="the published size")
    p.add_argument("--commit", action="store_true", help="write folders/ here")
    a = p.parse_intermixed_args()
    if a.commit:
        return commit()
    if not a.out:
        p.error("OUT is missing: the folder to write to")
    for name in a.names or published.SMALLS:
        if name not in published.FOLDERS:
            sys.exit(f"{name} is not known; known are {', '.join(published.FOLDERS)}")
        out = os.path.join(a.out, short(name))
        weights(out, folder(out, name, a.full))
        print(out)


if __name__ == "__main__":
    main()
