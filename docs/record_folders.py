#!/usr/bin/env python3
"""Records what transformers, sentence-transformers and GLiNER make of model folders whose files were changed, for a test of `debertac run`.

    python record_folders.py OUT.jsonl                    all folders
    python record_folders.py OUT.jsonl --only NUMBER      one of them, and print it
    python record_folders.py OUT.jsonl --seed 7 --pairs 150

It needs Python 3.10 or newer and: pip install torch transformers sentence-transformers gliner
Each folder is one of examples/tasks with the changes of record_changes.py: every change once by itself, then pairs of changes that are drawn.
A line of OUT is a folder: its base, the edits, the names that a refusal may have, flags of `debertac run`, the input, and what the libraries
give ("want") or say ("error"). What no pipeline computes comes from examples/tasks/independent.py.
"""
import argparse, copy, io, json, os, random, shutil, sys, tempfile, warnings, contextlib

import numpy as np
import torch, transformers
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
TASKS = os.path.join(HERE, "..", "examples", "tasks")
sys.path[:0] = [HERE, TASKS]
import independent as own, record_changes as changes, record_sentence  # the latter adds to the former

TEXTS = ["Anna Smith lives in New York, doesn't she?", "Die STRASSE in Zürich: café!", "the quick brown fox jumps over the lazy dog. The quick brown fox is lazy, and the dog jumps over it."]
PAIRS = [("Where does Anna live?", "Anna lives in Paris."), ("Café?", "The quick brown fox jumps over the lazy dog, and the dog is LAZY.")]
QUESTIONS = [("Who lives in Paris?", "Anna lives in Paris.")]
CHOICES = [("It was raining when Anna left the house.", "She took", ["an umbrella", "a train to London"])]
LABELS = ["person", "place"]
CUT = ["--long", "truncate"]
FLAGS = {"labels": CUT, "score": CUT, "embed": CUT, "tags": CUT + ["--aggregate", "none"], "masks": ["--top", "3"], "zero-shot": CUT + ["--labels", "sports,politics"], "entities": CUT + ["--labels", ",".join(LABELS), "--threshold", "0.3"], "answer": ["--top", "2"]}


class Unfit(Exception):
    """The library loads the folder, but draws or ignores numbers: nothing to compare with."""


# ---- folders -------------------------------------------------------------------------------------------------------------------------------

def made(seed, more):
    """All folders: (base, list of changes)."""
    draw = random.Random(seed)
    list_ = [(draw.choice(c["folders"]), [c]) for c in changes.CHANGES]
    while more > 0:
        base = draw.choice(sorted(changes.BASES))
        a, b = draw.sample([c for c in changes.CHANGES if base in c["folders"]], 2)
        if not {where(e) for e in a["edits"]} & {where(e) for e in b["edits"]}:
            list_.append((base, [a, b]))
            more -= 1
    return list_


def where(edit):
    """What an edit touches, so that two that contradict are not drawn together."""
    return edit[1:3] if edit[0] in ("set", "unset") else edit[:1] if edit[0] == "tensors" else (edit[1],)


def apply(folder, edits):
    for op, *e in edits:
        if op == "tensors":
            edit_tensors(os.path.join(folder, "model.safetensors"), *e)
            continue
        path = os.path.join(folder, e[0])
        if op == "remove":
            os.remove(path)
        elif op == "file":
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write(path, e[1])
        else:
            with open(path, encoding="utf-8") as f:
                whole = json.load(f)
            whole.pop(e[1], None)
            if op == "set":
                whole[e[1]] = e[2]
            write(path, whole)


def write(path, value):
    with open(path, "w", encoding="utf-8") as f:
        f.write(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def edit_tensors(path, op, *a):
    t = load_file(path)
    if op == "prefix":
        t = {a[0] + k: v for k, v in t.items()}
    elif op == "rename":
        t[a[1]] = t.pop(a[0])
    elif op == "copy":
        t[a[1]] = (t[a[0]].float() * a[2]).clone()
    elif op == "drop":
        del t[a[0]]
    elif op == "make":
        n = int(np.prod(a[1]))
        t[a[0]] = torch.tensor([((i * 37) % 101 - 50) / 64 for i in range(n)]).view(a[1])
    elif op == "ints":
        t[a[0]] = torch.arange(int(np.prod(a[1]))).view(a[1])
    save_file(t, path, metadata={"format": "pt"})


# ---- references ----------------------------------------------------------------------------------------------------------------------------

def loaded(cls, folder, **more):
    model, found = cls.from_pretrained(folder, dtype=torch.float32, output_loading_info=True, **more)
    if found["missing_keys"] or found["mismatched_keys"]:
        raise Unfit(f"weights drawn at random: {sorted(map(str, found['missing_keys'] or found['mismatched_keys']))[0]}")
    model.config.return_dict = True
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder)


