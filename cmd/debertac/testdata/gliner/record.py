"""Records what the library gliner finds in the folder beside this file, which `debertac export` has written: record.py FOLDER

Tried with gliner 0.2.29, torch 2.15, transformers 5.16. The folder is that of the training in entities.dspec, of all steps, with --seed 1 and --init examples/tasks/embed."""
import json, sys, warnings

from gliner import GLiNER

warnings.simplefilter("error", UserWarning)  # such as one about tokens that the tokenizer lacks
folder = sys.argv[1]
model = GLiNER.from_pretrained(folder, local_files_only=True).eval()
labels = ["person", "city", "animal"]
texts = ["Anna lives in Rome", "The old fox met Tom Smith in Oslo.", "  Nobody, e-mail me: x!"]
with open(folder + "/expected.jsonl", "w") as out:
    for text in texts:
        for nested in (False, True):
            found = model.predict_entities(text, labels, threshold=0.2, flat_ner=not nested, multi_label=nested)
            want = [{"label": e["label"], "score": float(e["score"]), "start": e["start"], "end": e["end"]} for e in found]
            out.write(json.dumps({"text": text, "labels": labels, "nested": nested, "entities": want}) + "\n")
