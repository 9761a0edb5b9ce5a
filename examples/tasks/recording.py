"""The models and, for each, the cases: flags of `debertac run`, records of its input, and what is wanted of each record's result.

Fields that a case does not name are not compared. "by" says where the numbers come from.
"""
import numpy as np
import torch
import torch.nn.functional as F
import transformers as hf

import drawing, independent as own, lessons, texts, training

LIMIT = 64


def case(name, by, flags, records, want):
    return {"name": name, "by": by, "flags": flags, "input": records, "want": want}


def singles(list_):
    return [{"text": t} for t in list_]


# ---- one result a text ---------------------------------------------------------------------------------------------------------------------

def classified(pipe, names, inputs):
    """The text-classification pipeline's results in the order of the labels."""
    for t in inputs:
        r = {x["label"]: x["score"] for x in pipe(t, top_k=None, truncation=True)}
        best = max(names, key=lambda n: r[n])
        yield {"label": best, "index": names.index(best), "score": r[best], "scores": [r[n] for n in names]}


def pairs_of(list_):
    return [{"text": a, "pair": b} for a, b in list_]


def classified_pairs(model, tokenizer, pipe, names, multi):
    """The pipeline takes an empty second text for none; a pair is one here, as the tokenizer itself makes it."""
    for a, b in texts.PAIRS:
        if b:
            yield from classified(pipe, names, [{"text": a, "text_pair": b}])
        else:
            z = own.forward(model, tokenizer.backend_tokenizer.encode(a, b)).logits[0].numpy()
            yield {"scores": (own.sigmoid(z) if multi else own.softmax(z)).tolist()}


def small(name, x):
    """Weights to begin training with."""
    x *= 0.4


def drawn(folder, cls, config, learn=None, **more):
    """A model with random weights, or one that learns from these."""
    if learn:
        return drawing.save(folder, cls, config, LIMIT, change=small, train=learn, **more)
    return drawing.save(folder, cls, config, LIMIT, **more)


def classify(folder, multi=False, config=drawing.v3, cls=hf.DebertaV2ForSequenceClassification, names=("negative", "neutral", "positive"), learn=None):
    more = {"problem_type": "multi_label_classification"} if multi else {}
    model, tokenizer = drawn(folder, cls, config(**drawing.labels(*names, **more)), learn)
    pipe = hf.pipeline("text-classification", model=model, tokenizer=tokenizer)
    names, by = list(names), "transformers text-classification"
    inputs = texts.SINGLE + texts.EMPTY
    yield case("texts", by, [], singles(inputs), list(classified(pipe, names, inputs)))
    yield case("pairs", by, [], pairs_of(texts.PAIRS), list(classified_pairs(model, tokenizer, pipe, names, multi)))
    yield case("cut", by, ["--long", "truncate"], singles([texts.LONG]), list(classified(pipe, names, [texts.LONG])))
    for stride in (0, 16):
        e = own.windows(tokenizer, (texts.LONG,), LIMIT, stride)
        z = np.mean([own.forward(model, x).logits[0].numpy() for x in e], 0)
        p = own.sigmoid(z) if multi else own.softmax(z)
        want = {"logits": z.tolist(), "scores": p.tolist(), "label": names[int(np.argmax(p))], "windows": len(e)}
        yield case(f"windows that overlap by {stride}", "independent", ["--long", f"windows:{stride}"], singles([texts.LONG]), [want])
    every = np.stack([own.forward(model, x).logits[0].numpy() for x in e])
    best = (own.sigmoid(every) if multi else own.softmax(every)).max(0)
    yield case("the best of windows", "independent", ["--long", "windows:16", "--join", "max"], singles([texts.LONG]), [{"scores": best.tolist()}])


