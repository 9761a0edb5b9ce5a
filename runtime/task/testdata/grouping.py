"""Records how transformers' token classification groups labels that it knows (B-, I-) and labels without a scheme: grouping.jsonl.

    pip install transformers==5.23.0
    python grouping.py         # in this folder

A case has a list of labels, the label and the score of each token (token i is a word of its own, at 2i to 2i+1), and the groups
of aggregation_strategy "simple": name, score, first and last character.
"""
import json
import random

from transformers.pipelines.token_classification import TokenClassificationPipeline

SCHEMES = [["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], ["O", "I-PER", "I-LOC"], ["O", "PER", "LOC"], ["O", "b-per", "i-per", "b-loc", "i-loc"],
           ["O", "PER-B", "PER-I", "LOC-B"], ["O", "B-geo-loc", "I-geo-loc", "geo-loc"], ["LABEL_0", "LABEL_1", "LABEL_2"], ["O", "E-mail", "S-1", "U-", "-x"],
           ["O", "B-", "I-", "B", "I"], ["o", "B-O", "I-O", "B_PER", "I_PER"]]
r = random.Random(7)


class Joined:
    @staticmethod
    def convert_tokens_to_string(tokens):
        return " ".join(tokens)


pipeline = TokenClassificationPipeline.__new__(TokenClassificationPipeline)
pipeline.tokenizer = Joined
with open("grouping.jsonl", "w") as out:
    for labels in SCHEMES:
        for _ in range(12):
            picked = [r.randrange(len(labels)) for _ in range(r.randint(1, 9))]
            tokens = [dict(entity=labels[k], score=r.randint(1, 64) / 64, index=i, word="x", start=2 * i, end=2 * i + 1) for i, k in enumerate(picked)]
            groups = [[g["entity_group"], float(g["score"]), g["start"], g["end"]] for g in pipeline.group_entities(tokens) if g["entity_group"] != "O"]
            out.write(json.dumps(dict(labels=labels, picked=picked, scores=[t["score"] for t in tokens], groups=groups)) + "\n")
