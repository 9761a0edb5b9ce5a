"""Records how Hugging Face tokenizers cuts and frames texts: windows.jsonl.gz.

    pip install tokenizers==0.23.3
    python windows.py            # in this folder; the seed below decides what is drawn

Each line is one encoding by a tokenizer of this folder: a text or a pair, cut by one of the three strategies, at the end
or at the start, or into windows with a stride. The texts are drawn from the recorded ones.
"""
import gzip
import json
import random

from tokenizers import Tokenizer

SEED, LINES = 10, 50
FILES = ["spm_v3/tokenizer.json", "spm_v3/tokenizer_punct.json", "spm_bytes/tokenizer.json", "bpe_deberta/tokenizer.json", "bpe_roberta/tokenizer.json",
         "wordpiece_cased/tokenizer.json", "wordpiece_uncased/tokenizer.json", "variants/tokenizer_bpe_deberta_seq.json", "variants/tokenizer_bpe_roberta_bert.json",
         "variants/tokenizer_bpe_roberta_post.json", "variants/tokenizer_bpe_roberta_prefix.json"]
r = random.Random(SEED)
recorded = [json.loads(line)["text"] for line in gzip.open("spm_v3/encodings.jsonl.gz")]
words = sorted({w for t in recorded for w in t.split(" ") if 0 < len(w) < 12})


def text():
    return " ".join(r.choice(words) for _ in range(r.choice([0, 1, 2, 5, 9, 14, 25])))


def tokens(e):
    return dict(ids=e.ids, type_ids=e.type_ids, mask=e.attention_mask, offsets=[list(o) for o in e.offsets], words=e.word_ids)


def line(file, t):
    pair = text() if r.random() < 0.6 else None
    first = text()
    options = dict(truncation=r.choice(["longest_first", "only_first", "only_second"]), max_length=r.choice([5, 6, 7, 9, 12, 16, 24, 40]))
    way = r.choice(["cut", "left", "windows", "windows"])
    if way == "left":
        options["direction"] = "left"
    if way == "windows":
        options |= dict(overflow=True, stride=r.choice([0, 0, 1, 2, 3, 5]))
    try:
        t.no_truncation()
        t.enable_truncation(options["max_length"], stride=options.get("stride", 0), strategy=options["truncation"], direction=options.get("direction", "right"))
    except BaseException:  # a stride that fits no text: the library refuses it even for short texts
        return line(file, t)
    record = dict(file=file, text=first, pair=pair, options=options)
    try:
        e = t.encode(first, pair)
    except BaseException as fault:  # the library's panic is not an Exception
        return record | dict(error=str(fault).splitlines()[0])
    more = [tokens(w) for w in e.overflowing] if way == "windows" else []
    return record | tokens(e) | dict(overflowing=more, decoded=t.decode(e.ids))


with gzip.GzipFile("windows.jsonl.gz", "wb", mtime=0) as out:
    for file in FILES:
        t = Tokenizer.from_file(file)
        for _ in range(LINES):
            out.write((json.dumps(line(file, t), ensure_ascii=False) + "\n").encode())
