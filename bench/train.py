"""Measures training steps of debertac and PyTorch in turn, for several rounds, and prints minimum, median and ratio.

    train.py --debertac build/debertac --python VENV/bin/python --rounds 2 -o bench/results/NAME-train.jsonl [POINT …]

The packages of PyTorch are in peers/requirements-train.txt. Points are the names of the table below; without names all are measured.
"""
import argparse, json, os, random, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# name: arguments of debertac, arguments of torch_train.py, what the goal is
POINTS = {
    "v3-base 8x128": (["--train", "base", "--batch", "8", "--tokens", "128"], ["--model", "v3-base"], 2.0),
    "v3-xsmall 8x128": (["--train", "xsmall", "--batch", "8", "--tokens", "128"], ["--model", "v3-xsmall"], 2.0),
    "v3-base bf16 8x128": (["--train", "half", "--batch", "8", "--tokens", "128"], ["--model", "v3-base", "--precision", "bf16"], 1.6),
    "v3-base 2x512": (["--train", "base", "--batch", "2", "--tokens", "512"], ["--model", "v3-base", "--batch", "2", "--tokens", "512"], 2.2),
    "v3-base mails": (["--train", "base", "--batch", "8", "--lengths"], ["--model", "v3-base", "--batch", "8", "--min-time", "1", "--lengths"], 3.0),
    "v3-base sift": (["--train", "sift", "--batch", "8", "--tokens", "128"], ["--model", "v3-base", "--sift"], 2.2),
    "v3-base lora 8x128": (["--train", "lora", "--batch", "8", "--tokens", "128"], ["--model", "v3-base", "--lora", "8"], 2.5),
}


def mails(path):
    """Lengths like those of mails: most near 55 tokens, some of hundreds."""
    r = random.Random(7)
    draw = lambda: int(r.lognormvariate(4.0, 0.55) if r.random() < 0.85 else r.lognormvariate(5.6, 0.5))
    lengths = [max(8, min(512, draw())) for _ in range(16)]
    with open(path, "w") as f:
        f.write("\n".join(map(str, lengths)) + "\n")


def rows(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return [json.loads(l) for l in done.stdout.splitlines() if l.startswith("{")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--debertac", default="build/debertac")
    p.add_argument("--python", default=sys.executable, help="the interpreter that has PyTorch")
    p.add_argument("--threads", default="2")
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("-o", "--out", required=True)
    p.add_argument("points", nargs="*", metavar="POINT", help="one of: " + ", ".join(POINTS))
    a = p.parse_args()
    unknown = [n for n in a.points if n not in POINTS]
    if unknown:
        p.error(f"no point is named {unknown[0]!r}: there are {', '.join(POINTS)}")
    names = a.points or list(POINTS)
    found = {}
    with tempfile.TemporaryDirectory() as temp, open(a.out, "w") as out:
        lengths = os.path.join(temp, "lengths")
        mails(lengths)
        fill = lambda args: [x for s in args for x in ([s, lengths] if s == "--lengths" else [s])]
        for row in rows([a.debertac, "doctor", "--json"]):
            row.pop("cache", None)  # published results must not hold local paths
            row.get("go", {}).pop("path", None)
            out.write(json.dumps({"machine": row}) + "\n")
        for r in range(a.rounds):
            for name in names:
                ours, theirs, _ = POINTS[name]
                for peer, command in (
                        ("torch", [a.python, os.path.join(HERE, "peers", "torch_train.py"), "--threads", a.threads, *fill(theirs)]),
                        ("debertac", [a.debertac, "bench", os.path.join(HERE, "train.dspec"), "--random-weights", "1", "--threads", a.threads, "--json",
                                      *fill(ours)])):
                    for row in rows(command):
                        row.pop("lengths", None)
                        row = {"round": r, "point": name, "peer": peer, **row}
                        out.write(json.dumps(row) + "\n")
                        out.flush()
                        found.setdefault((name, peer), []).append(row)
    print(f"{'point':20}{'PyTorch ms':>18}{'debertac ms':>18}{'ratio':>8}{'goal':>6}{'peak MiB':>18}")
    for name in names:
        t, d = found[name, "torch"], found[name, "debertac"]
        best = lambda rows, field: min(r[field] for r in rows)
        cell = lambda rows: f"{best(rows, 'min_ms'):.0f} / {best(rows, 'p50_ms'):.0f}"
        print(f"{name:20}{cell(t):>18}{cell(d):>18}{best(t, 'min_ms') / best(d, 'min_ms'):>8.2f}{POINTS[name][2]:>6}"
              f"{best(t, 'rss_mib'):>9.0f}{best(d, 'rss_mib'):>9.0f}")


if __name__ == "__main__":
    main()