def score(folder):
    model, tokenizer = drawing.save(folder, hf.DebertaV2ForSequenceClassification, drawing.v2(num_labels=1, problem_type="regression"), LIMIT)
    pipe = hf.pipeline("text-classification", model=model, tokenizer=tokenizer)
    by = "transformers text-classification"
    yield case("texts", by, [], singles(texts.SINGLE), [{"score": pipe(t)[0]["score"]} for t in texts.SINGLE])
    pairs = [(a, b) for a, b in texts.PAIRS if b]  # the pipeline takes an empty second text for none
    yield case("pairs", by, [], pairs_of(pairs), [{"score": pipe({"text": a, "text_pair": b})["score"]} for a, b in pairs])


def rank(folder):
    model, tokenizer = drawn(folder, hf.RobertaForSequenceClassification, drawing.roberta(num_labels=1), training.labels(lessons.wanted, 800, pairs=True, loss=F.mse_loss))
    pipe = hf.pipeline("text-classification", model=model, tokenizer=tokenizer, function_to_apply="none")
    query = "Where does Anna live?"
    for flags, act in ([], lambda z: z), (["--sigmoid"], own.sigmoid):
        scores = [float(act(pipe({"text": query, "text_pair": d})["score"])) for d in texts.DOCUMENTS]
        order = np.argsort(-np.array(scores), kind="stable")
        want = [{"rank": n + 1, "index": int(i), "text": texts.DOCUMENTS[i], "score": scores[i]} for n, i in enumerate(order)]
        yield case(" ".join(["rank"] + flags), "transformers text-classification", ["--query", query] + flags, singles(texts.DOCUMENTS), want)


def nli(folder, names=("contradiction", "neutral", "entailment"), layers=2):
    config = drawing.v3(**drawing.labels(*names), num_hidden_layers=layers)
    model, tokenizer = drawing.save(folder, hf.DebertaV2ForSequenceClassification, config, LIMIT, change=small, train=training.labels(lessons.about, 1200 if layers > 1 else 300, pairs=True))
    pipe = hf.pipeline("zero-shot-classification", model=model, tokenizer=tokenizer)
    inputs = texts.SINGLE + [texts.LONG]
    for labels, template, multi in [
        (["sports", "politics", "the weather"], None, False), (["sports", "politics", "the weather"], None, True),
        (["Nöel", "東京"], "Das handelt von {}!", False), (["sports"], None, False),
    ]:
        flags = ["--labels", ",".join(labels), "--long", "truncate"] + (["--template", template] if template else []) + (["--multi"] if multi else [])
        kw = {"hypothesis_template": template} if template else {}
        want = []
        for t in inputs:
            r = pipe(t, candidate_labels=labels, multi_label=multi, **kw)
            want.append({"labels": [{"label": l, "index": labels.index(l), "score": s} for l, s in zip(r["labels"], r["scores"])]})
        yield case(" ".join(flags), "transformers zero-shot-classification", flags, singles(inputs), want)
    labels, z = ["sports", "politics"], []
    for l in labels:
        e = own.windows(tokenizer, (texts.LONG, f"This example is {l}."), LIMIT, 8, "only_first")
        z.append(np.mean([own.forward(model, x).logits[0].numpy() for x in e], 0)[list(names).index("entailment")])
    p = own.softmax(z)
    want = [{"label": labels[i], "index": int(i), "score": p[i]} for i in np.argsort(-p)]
    yield case("windows", "independent", ["--labels", ",".join(labels), "--long", "windows:8"], singles([texts.LONG]), [{"labels": want}])


# ---- labels of tokens ----------------------------------------------------------------------------------------------------------------------

class ByWord(hf.TokenClassificationPipeline):
    """The pipeline with the tokenizer's own numbers of words. Where a tokenizer has no prefix for what goes on with a word, the pipeline
    guesses from spaces in the text and warns of it: "York," is one word then, and what follows a lone "▁" another."""

    def gather_pre_entities(self, sentence, *args, **kw):
        entities = super().gather_pre_entities(sentence, *args, **kw)
        numbers = self.tokenizer(sentence, truncation=True).word_ids()
        for before, e in zip([None] + entities, entities):
            e["is_subword"] = before is not None and numbers[before["index"]] == numbers[e["index"]]
        return entities


