#!/usr/bin/env python3
"""Makes the models of this folder and records what they give, in expected/.

    python make.py            everything
    python make.py answer     only these
    python make.py --keep     only expected/, with the models as they are

It needs Python 3.10 or newer and: pip install torch transformers
What a pipeline of transformers computes is taken from it; the rest is computed in independent.py. Other versions may change last digits.
"""
import json, os, sys, warnings

import numpy as np
import torch, transformers

import drawing, recording

HERE = os.path.dirname(os.path.abspath(__file__))


def rounded(v):
    """Numbers with eight digits."""
    if isinstance(v, dict):
        return {k: rounded(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [rounded(x) for x in v]
    if isinstance(v, np.bool_):
        return bool(v)
    if isinstance(v, bool) or v is None or isinstance(v, (str, int)):
        return v
    return float(f"{float(v):.8g}")


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    os.makedirs(os.path.join(HERE, "expected"), exist_ok=True)
    names = [a for a in sys.argv[1:] if a != "--keep"]
    drawing.KEEP = "--keep" in sys.argv[1:]
    for name, make in recording.RECORDINGS.items():
        if names and name not in names:
            continue
        cases = list(make(os.path.join(HERE, name)))
        with open(os.path.join(HERE, "expected", name + ".json"), "w", encoding="utf-8") as f:
            f.write("[\n" + ",\n".join(json.dumps(rounded(c), ensure_ascii=False, separators=(",", ":")) for c in cases) + "\n]\n")
        print(name, len(cases), "cases", sum(len(c["input"]) for c in cases), "texts")


if __name__ == "__main__":
    main()
