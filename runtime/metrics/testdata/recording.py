"""Records what scikit-learn, SciPy, seqeval and the official scripts of SQuAD, ReCoRD and MultiRC compute for generated predictions.

    python recording.py FOLDER > recorded.json

FOLDER holds the official scripts: evaluate_v1.py (SQuAD 1.1), evaluate_v2.py (SQuAD 2.0) and evaluate_record.py (ReCoRD), as they are published. MultiRC's
measures are those of SuperGLUE's metric, written here with scikit-learn. GLiNER's evaluation counts sets of (label, start, end, text), written here too.
"""
import importlib.util
import json
import math
import os
import sys
import warnings

import numpy as np
import scipy
import seqeval
import seqeval.metrics
import sklearn
from scipy import stats
from sklearn import metrics

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)


def script(name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(sys.argv[1], name + ".py"))
    module = importlib.util.module_from_spec(spec)
    argv, sys.argv = sys.argv, ["x", "y", "z"]
    spec.loader.exec_module(module)
    sys.argv = argv
    return module


def plain(x):
    """A number as JSON; null where there is none."""
    x = float(x)
    return x if math.isfinite(x) else None


# ---- classes -------------------------------------------------------------------------------------------------------------------------------

def classes(c, gold, predicted):
    labels = list(range(c))
    p, r, f, _ = metrics.precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0)
    return {
        "classes": c, "gold": [int(x) for x in gold], "predicted": [int(x) for x in predicted],
        "accuracy": metrics.accuracy_score(gold, predicted), "mcc": metrics.matthews_corrcoef(gold, predicted),
        "f1_macro": metrics.f1_score(gold, predicted, average="macro"), "f1_micro": metrics.f1_score(gold, predicted, average="micro"),
        "precision_macro": metrics.precision_score(gold, predicted, average="macro", zero_division=0),
        "recall_macro": metrics.recall_score(gold, predicted, average="macro", zero_division=0),
        "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(),
        "confusion": metrics.confusion_matrix(gold, predicted, labels=labels).tolist(),
    }


def all_classes():
    yield classes(2, rng.integers(0, 2, 60), rng.integers(0, 2, 60))
    yield classes(2, [1] * 20, rng.integers(0, 2, 20))  # one class is absent
    yield classes(2, rng.integers(0, 2, 20), [0] * 20)  # one class is never predicted
    yield classes(2, [1, 1, 1], [1, 1, 1])
    yield classes(2, [1, 1, 1], [0, 0, 0])
    yield classes(1, [0, 0], [0, 0])
    yield classes(5, rng.integers(0, 3, 80), rng.integers(1, 4, 80))  # class 4 is nowhere
    gold = rng.integers(0, 7, 200)
    yield classes(7, gold, np.where(rng.random(200) < 0.7, gold, rng.integers(0, 7, 200)))
    yield classes(40, rng.zipf(1.5, 300) % 40, rng.zipf(1.4, 300) % 40)
    yield classes(3, [2], [2])


def several(c, gold, predicted):
    used = [k for k in range(c) if gold[:, k].any() or predicted[:, k].any()]
    g, p = gold[:, used], predicted[:, used]
    sets = lambda m: [[int(i) for i in np.flatnonzero(row)] for row in m]
    out = {"classes": c, "gold": sets(gold), "predicted": sets(predicted), "accuracy": metrics.accuracy_score(gold, predicted)}
    for average in ("micro", "macro"):
        if used:
            out["precision_" + average] = metrics.precision_score(g, p, average=average, zero_division=0)
            out["recall_" + average] = metrics.recall_score(g, p, average=average, zero_division=0)
            out["f1_" + average] = metrics.f1_score(g, p, average=average, zero_division=0)
        else:
            out["precision_" + average] = out["recall_" + average] = out["f1_" + average] = 0
    return out


def all_several():
    yield several(4, rng.random((30, 4)) < 0.3, rng.random((30, 4)) < 0.4)
    yield several(6, rng.random((50, 6)) < [0.5, 0.1, 0.02, 0, 0.9, 0.3], rng.random((50, 6)) < 0.2)
    yield several(3, np.zeros((5, 3), bool), np.zeros((5, 3), bool))
    yield several(3, np.zeros((5, 3), bool), rng.random((5, 3)) < 0.5)
    yield several(3, rng.random((5, 3)) < 0.5, np.zeros((5, 3), bool))


# ---- numbers -------------------------------------------------------------------------------------------------------------------------------

