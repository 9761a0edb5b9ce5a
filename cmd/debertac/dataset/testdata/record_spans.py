"""Writes spans.jsonl: the entities of random tags, many of them forbidden by every scheme, as seqeval 1.2.2 finds them in its default mode, which follows the script
conlleval of the shared task of CoNLL 2000. Needs seqeval. CC0."""
import json
import random

from seqeval.metrics.sequence_labeling import get_entities

random.seed(13)
with open("spans.jsonl", "w") as f:
    for i in range(400):
        prefixes = ["BI", "BIE", "BIES"][i % 3]
        tags = [random.choice(["O"] + [p + "-" + k for p in prefixes for k in ("X", "Y")]) for _ in range(random.randint(1, 9))]
        f.write(json.dumps({"tags": tags, "entities": [[k, s, e + 1] for k, s, e in get_entities(tags)]}) + "\n")