def tagged(pipe, strategy, inputs):
    for t in inputs:
        found = [own.part(t, e["start"], e["end"]) | {"label": e.get("entity_group", e.get("entity")), "score": e["score"]} for e in pipe(t, aggregation_strategy=strategy)]
        yield {"entities": [e for e in found if e["text"]]}


def tag(folder, cls=hf.DebertaV2ForTokenClassification, config=drawing.v3, learn=None):
    model, tokenizer = drawn(folder, cls, config(**drawing.labels(*drawing.BIO)), learn)
    pipe, by_word = (kind(model=model, tokenizer=tokenizer, task="token-classification") for kind in (hf.TokenClassificationPipeline, ByWord))
    inputs = texts.SINGLE + texts.EMPTY + [texts.LONG]
    for strategy in ("none", "simple", "first", "average", "max"):
        flags = ["--aggregate", strategy, "--long", "truncate"]
        want, plain = list(tagged(by_word, strategy, inputs)), list(tagged(pipe, strategy, inputs))
        if strategy in ("none", "simple"):
            assert want == plain
            yield case(strategy, "transformers token-classification", flags, singles(inputs), want)
        else:
            same = sum(a == b for a, b in zip(want, plain))
            yield case(strategy, f"transformers token-classification, words by the tokenizer (by spaces: {same} of {len(want)} the same)", flags, singles(inputs), want)
    yield from tag_windows(model, tokenizer)


def tag_windows(model, tokenizer):
    t = texts.LONG
    e = own.windows(tokenizer, (t,), LIMIT, 16)
    whole = tokenizer(t, return_offsets_mapping=True, add_special_tokens=False)
    rows, tags = [own.softmax(own.forward(model, x).logits[0].double().numpy()) for x in e], []
    for at, (w, r, _) in zip(whole["offset_mapping"], own.farthest(e, len(whole["input_ids"]))):
        i = int(np.argmax(rows[w][r]))
        tags.append((i, rows[w][r][i], *at))
    yield case("windows", "independent", ["--long", "windows:16"], singles([t]), [{"entities": own.entities(drawing.BIO, tags, t), "windows": len(e)}])


def decoded(folder, spec, labels, scores, model, tokenizer, by_crf):
    """Cases of labels that are decoded together."""
    want, inputs = [], ["x", "Anna lives", "the dog.", "Ann at Acme", "café 👍🏽"]
    for t in inputs:
        e = own.windows(tokenizer, (t,), LIMIT, 0)[0]
        rows = [r for r, s in enumerate(e.special_tokens_mask) if not s]
        z = own.forward(model, e).logits[0].double().numpy()[rows]
        path, logp, marginals = own.chain(z, *scores)
        p = marginals if by_crf else own.softmax(z)
        tags = [own.part(t, *e.offsets[r]) | {"label": labels[i], "index": i, "score": p[k][i]} for k, (r, i) in enumerate(zip(rows, path))]
        spans = [(i, p[k][i], *e.offsets[r]) for k, (r, i) in enumerate(zip(rows, path))]
        want.append({"log_probability": logp, "tags": tags, "entities": own.entities(labels, spans, t)})
    return case("decoded", "independent", [], singles(inputs), want) | {"spec": spec}


def bio(folder):
    """The model of tag, with labels decoded as a sequence that B-I-O allows."""
    tag_folder = folder.removesuffix("bio") + "tag"
    model = hf.DebertaV2ForTokenClassification.from_pretrained(tag_folder, dtype=torch.float32).eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(tag_folder)
    yield decoded(tag_folder, "bio.dspec", drawing.BIO, own.bio(drawing.BIO), model, tokenizer, False) | {"folder": "tag"}