def numbers(x, y):
    x, y = [float(v) for v in x], [float(v) for v in y]
    few = len(x) < 2
    return {"x": x, "y": y, "pearson": None if few else plain(stats.pearsonr(x, y)[0]), "spearman": None if few else plain(stats.spearmanr(x, y)[0]),
            "ranks": stats.rankdata(x).tolist(), "mean_squared_error": metrics.mean_squared_error(x, y)}


def all_numbers():
    x = rng.normal(size=100)
    yield numbers(x, 0.5 * x + rng.normal(size=100))
    yield numbers(np.round(rng.random(60) * 5), np.round(rng.random(60) * 5))  # ties
    yield numbers(np.ones(10), rng.random(10))
    yield numbers(rng.random(10), np.zeros(10))
    yield numbers([1, 2], [5, 3])
    yield numbers([1, 1], [5, 3])
    yield numbers([3], [4])
    yield numbers(1e9 + rng.random(50), rng.random(50))
    yield numbers(rng.random(50) * 1e-160, rng.random(50) * 1e-170)
    yield numbers(rng.random(50) * 1e150, rng.random(50) * 1e150)
    yield numbers([0.0, -0.0, 1, -1], [1, 2, 3, 0])


def calibration(n, c):
    p = rng.dirichlet(np.ones(c) * 0.6, n)
    gold = np.array([rng.choice(c, p=row) for row in p])
    return calibrated(p.max(1), p.argmax(1) == gold)


def calibrated(confidence, right):
    """Bins as in Guo et al.'s temperature_scaling: above the lower edge, up to the upper edge."""
    confidence, right, error = np.asarray(confidence, float), np.asarray(right), 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            error += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
    return {"confidence": confidence.tolist(), "right": [bool(x) for x in right], "ece": error}


def all_calibration():
    yield calibration(300, 3)
    yield calibration(50, 2)
    edges = [(b + 1) / 15 for b in range(15)]
    yield calibrated(edges, [i % 2 == 0 for i in range(15)])
    yield calibrated([1, 1, 1], [True, False, True])
    yield calibrated([0.2, 0.4, 0.6, 0.8, 1.0, 1 / 3, 2 / 3], [True, False, True, False, True, False, True])


# ---- rankings ------------------------------------------------------------------------------------------------------------------------------

def ranking(scores, relevance):
    scores, relevance = np.asarray(scores, float), np.asarray(relevance, float)
    out = {"scores": scores.tolist(), "relevance": relevance.tolist()}
    if len(scores) > 1:
        out["ndcg"] = {str(k): metrics.ndcg_score([relevance], [scores], k=k) for k in (1, 3, 10)}
        out["ndcg"]["0"] = metrics.ndcg_score([relevance], [scores])
    if (relevance > 0).sum() == 1:  # with one relevant document, this is the reciprocal rank
        out["mrr"] = metrics.label_ranking_average_precision_score([relevance > 0], [scores])
    if len(set(relevance.tolist())) == 2:  # the share of pairs in order is the area under the ROC curve
        out["pairs"] = metrics.roc_auc_score(relevance == relevance.max(), scores)
    return out


def all_rankings():
    one = np.eye(12)
    for _ in range(4):
        yield ranking(rng.normal(size=12), one[rng.integers(12)])
    yield ranking(np.round(rng.random(12) * 3), one[5])  # ties
    yield ranking(np.zeros(8), np.eye(8)[2])
    yield ranking(np.zeros(8), rng.integers(0, 4, 8))
    yield ranking(np.round(rng.random(20) * 4), rng.integers(0, 4, 20))
    yield ranking(rng.random(20), rng.integers(0, 2, 20))
    yield ranking(np.round(rng.random(30) * 5), rng.integers(0, 2, 30))
    yield ranking(rng.random(5), np.zeros(5))
    yield ranking([0.3], [1])
    yield ranking([0.3, 0.9], [1, 0])


# ---- tags and spans ------------------------------------------------------------------------------------------------------------------------

def tags(gold, predicted):
    from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support
    out = {"gold": gold, "predicted": predicted, "spans": [[[t, b, e + 1] for t, b, e in get_entities(s)] for s in predicted]}
    for average in ("micro", "macro"):
        try:
            p, r, f, _ = precision_recall_fscore_support(gold, predicted, average=average)
        except Exception:  # there is no entity at all
            p = r = f = 0
        out[average] = [plain(p) or 0, plain(r) or 0, plain(f) or 0]
    out["accuracy"] = seqeval.metrics.accuracy_score(gold, predicted)
    return out


def sentences(words, n):
    return [[str(rng.choice(words)) for _ in range(rng.integers(1, 12))] for _ in range(n)]


def noisy(gold, words, share):
    return [[str(rng.choice(words)) if rng.random() < share else t for t in s] for s in gold]