def pipeline(task, cls, folder, **kw):
    model, tokenizer = loaded(cls, folder)
    return transformers.pipeline(task, model=model, tokenizer=tokenizer, **kw), model, tokenizer


def labels(folder):
    pipe, model, _ = pipeline("text-classification", transformers.AutoModelForSequenceClassification, folder)
    for t in TEXTS:
        logits = pipe.forward(pipe.preprocess(t, truncation=True))["logits"][0].double().numpy()
        found = pipe(t, top_k=None, truncation=True)
        names = [model.config.id2label[i] for i in range(len(logits))]
        if model.config.problem_type == "regression":
            yield {"embedding": logits.tolist()}
            continue
        best = int(np.argmax(logits))
        # debertac writes names as texts, and numbers those that are empty or not unique.
        label = {"label": str(names[best])} if all(str(n) for n in names) and len(set(map(str, names))) == len(names) else {}
        scores = sorted(x["score"] for x in found)
        for act in (own.softmax, own.sigmoid, lambda z: z):  # the pipeline's own function, in the order of the columns
            if np.allclose(sorted(act(logits)), scores, atol=1e-6):
                yield label | {"scores": act(logits).tolist()}
                break
        else:
            raise Unfit("the pipeline's scores are no function of the logits")


def score(folder):
    if "sbert_ce_default_activation_function" in config(folder) or "sentence_transformers" in config(folder) or os.path.exists(os.path.join(folder, "modules.json")):
        from sentence_transformers import CrossEncoder
        model = CrossEncoder(folder, device="cpu", trust_remote_code=False, model_kwargs={"dtype": torch.float32})
        return [{"score": float(model.predict([p])[0])} for p in PAIRS]
    # A score is the model's own number; where problem_type says that it is a label's, the pipeline's function is applied.
    raw = {"function_to_apply": "none"} if config(folder).get("problem_type") in (None, "regression") else {}
    pipe, _, _ = pipeline("text-classification", transformers.AutoModelForSequenceClassification, folder, **raw)
    found = [pipe({"text": a, "text_pair": b}, top_k=None, truncation=True) for a, b in PAIRS]
    if len(found[0]) != 1:
        raise Unfit(f"{len(found[0])} columns")
    return [{"score": f[0]["score"]} for f in found]


def zero_shot(folder):
    pipe, _, _ = pipeline("zero-shot-classification", transformers.AutoModelForSequenceClassification, folder)
    for t in TEXTS:
        r = pipe(t, candidate_labels=["sports", "politics"])
        yield {"labels": [{"label": l, "score": s} for l, s in zip(r["labels"], r["scores"])]}


def tags(folder):
    pipe, _, _ = pipeline("token-classification", transformers.AutoModelForTokenClassification, folder)
    for t in TEXTS:
        found = [own.part(t, e["start"], e["end"]) | {"label": e["entity"], "score": float(e["score"])} for e in pipe(t, aggregation_strategy="none")]
        yield {"entities": [{k: e[k] for k in ("text", "start", "label", "score")} for e in found if e["text"]]}


def masks(folder):
    pipe, model, tokenizer = pipeline("fill-mask", transformers.AutoModelForMaskedLM, folder)
    for t in masked(folder):
        inputs = pipe.preprocess(t)
        with torch.no_grad():
            z = model(**inputs).logits[0].double().numpy()
        blanks = []
        for r in (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero().flatten().tolist():
            p = own.softmax(z[r])
            blanks.append({"candidates": [{"id": int(i), "score": p[i]} for i in np.argsort(-p, kind="stable")[:3]]})
        yield {"masks": blanks}


def masked(folder):
    name = "<mask>" if "roberta" in (config(folder).get("model_type") or "") else "[MASK]"
    return [f"Anna Smith lives in {name}.", f"Die {name} ist LANG, the {name} is lazy."]


def answer(folder):
    model, tokenizer = loaded(transformers.AutoModelForQuestionAnswering, folder)
    for q, c in QUESTIONS:
        a = own.answers(model, tokenizer, q, c, min(64, tokenizer.model_max_length), 0, 2)
        yield {"answers": [{k: x[k] for k in ("text", "start", "score")} for x in a["answers"]]}


def choose(folder):
    model, tokenizer = loaded(transformers.AutoModelForMultipleChoice, folder)
    for context, question, options in CHOICES:
        e = tokenizer([context] * len(options), [f"{question} {o}" for o in options], padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            z = model(**{k: v[None] for k, v in e.items()}).logits[0].double().numpy()
        yield {"index": int(np.argmax(z)), "logits": z.tolist()}


def embed(folder):
    if os.path.exists(os.path.join(folder, "modules.json")):
        from sentence_transformers import SentenceTransformer
        if any(m["type"].endswith("Dense") for m in json.load(open(os.path.join(folder, "modules.json")))):
            raise Unfit("Dense without weights")
        model = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32})
        for t in TEXTS:
            v = model.encode([t], convert_to_numpy=True)[0]
            if v.ndim != 1:
                raise Unfit("no vector per text")
            yield {"embedding": v.tolist()}
        return
    more = {"add_pooling_layer": False} if config(folder).get("model_type") in ("bert", "roberta") else {}
    model, tokenizer = loaded(transformers.AutoModel, folder, **more)
    for t in TEXTS:
        with torch.no_grad():
            rows = model(**tokenizer(t, truncation=True, return_tensors="pt"), return_dict=True).last_hidden_state[0].double()
        yield {"embedding": rows.mean(0).tolist()}