def crf(folder):
    labels = ["O", "B-X", "I-X"]
    more = lambda c: {"crf.transitions": (3, 3), "crf.start_transitions": (3,), "crf.end_transitions": (3,)}  # pytorch-crf's names

    def even(name, x):
        """Makes the scores of neighbours matter."""
        if name == "classifier.weight":
            x *= 0.25
    model, tokenizer = drawing.save(folder, hf.DebertaV2ForTokenClassification, drawing.v3(**drawing.labels(*labels)), LIMIT, more, even)
    t = drawing.extra(folder)
    scores = [t["crf." + k].double().numpy() for k in ("start_transitions", "transitions", "end_transitions")]
    yield decoded(folder, "crf.dspec", labels, scores, model, tokenizer, True)


# ---- questions -----------------------------------------------------------------------------------------------------------------------------

def answer(folder, cls=hf.DebertaV2ForQuestionAnswering, config=drawing.v3, learn=None):
    model, tokenizer = drawn(folder, cls, config(), learn)
    records = [{"question": q, "context": c} for q, c in texts.QUESTIONS]
    get = lambda r, stride, best: own.answers(model, tokenizer, r["question"], r["context"], LIMIT, stride, best)
    yield case("the best of five", "independent", ["--top", "5", "--long", "windows:8"], records, [get(r, 8, 5) for r in records])
    long = [{"question": q, "context": texts.LONG} for q in ("Who met John?", "Where is the café?")]
    yield case("windows", "independent", ["--top", "3", "--long", "windows:16"], long, [get(r, 16, 3) for r in long])
    want = [get(r, 8, 3) for r in records]
    limit = float(np.median([w["null_difference"] for w in want])) + 0.01
    want = [w | {"no_answer": w["null_difference"] > limit} for w in want]
    yield case("no answer", "independent", ["--top", "3", "--long", "windows:8", f"--no-answer-threshold={limit:.4f}"], records, want)


def choose(folder):
    model, tokenizer = drawn(folder, hf.DebertaV2ForMultipleChoice, drawing.v2(num_labels=1), training.choices)
    records, want = [], []
    for context, question, options in texts.CHOICES:
        # As for RACE (a context, and the question with each option) and COPA (no context: the question, and each option).
        firsts, seconds = ([context] * len(options), [f"{question} {o}" for o in options]) if context else ([question] * len(options), options)
        e = tokenizer(firsts, seconds, padding=True, return_tensors="pt")
        with torch.no_grad():
            z = model(**{k: v[None] for k, v in e.items() if k != "token_type_ids"}).logits[0].double().numpy()
        p, i = own.softmax(z), int(np.argmax(z))
        records.append({"context": context, "question": question, "options": options})
        want.append({"index": i, "option": options[i], "score": p[i], "scores": p.tolist(), "logits": z.tolist()})
    yield case("options", "transformers DebertaV2ForMultipleChoice", [], records, want)


# ---- hidden states -------------------------------------------------------------------------------------------------------------------------

def embed(folder):
    model, tokenizer = drawing.save(folder, hf.DebertaV2Model, drawing.v3(num_hidden_layers=3), LIMIT)
    pipe = hf.pipeline("feature-extraction", model=model, tokenizer=tokenizer)
    inputs = texts.SINGLE + texts.EMPTY
    rows = [np.array(pipe(t)[0]) for t in inputs]
    by = "transformers feature-extraction"
    unit = lambda v: v / np.linalg.norm(v)
    yield case("mean", by, [], singles(inputs), [{"embedding": r.mean(0).tolist()} for r in rows])
    yield case("first", by, ["--pooling", "first"], singles(inputs), [{"embedding": r[0].tolist()} for r in rows])
    yield case("unit", by, ["--normalize"], singles(inputs), [{"embedding": unit(r.mean(0)).tolist()} for r in rows])
    hidden = [own.forward(model, own.windows(tokenizer, (t,), LIMIT, 0)[0]).hidden_states[2][0].numpy() for t in inputs]
    yield case("layer 2", "transformers hidden_states", ["--head", "embed", "--layer", "2"], singles(inputs), [{"embedding": h.mean(0).tolist()} for h in hidden])
    e = own.windows(tokenizer, (texts.LONG,), LIMIT, 8)
    states = [own.forward(model, x).last_hidden_state[0].numpy() for x in e]
    mean = sum(h.sum(0) for h in states) / sum(len(h) for h in states)
    yield case("windows", "independent", ["--long", "windows:8"], singles([texts.LONG]), [{"embedding": mean.tolist(), "windows": len(e)}])


