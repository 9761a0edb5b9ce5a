"""Records the tags that transformers finds for the words of sentences: those of the first token of each word, as its examples of token classification label
them, and the mean cross entropy of these tags.

    python record.py ../../../../examples/tasks > words.json
"""
import json
import os
import sys

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

SENTENCES = ["Anna Smith lives in New York , does n't she ?", "Angela Merkel besuchte 東京 im Jahr 2010 .", "naïve café — déjà vu … ﬁne Ⅷ ½ C++ e-mail U.S. $ 5.00",
             "x", "The quick brown fox jumps over the lazy dog .", "Ünïcödé wörds 👍 and (brackets) a/b"]


def record(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32).eval()
    sentences, loss, words = [], 0.0, 0
    for text in SENTENCES:
        encoded = tokenizer(text.split(), is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            logits = model(**encoded).logits[0].double()
        tags, seen = [], set()
        for row, word in enumerate(encoded.word_ids(0)):
            if word is None or word in seen:
                continue
            seen.add(word)
            best = int(logits[row].argmax())
            tags.append(model.config.id2label[best])
            loss -= float(torch.log_softmax(logits[row], -1)[best])
            words += 1
        assert len(tags) == len(text.split())
        sentences.append({"words": text.split(), "tags": tags})
    return {"folder": os.path.basename(folder), "loss": loss / words, "sentences": sentences}


json.dump([record(os.path.join(sys.argv[1], name)) for name in ("tag", "tag_bert")], sys.stdout, ensure_ascii=False, indent=1)
print()