def entities(folder):
    from gliner import GLiNER
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        model = GLiNER.from_pretrained(folder, local_files_only=True).eval()
    for t in TEXTS:
        found = model.predict_entities(t, LABELS, threshold=0.3)
        yield {"entities": [own.part(t, e["start"], e["end"]) | {"label": e["label"], "score": float(e["score"])} for e in found]}


REFERENCES = {"labels": labels, "score": score, "zero-shot": zero_shot, "tags": tags, "masks": masks, "answer": answer, "choose": choose, "embed": embed, "entities": entities}


def config(folder):
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def inputs(task, folder):
    if task == "masks":
        return [{"text": t} for t in masked(folder)]
    return {"score": [{"text": a, "pair": b} for a, b in PAIRS], "answer": [{"question": q, "context": c} for q, c in QUESTIONS],
            "choose": [{"context": c, "question": q, "options": o} for c, q, o in CHOICES]}.get(task, [{"text": t} for t in TEXTS])


# ---- recording -----------------------------------------------------------------------------------------------------------------------------

def rounded(v):
    if isinstance(v, dict):
        return {k: rounded(x) for k, x in v.items()}
    if isinstance(v, list):
        return [rounded(x) for x in v]
    return float(f"{v:.7g}") if isinstance(v, float) else v


def names(edits, more):
    """What a refusal may name: the fields and files that were changed."""
    out = set(more)
    for op, *e in edits:
        if op in ("set", "unset"):
            out.add(e[1])
        elif op in ("file", "remove"):
            out.add(e[0])
        else:
            out |= {x for x in e[1:] if isinstance(x, str)}
    return sorted(out)


def record(base, list_):
    task = changes.BASES[base][0]
    edits = [e for c in list_ for e in c["edits"]]
    theirs = [e for c in list_ if not c["as_is"] for e in c["edits"]]
    case = {"base": base, "changes": [c["name"] for c in list_], "edits": edits, "names": names(edits, [n for c in list_ for n in c["names"]]),
            "flags": FLAGS.get(task, [])}
    with tempfile.TemporaryDirectory() as temp:
        folder = os.path.join(temp, "model")
        shutil.copytree(os.path.join(TASKS, base), folder)
        apply(folder, theirs)
        if task in ("labels", "score") and not config(folder).get("architectures"):
            task = "embed"  # of a model without a head
            case["flags"] = FLAGS[task]
        case["input"] = inputs(task, folder)
        try:
            want = list(REFERENCES[task](folder))
            if not np.all(np.isfinite([x for x in numbers(want)])):
                raise Unfit("numbers that are not finite")
            case["want"] = rounded(want)
        except Exception as e:
            case["error"] = " ".join(f"{type(e).__name__}: {e}".replace(temp, "").split())[:160]
    return case


def numbers(v):
    if isinstance(v, dict):
        v = list(v.values())
    if isinstance(v, list):
        for x in v:
            yield from numbers(x)
    elif isinstance(v, float):
        yield v


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--pairs", type=int, default=150, help="folders with two changes, beside one for each change")
    p.add_argument("--only", type=int, help="the number of one folder")
    a = p.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    all_ = made(a.seed, a.pairs)
    if a.only is not None:
        print(json.dumps(record(*all_[a.only]), ensure_ascii=False, indent=1))
        return
    with open(a.out, "w", encoding="utf-8") as f:
        for i, (base, list_) in enumerate(all_):
            case = {"number": i} | record(base, list_)
            f.write(json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n")
            print(i, base, *case["changes"], "→", case.get("error", "recorded"), flush=True)


if __name__ == "__main__":
    main()
