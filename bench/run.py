"""Measures debertac and its peers in turn, for several rounds, so that changes in the machine's speed affect all of them. Keeps every line and prints the best.

    run.py --debertac build/debertac --rounds 3 -o bench/results/NAME.jsonl
    run.py ... --onnxruntime FOLDER --python VENV/bin/python     with ONNX Runtime beside it (see peers/)

The first line of the result describes the machine, as `debertac doctor --json` does.
"""
import argparse, json, os, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))


def lines(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return [json.loads(l) for l in done.stdout.splitlines() if l.startswith("{")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--debertac", default="build/debertac")
    p.add_argument("--spec", default=os.path.join(HERE, "v3_base.dspec"))
    p.add_argument("--points", nargs="*", default=["1x16", "1x128", "1x512"])
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--onnxruntime", metavar="FOLDER", help="where peers/onnxruntime_peer.py has put model.onnx")
    p.add_argument("--python", default=sys.executable, help="the interpreter that has the peers' packages")
    p.add_argument("-o", "--out", required=True)
    a = p.parse_args()
    rows = []
    with open(a.out, "w") as f:
        def keep(row):
            f.write(json.dumps(row) + "\n")
            f.flush()
            rows.append(row)
        for row in lines([a.debertac, "doctor", "--json"]):
            row.pop("cache", None)  # published results must not hold local paths
            row.get("go", {}).pop("path", None)
            keep({"machine": row})
        for r in range(a.rounds):
            if a.onnxruntime:
                peer = os.path.join(HERE, "peers", "onnxruntime_peer.py")
                for row in lines([a.python, peer, "bench", a.onnxruntime, "--threads", str(a.threads), *a.points]):
                    keep({"round": r, **row})
            for point in a.points:
                b, n = point.split("x")
                for row in lines([a.debertac, "bench", a.spec, "--random-weights", "1", "--batch", b, "--tokens", n,
                                  "--threads", str(a.threads), "--json"]):
                    keep({"round": r, "peer": "debertac", **row})
    print(f"{'':14}" + "".join(f"{x:>26}" for x in a.points))
    best = {}
    for name in ("debertac", "onnxruntime"):
        cells = []
        for point in a.points:
            b, n = (int(x) for x in point.split("x"))
            mine = [r for r in rows if r.get("peer") == name and r["batch"] == b and int(r["tokens"]) == n]
            if not mine:
                cells.append("-")
                continue
            best[name, point] = min(r["min_ms"] for r in mine)
            cells.append(f"min {best[name, point]:.1f} p50 {statistics.median(r['p50_ms'] for r in mine):.1f} ms")
        print(f"{name:14}" + "".join(f"{c:>26}" for c in cells))
    if a.onnxruntime:
        print(f"{'ratio of min':14}" + "".join(f"{best['onnxruntime', x] / best['debertac', x]:>26.2f}" for x in a.points))


if __name__ == "__main__":
    main()