def rtd(folder):
    h = 32
    more = lambda c: {"mask_predictions.dense.weight": (h, h), "mask_predictions.dense.bias": (h,), "mask_predictions.LayerNorm.weight": (h,),
                      "mask_predictions.LayerNorm.bias": (h,), "mask_predictions.classifier.weight": (1, h), "mask_predictions.classifier.bias": (1,)}
    model, tokenizer = drawing.save(folder, hf.DebertaV2Model, drawing.v3(), LIMIT, more)
    names = {k.removeprefix("deberta."): v for k, v in drawing.extra(folder).items()}
    want, inputs = [], texts.SINGLE + texts.EMPTY
    for t in inputs:
        e = own.windows(tokenizer, (t,), LIMIT, 0)[0]
        z = own.replaced(names, own.forward(model, e).last_hidden_state[0])
        rows = [r for r, s in enumerate(e.special_tokens_mask) if not s]
        verdicts = [own.part(t, *e.offsets[r]) | {"logit": z[r], "score": own.sigmoid(z[r]), "replaced": bool(z[r] > 0)} for r in rows]
        want.append({"verdicts": verdicts, "replaced": sum(v["replaced"] for v in verdicts)})
    yield case("replaced", "independent", ["--head", "rtd"], singles(inputs), want)
    e, whole = own.windows(tokenizer, (texts.LONG,), LIMIT, 16), tokenizer(texts.LONG, add_special_tokens=False)
    z = [own.replaced(names, own.forward(model, x).last_hidden_state[0]) for x in e]
    homes = own.farthest(e, len(whole["input_ids"]))
    yield case("windows", "independent", ["--head", "rtd", "--long", "windows:16"], singles([texts.LONG]), [{"verdicts": [{"logit": z[w][r]} for w, r, _ in homes]}])


# ---- tokens --------------------------------------------------------------------------------------------------------------------------------

def masks(text, name):
    """The places of a mask's name in a text."""
    at, out = 0, []
    while (at := text.find(name, at)) >= 0:
        out.append(own.part(text, at, at + len(name)))
        at += len(name)
    return out


def fill_cases(logits, tokenizer, by, flags=()):
    """Masks filled; logits(text) gives a row of logits for each mask."""
    inputs = [t.format(m=tokenizer.mask_token) for t in texts.MASKED]
    want = []
    for t in inputs:
        blanks = []
        for at, z in zip(masks(t, tokenizer.mask_token), logits(t)):
            p = own.softmax(z)
            order = np.argsort(-p, kind="stable")[:7]
            blanks.append(at | {"candidates": [{"id": int(i), "piece": tokenizer.convert_ids_to_tokens(int(i)), "score": p[i]} for i in order]})
        want.append({"masks": blanks})
    yield case("masks", by, ["--top", "7", *flags], singles(inputs), want)


def mask_rows(model, tokenizer):
    def rows(t):
        ids = tokenizer(t)["input_ids"]
        z = own.forward(model, tokenizer(t).encodings[0]).logits[0].double().numpy()
        return [z[r] for r, i in enumerate(ids) if i == tokenizer.mask_token_id]
    return rows


