"""Records expected/schema.json: the results of the library gliner2 (2.1.0, Apache-2.0) for the model in schema, computed in float64.

    pip install torch transformers gliner2==2.1.0 && python schemas.py
"""
import json
import pathlib

from gliner2 import AutoExtractor, Schema
from gliner2.processing.word_splitter import resolve_word_splitter

HERE = pathlib.Path(__file__).parent
ADA = "Ada Lovelace wrote to Charles Babbage in London on 27 November 1843."
LONG = ("The committee, chaired by Dr. Mary Smith-Jones of the University of Oxford, met in Paris on 3 May 2021 and again in New York on 4 June; "
        "it heard John Doe (Acme Corp.), Jane Roe and the mayor of Lyon.")
PRODUCT = {"fields": [{"name": "name", "dtype": "str"}, {"name": "price", "description": "with its currency"},
                      {"name": "colour", "dtype": "str", "choices": ["red", "Green", "sky blue"]}]}
LINES = [
    {"text": ADA, "schema": {"entities": ["person", "place"]}},
    {"text": ADA, "schema": {"entities": {"person": "Names of people.", "date": {"dtype": "str", "threshold": 0.35}}}, "threshold": 0.3, "overlap_policy": "flat"},
    {"text": ADA, "schema": {"entities": ["person"]}, "threshold": 0.4, "overlap_policy": "nested", "include_confidence": False},
    {"text": ADA, "schema": {"entities": ["person"]}, "threshold": 0.4, "overlap_policy": "longest", "include_spans": False},
    {"text": "Paris, paris, PARIS and Paris!", "schema": {"entities": ["place"]}, "threshold": 0.3, "include_confidence": False, "include_spans": False},
    {"text": ADA, "schema": {"structures": {"product": PRODUCT}, "relations": {"wrote to": {"threshold": 0.3}, "born in": "person, then town"}}},
    {"text": ADA, "schema": {"entities": ["person"], "entity_attributes": {"age": {"labels": ["young", "old"]}, "mood": {
        "labels": ["glad", "angry"], "multi_label": True, "threshold": 0.4, "qualify_labels": True}}}},
    {"text": ADA, "schema": {"classifications": [{"task": "topics", "labels": {"sport": "ball games", "politics": "", "science": "what is known"},
                                                 "multi_label": True, "cls_threshold": 0.4, "top_k": 2, "prompt": "choose all that fit"}]}},
    {"text": "東京都に住んでいます。", "schema": {"entities": ["place"]}, "word_splitter": "char"},
    {"text": LONG, "schema": {"entities": ["person", "place"]}, "max_len": 9},
    {"text": LONG, "schema": {"entities": ["person"], "classifications": [{"task": "language", "labels": ["English", "other"]}]},
     "chunk_size": 12, "chunk_overlap": 4},
    {"text": "", "schema": {"entities": ["person"], "relations": ["knows"]}},
]


def result(model, line):
    o = dict(line)
    text, schema = o.pop("text"), Schema.from_dict(o.pop("schema"))
    o = {"include_confidence": True, "include_spans": True, **o}
    model.processor.word_splitter = resolve_word_splitter(o.pop("word_splitter", None))
    if "chunk_size" in o:
        return model.batch_extract_long([text], schema, **o)[0]
    return model.batch_extract([text], schema, **o)[0]


def rounded(v):
    if isinstance(v, float):
        return round(v, 7)
    if isinstance(v, dict):
        return {k: rounded(x) for k, x in v.items()}
    return [rounded(x) for x in v] if isinstance(v, (list, tuple)) else v


def main():
    model = AutoExtractor.from_pretrained(str(HERE / "schema")).double().eval()
    by = "gliner2 2.1.0"
    flags = {"entities": {"person": {"threshold": 0.3}, "place": {}}, "classifications": [{"task": "tone", "labels": ["good", "bad"]},
                                                                                          {"task": "topic", "labels": ["sport", "news"]}]}
    cases = [
        {"name": "lines", "by": by, "flags": [], "input": LINES, "want": [rounded(result(model, l)) for l in LINES]},
        {"name": "flags", "by": by, "flags": ["--labels", "person,place", "--classify", "tone=good,bad; topic=sport,news", "--threshold", "0.45,person=0.3",
                                              "--overlap", "flat"],
         "input": [{"text": t} for t in (ADA, LONG)],
         "want": [rounded(result(model, {"text": t, "schema": flags, "threshold": 0.45, "overlap_policy": "flat"})) for t in (ADA, LONG)]},
        {"name": "chunks", "by": by, "flags": ["--labels", "person", "--chunk-size", "10", "--chunk-overlap", "3"], "input": [{"text": LONG}],
         "want": [rounded(result(model, {"text": LONG, "schema": {"entities": ["person"]}, "chunk_size": 10, "chunk_overlap": 3}))]},
    ]
    lines = ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases)
    (HERE / "expected" / "schema.json").write_text("[\n" + lines + "\n]\n")


if __name__ == "__main__":
    main()