def all_tags():
    bio = ["O", "O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    gold = sentences(bio, 40)
    yield tags(gold, noisy(gold, bio, 0.3))
    ioe = ["O", "O", "B-PER", "I-PER", "E-PER", "S-PER", "B-ORG", "I-ORG", "E-ORG", "S-ORG"]
    gold = sentences(ioe, 40)
    yield tags(gold, noisy(gold, ioe, 0.4))  # most orders of tags are wrong
    odd = ["O", "B", "I", "E", "S", "B-", "I-LOC", "B-LOC", "B-A-B", "I-A-B", "U-LOC", "L-LOC", "B-Ä", "I-Ä", "BLOC", "ILOC"]
    gold = sentences(odd, 60)
    yield tags(gold, noisy(gold, odd, 0.4))
    yield tags([["O", "O"], ["O"]], [["O", "O"], ["O"]])
    yield tags([["O", "O"], ["O"]], [["O", "B-X"], ["O"]])
    yield tags([["B-X", "I-X"], ["B-Y"]], [["O", "O"], ["O"]])
    yield tags([["B-X"]], [["B-X"]])


def spans(gold, predicted):
    """As GLiNER's evaluation counts: sets of (start, end, text) for each label."""
    names = sorted({s[0] for text in gold + predicted for s in text})
    tp = p = g = 0
    for name in names:
        a = {(i, s[1], s[2]) for i, text in enumerate(gold) for s in text if s[0] == name}
        b = {(i, s[1], s[2]) for i, text in enumerate(predicted) for s in text if s[0] == name}
        tp, g, p = tp + len(a & b), g + len(a), p + len(b)
    precision, recall = tp / p if p else 0, tp / g if g else 0
    return {"gold": gold, "predicted": predicted, "micro": [precision, recall, 2 * precision * recall / ((precision + recall) or 1)]}


def all_spans():
    draw = lambda n, most: [[[str(rng.choice(["person", "place", "größe"])), int(b), int(b + 1 + rng.integers(3))] for b in rng.integers(0, 6, rng.integers(most))]
                            for _ in range(n)]
    yield spans(draw(40, 6), draw(40, 6))
    yield spans([[], []], [[], []])
    yield spans([["x"][:0], [["a", 0, 1], ["a", 0, 1], ["b", 0, 1]]], [[["a", 0, 1]], [["a", 0, 1], ["a", 0, 1]]])


# ---- answers -------------------------------------------------------------------------------------------------------------------------------

TEXTS = ["the cat", "The Cat!", "a cat", "cat", "a", "the", "", "an apple a day", "theatre", "the-atre", "  two   words ", "U.S.A.", "usa", "$5.00", "500",
         "café", "cafe\u0301", "CAFÉ", "İstanbul", "istanbul", "i\u0307stanbul", "ΟΔΟΣ", "οδος", "οδός", "ΑΣ.", "ας", "Σ", "σ", "ΑΣ Σ", "straße", "STRASSE",
         "北京 市", "北京市", "北京市 the", "don't", "dont", "“quoted”", "quoted", "a\u00a0b", "a b", "x\u2028y", "x y", "1,000", "1000", "٣", "²", "a² b", "—", "-",
         "an_a", "_the_", "the\u0301", "A.N.", "an", "ﬁsh", "fish", "\U0001f600 a", "\U0001f600", "\x1cthe\x1d", "the\tthe the", "one two two", "two two one one",
         "ΑΣ'Α", "Σ\u00adΑ", "ΑΣ\u0301", "ǅ", "ǆ", "ª", "ⅷ", "Ⅷ"]


def all_answers(v1, v2, record):
    out = []
    for i, gold in enumerate(TEXTS):
        for predicted in [TEXTS[(i + k) % len(TEXTS)] for k in (0, 1, 2, 7)] + [gold.upper(), "the " + gold]:
            out.append({"gold": gold, "answer": predicted, "exact": int(v1.exact_match_score(predicted, gold)), "f1": v1.f1_score(predicted, gold),
                        "exact_v2": v2.compute_exact(gold, predicted), "f1_v2": v2.compute_f1(gold, predicted)})
    return {"pairs": out, "normal": [[t, v2.normalize_answer(t)] for t in TEXTS], "sets": [answer_set(v1, v2, record, w) for w in (0, 0.4, 1)]}


def answer_set(v1, v2, record, without):
    """Questions, a share of them without answers. The first set is one of SQuAD 1.1."""
    qas, answers, odds = [], {}, {}
    for i in range(60):
        gold = [] if rng.random() < without else [str(t) for t in rng.choice(TEXTS, rng.integers(1, 4))]
        qas.append({"id": str(i), "answers": [{"text": t} for t in gold]})
        answers[str(i)] = "" if rng.random() < 0.2 else str(gold[0] if gold and rng.random() < 0.5 else rng.choice(TEXTS))
        odds[str(i)] = float(np.round(rng.normal(), 1)) + (0.5 if not gold else 0)
    data = [{"paragraphs": [{"qas": qas}]}]
    out = {"questions": [{"answers": [a["text"] for a in q["answers"]], "answer": answers[q["id"]], "no_answer": odds[q["id"]]} for q in qas]}
    if without == 0:
        out["v1"] = v1.compute_score(data, answers)
        out["record"] = record.evaluate([{"qas": qas}], answers)[0]
    has = v2.make_qid_to_has_ans(data)
    exact, f1 = v2.get_raw_scores(data, answers)
    out["v2"] = v2.make_eval_dict(exact, f1)
    for name, want in (("HasAns", True), ("NoAns", False)):
        ids = [k for k in has if has[k] == want]
        if ids:
            v2.merge_eval(out["v2"], v2.make_eval_dict(exact, f1, ids), name)
    v2.find_all_best_thresh(out["v2"], answers, exact, f1, odds, has)
    return out


def groups(n, questions):
    group = np.sort(rng.integers(0, questions, n))
    gold = rng.integers(0, 2, n)
    predicted = np.where(rng.random(n) < 0.75, gold, 1 - gold)
    f1s, exact = [], []
    for q in sorted(set(group.tolist())):
        own = group == q
        f1s.append(metrics.f1_score(gold[own], predicted[own], average="macro"))
        exact.append(float((gold[own] == predicted[own]).all()))
    return {"groups": questions, "group": group.tolist(), "gold": gold.tolist(), "predicted": predicted.tolist(), "exact": float(np.mean(exact)),
            "f1_m": float(np.mean(f1s)), "f1_a": metrics.f1_score(gold, predicted)}


# ---- tests over seeds ----------------------------------------------------------------------------------------------------------------------

def seeds(x, y):
    x, y = [float(v) for v in x], [float(v) for v in y]
    welch, freedom = stats.ttest_ind(x, y, equal_var=False), stats.ttest_ind(x, y, equal_var=False).df
    out = {"x": x, "y": y, "mean": float(np.mean(x)), "deviation": float(np.std(x, ddof=1)), "welch": [welch.statistic, freedom, welch.pvalue]}
    if len(x) == len(y):
        paired = stats.ttest_rel(x, y)
        out["paired"] = [plain(paired.statistic), paired.df, plain(paired.pvalue)]
    return out


def all_seeds():
    yield seeds([91.1, 91.4, 90.9, 91.3, 91.2], [90.8, 91.0, 90.7, 91.1, 90.9])
    yield seeds(rng.normal(size=5), rng.normal(size=8))
    yield seeds(rng.normal(size=30) + 5, rng.normal(size=30))
    yield seeds(rng.normal(size=200), rng.normal(size=200) * 3)
    yield seeds([1, 2], [5, 9])
    yield seeds([1, 1, 1], [2, 2, 3])
    yield seeds(rng.normal(size=3) * 1e-9, rng.normal(size=3) * 1e9)


def bootstrap():
    """SciPy draws other samples than debertac, so the ends of intervals are equal up to chance."""
    x = rng.gamma(2, size=80)
    r = stats.bootstrap((x,), np.mean, n_resamples=20000, method="percentile", random_state=1)
    values = np.sort(rng.normal(size=37))
    return {"x": x.tolist(), "low": r.confidence_interval.low, "high": r.confidence_interval.high, "error": float(r.standard_error), "values": values.tolist(),
            "quantiles": [[q, float(np.percentile(values, 100 * q))] for q in (0, 0.025, 0.3, 0.5, 0.975, 1)]}


def main():
    v1, v2, record = script("evaluate_v1"), script("evaluate_v2"), script("evaluate_record")
    json.dump({
        "by": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "seqeval": "1.2.2", "numpy": np.__version__},
        "classes": list(all_classes()), "several": list(all_several()), "numbers": list(all_numbers()), "calibration": list(all_calibration()),
        "rankings": list(all_rankings()), "tags": list(all_tags()), "spans": list(all_spans()), "answers": all_answers(v1, v2, record),
        "groups": [groups(60, 15), groups(20, 20), groups(8, 1)], "seeds": list(all_seeds()), "bootstrap": bootstrap(),
    }, sys.stdout, ensure_ascii=True, default=lambda o: o.item(), allow_nan=False)
    print()


main()