def fill(folder, cls=hf.DebertaV2ForMaskedLM, config=drawing.v3, learn=None, **more):
    model, tokenizer = drawn(folder, cls, config(**more), learn)
    yield from fill_cases(mask_rows(model, tokenizer), tokenizer, "transformers " + cls.__name__)
    pipe = hf.pipeline("fill-mask", model=model, tokenizer=tokenizer)
    t = texts.MASKED[0].format(m=tokenizer.mask_token)
    found = pipe(t, top_k=5)
    want = [{"candidates": [{"id": c["token"], "score": c["score"]} for c in found]}]
    yield case("pipeline", "transformers fill-mask", ["--top", "5"], singles([t]), [{"masks": want}])
    words = ["the", "of", "is", "a"]
    pieces = [tokenizer.tokenize(" " + w) for w in words]
    assert all(len(p) == 1 for p in pieces), pieces
    found = pipe(t, targets=[p[0] for p in pieces])
    want = [{"candidates": [{"id": c["token"], "score": c["score"]} for c in found]}]
    yield case("targets", "transformers fill-mask", ["--targets", ",".join(words)], singles([t]), [{"masks": want}])
    yield perplexities(model, tokenizer)
    yield fill_windows(model, tokenizer)


def fill_windows(model, tokenizer):
    """Masks in a long text, each in the window in which it lies farthest from a cut edge."""
    t = texts.LONG
    for word in ("Paris", "city", "river", "little", "station"):
        t = t.replace(word, tokenizer.mask_token, 1)
    ids = tokenizer(t, add_special_tokens=False)["input_ids"]
    e = own.windows(tokenizer, (t,), LIMIT, 16)
    z = [own.forward(model, x).logits[0].double().numpy() for x in e]
    rows = [z[w][r] for (w, r, _), i in zip(own.farthest(e, len(ids)), ids) if i == tokenizer.mask_token_id]
    want = [{"candidates": [{"id": int(i), "score": p[i]} for i in np.argsort(-p)[:3]]} for p in map(own.softmax, rows)]
    return case("windows", "independent", ["--top", "3", "--long", "windows:16"], singles([t]), [{"masks": want, "windows": len(e)}])


def perplexities(model, tokenizer):
    """Each token masked in turn and predicted from all others."""
    want, inputs = [], texts.SINGLE[:4]
    for t in inputs:
        e, scored = tokenizer(t).encodings[0], []
        for r, special in enumerate(e.special_tokens_mask):
            if special:
                continue
            ids = list(e.ids)
            ids[r] = tokenizer.mask_token_id
            with torch.no_grad():
                kw = {"token_type_ids": torch.tensor([e.type_ids])} if model.config.type_vocab_size > 1 else {}
                z = model(torch.tensor([ids]), attention_mask=torch.tensor([e.attention_mask]), **kw).logits[0, r].double()
            scored.append(own.part(t, *e.offsets[r]) | {"id": e.ids[r], "log_probability": float(torch.log_softmax(z, 0)[e.ids[r]])})
        total = sum(s["log_probability"] for s in scored)
        want.append({"perplexity": np.exp(-total / len(scored)), "log_probability": total, "counted": len(scored), "pseudo": True, "scored": scored})
    return case("pseudo-perplexity", "independent", ["--perplexity"], singles(inputs), want)


def emd(folder):
    more = lambda c: {"deberta.embeddings.position_embeddings.weight": (c.max_position_embeddings, c.hidden_size)}
    model, tokenizer = drawing.save(folder, hf.DebertaV2ForMaskedLM, drawing.v3(legacy=False), LIMIT, more)
    table = drawing.extra(folder)["deberta.embeddings.position_embeddings.weight"]

    def rows(t):
        ids = tokenizer(t)["input_ids"]
        z = own.enhanced(model, table, ids)
        return [z[r] for r, i in enumerate(ids) if i == tokenizer.mask_token_id]
    yield from fill_cases(rows, tokenizer, "independent")


