"""Records what Hugging Face tokenizers does with random added tokens: added.jsonl.gz.

    pip install tokenizers==0.23.3
    python added.py            # in this folder; the seed below decides what is drawn

Each line is one tokenizer: a folder here, the added tokens that stand in its tokenizer.json, and the encodings of some
texts. Ids in the file may be wrong on purpose: the library numbers tokens itself. Tokens that become empty when they are
normalized, and two tokens with the same normal form, are left out: for them the library panics or takes one at random.
"""
import gzip
import json
import random

from tokenizers import Tokenizer

SEED, TOKENIZERS, TEXTS = 20, 120, 10
FOLDERS = ["spm_v3", "spm_bytes", "bpe_deberta", "bpe_roberta", "wordpiece_cased", "wordpiece_uncased"]
PARTS = ["a", "b", "ab", "abc", "A", "B", "é", "É", "Ä", " ", "  ", "\n", "\t", "\u00a0", "\u3000", "x", "<", "<e>", "[E1]", "##", "##s", "日", "日本", "ﬁ",
         "ﷺ", "e\u0301", "\u0301", "ing", " the", "the", "The", "THE", "of", "1", "-", "_", "▁", "▁a", "Ġa", "\r\n", "\u200d", "İ", "ß", "''", ".", "!",
         "entity", "new tok", "[NEW]", "<obj>", "self", "return"]
r = random.Random(SEED)


def word():
    return "".join(r.choice(PARTS) for _ in range(r.randint(1, 3)))


def text(added):
    parts = []
    for _ in range(r.randint(0, 14)):
        kind = r.random()
        if kind < 0.45:
            parts.append(r.choice(added))
        elif kind < 0.6:
            parts.append(r.choice([" ", "  ", "\n", "\t", " \n ", "\u3000"]))
        elif kind < 0.65:
            parts.append(r.choice(["[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<mask>", "[UNK]", "<unk>", "[unk]"]))
        else:
            parts.append(word())
    return "".join(parts)


def draw(folder):
    """Returns a tokenizer.json with random added tokens."""
    doc = json.load(open(folder + "/tokenizer.json"))
    base = Tokenizer.from_str(json.dumps(doc))
    normal = base.normalizer.normalize_str if base.normalizer else lambda s: s
    tokens = doc["added_tokens"]
    names = {a["content"] for a in tokens}
    keys = {(a["normalized"], normal(a["content"]) if a["normalized"] else a["content"]) for a in tokens}
    size = base.get_vocab_size()
    fresh = max(size, 1 + max(a["id"] for a in tokens))
    wrong = r.random() < 0.5  # the file has wrong ids
    for _ in range(r.randint(1, 6)):
        content = r.choice(sorted(base.get_vocab())) if r.random() < 0.3 else word()
        normalized = r.random() < 0.6
        key = (normalized, normal(content) if normalized else content)
        # A special token that is also the piece of one byte is refused by debertac.
        if content in names or key in keys or key[1] == "" or len(content) == 1 and folder.startswith("bpe"):
            continue
        names.add(content)
        keys.add(key)
        number = base.token_to_id(content)
        if number is None:
            number, fresh = fresh, fresh + 1
        if wrong and r.random() < 0.4:
            number = r.choice([fresh + 3, 5, number + 1, size + r.randint(0, 8)])
        token = dict(id=number, content=content, single_word=r.random() < 0.25, lstrip=r.random() < 0.3, rstrip=r.random() < 0.3,
                     normalized=normalized, special=r.random() < 0.4)
        tokens.insert(r.randint(0, len(tokens)) if wrong else len(tokens), token)
    if r.random() < 0.2 and not names & {"abc", "\n"}:  # both tokens include white space: where they meet, the library fails
        flags = dict(single_word=False, normalized=False, special=False)
        tokens.append(dict(id=fresh, content="abc", lstrip=False, rstrip=True) | flags)
        tokens.append(dict(id=fresh + 1, content="\n", lstrip=True, rstrip=False) | flags)
    return doc


def encoding(t, x, pair):
    record = dict(text=x, pair=pair, options={})
    try:
        e = t.encode(x, pair)
    except BaseException as fault:  # the library's panic is not an Exception
        return record | dict(error=str(fault))
    return record | dict(ids=e.ids, type_ids=e.type_ids, mask=e.attention_mask, offsets=[list(o) for o in e.offsets], words=e.word_ids,
                         overflowing=[], decoded=t.decode(e.ids))


with gzip.GzipFile("added.jsonl.gz", "wb", mtime=0) as out:
    for i in range(TOKENIZERS):
        folder = FOLDERS[i % len(FOLDERS)]
        doc = draw(folder)
        t = Tokenizer.from_str(json.dumps(doc))
        names = [a["content"] for a in doc["added_tokens"]]
        lines = [encoding(t, text(names), text(names) if r.random() < 0.15 else None) for _ in range(TEXTS)]
        line = dict(folder=folder, added_tokens=doc["added_tokens"], encodings=lines)
        out.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