def generate(folder):
    config = drawing.v3(legacy=False, num_hidden_layers=3)
    model, tokenizer = drawn(folder, hf.DebertaV2ForMaskedLM, config, training.causal)
    end = tokenizer.sep_token_id
    want = [own.greedy(model, tokenizer, t, 12, end) for t in texts.PROMPTS]
    yield case("greedy", "independent", ["--head", "generate", "--max-new-tokens", "12"], singles(texts.PROMPTS), want)
    want, inputs = [], texts.SINGLE[:4]
    for t in inputs:
        e = tokenizer(t).encodings[0]
        z, scored = own.causal(model, e.ids), []
        for r in range(1, len(e.ids) - 1):
            p = z[r - 1] - z[r - 1].max()
            scored.append(own.part(t, *e.offsets[r]) | {"id": e.ids[r], "log_probability": float(p[e.ids[r]] - np.log(np.exp(p).sum()))})
        total = sum(s["log_probability"] for s in scored)
        want.append({"perplexity": np.exp(-total / len(scored)), "log_probability": total, "counted": len(scored), "pseudo": False, "scored": scored})
    yield case("perplexity", "independent", ["--head", "generate", "--perplexity"], singles(inputs), want)
    want = [own.greedy(model, tokenizer, t, 8, end, True) for t in texts.PROMPTS]
    yield case("a prefix", "independent", ["--head", "generate", "--mask", "prefix", "--max-new-tokens", "8"], singles(texts.PROMPTS), want)
    e, total, counted = own.windows(tokenizer, (texts.LONG,), LIMIT, 16), 0.0, 0
    for i, x in enumerate(e):
        z = own.causal(model, x.ids)
        fresh = own.encodings_overlap(e, i - 1) if i else 0  # tokens that the window before has predicted
        for r in range(1 + fresh, len(x.ids) - 1):
            p = z[r - 1] - z[r - 1].max()
            total, counted = total + p[x.ids[r]] - np.log(np.exp(p).sum()), counted + 1
    want = [{"perplexity": np.exp(-total / counted), "log_probability": total, "counted": counted, "windows": len(e)}]
    yield case("perplexity in windows", "independent", ["--head", "generate", "--perplexity", "--long", "windows:16"], singles([texts.LONG]), want)


RECORDINGS = {
    "classify": lambda f: classify(f, learn=training.labels(lessons.sentiment)),
    "multilabel": lambda f: classify(f, True, names=("toxic", "spam", "praise", "question"), learn=training.labels(lessons.remarks, loss=F.binary_cross_entropy_with_logits)),
    "classify_deberta": lambda f: classify(f, config=drawing.v1, cls=hf.DebertaForSequenceClassification),
    "classify_bert": lambda f: classify(f, config=drawing.bert, cls=hf.BertForSequenceClassification),
    "score": score,
    "rank": rank,
    "nli": nli,
    "nli_small": lambda f: nli(f, layers=1),
    "tag": lambda f: tag(f, learn=training.tags),
    "tag_deberta": lambda f: tag(f, hf.DebertaForTokenClassification, drawing.v1),
    "tag_bert": lambda f: tag(f, hf.BertForTokenClassification, drawing.bert),
    "bio": bio,
    "crf": crf,
    "answer": lambda f: answer(f, config=lambda: drawing.v3(num_hidden_layers=3), learn=training.answers),
    "answer_roberta": lambda f: answer(f, hf.RobertaForQuestionAnswering, drawing.roberta),
    "choose": choose,
    "embed": embed,
    "rtd": rtd,
    "fill": lambda f: fill(f, legacy=False, learn=training.masked),
    "fill_legacy": fill,
    "fill_deberta": lambda f: fill(f, hf.DebertaForMaskedLM, drawing.v1),
    "fill_bert": lambda f: fill(f, hf.BertForMaskedLM, drawing.bert),
    "fill_roberta": lambda f: fill(f, hf.RobertaForMaskedLM, drawing.roberta),
    "emd": emd,
    "generate": generate,
}
