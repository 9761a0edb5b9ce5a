"""Measures GLiNER and GLiNER2 end to end, from texts to results, beside what runs them today, in turn, for several rounds. Keeps every line and prints the best.

    build/peers/bin/python bench/peers/extractors.py make build/extractors          once: model folders with random weights
    extractors.py build/extractors --python build/peers/bin/python -o bench/results/NAME.jsonl

Points: gliner (v3 base, 200 words, 5 labels), gliner2 (v3 large, 80 words, 3 questions: 147 tokens), short2 (the same with 48 words: 110 tokens), skewed and even (64
texts of 10 to 370, or of 60 words, through GLiNER), skewed2 (16 texts through GLiNER2). A peer whose call takes more than 20 s is measured once.
debertac runs with float32 and with bfloat16 weights. It computes the points of several texts twice: in one call, and in one call per text (each). Then start_ms: from the start of a
program to its first result. The first line of the result describes the machine, as `debertac doctor --json` does.
"""
import argparse, json, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SLOW_MS = 20_000
PEERS = {"gliner": ["torch", "onnxruntime", "fast_gliner"], "gliner2": ["torch", "onnxruntime"]}

# A program that computes a point with the compiled models.
MAIN = """package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"time"

	"example.com/extractors/gliner"
	"example.com/extractors/gliner2"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/task"
)

type point struct {
	Model  string          `json:"model"`
	Texts  []string        `json:"texts"`
	Labels []string        `json:"labels"`
	Schema json.RawMessage `json:"schema"`
}

// main has the arguments FOLDER POINT SECONDS THREADS each|batch SUFFIX, where SUFFIX is that of the packed weights.
func main() {
	data, err := os.ReadFile(os.Args[1] + "/points.json")
	check(err)
	var points map[string]point
	check(json.Unmarshal(data, &points))
	p := points[os.Args[2]]
	seconds, err := strconv.ParseFloat(os.Args[3], 64)
	check(err)
	threads, err := strconv.Atoi(os.Args[4])
	check(err)
	texts, ctx := [][]string{p.Texts}, context.Background()
	if os.Args[5] == "each" {
		texts = texts[:0]
		for i := range p.Texts {
			texts = append(texts, p.Texts[i:i+1])
		}
	}
	begin := time.Now()
	var call func(texts []string) error
	if p.Model == "gliner" {
		model, err := gliner.Open(os.Args[1]+"/gliner"+os.Args[6], gliner.Threads(threads))
		check(err)
		x, err := task.NewExtractor(model.Core(), "")
		check(err)
		call = func(texts []string) error {
			_, err := x.Entities(ctx, texts, p.Labels, task.EntityOptions{})
			return err
		}
	} else {
		model, err := gliner2.Open(os.Args[1]+"/gliner2"+os.Args[6], gliner2.Threads(threads))
		check(err)
		x, err := task.NewSchemaExtractor(model.Core(), "")
		check(err)
		schema, err := extraction.ParseSchema(p.Schema)
		check(err)
		call = func(texts []string) error {
			_, err := x.Extract(ctx, texts, schema, task.ExtractOptions{})
			return err
		}
	}
	all := func() float64 {
		start := time.Now()
		for _, t := range texts {
			check(call(t))
		}
		return time.Since(start).Seconds() * 1e3
	}
	all()
	first := time.Since(begin).Seconds() * 1e3
	var took []float64
	for begin = time.Now(); len(took) < 3 || time.Since(begin).Seconds() < seconds; {
		took = append(took, all())
	}
	slices.Sort(took)
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"peer": "debertac", "point": os.Args[2], "way": os.Args[5], "threads": threads, "first_ms": first,
		"min_ms": took[0], "p50_ms": took[len(took)/2], "calls": len(took)}))
}

func check(err error) {
	if err != nil {
		log.Fatal(fmt.Errorf("%s: %w", os.Args[2], err))
	}
}
"""


def call(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def lines(command):
    return [json.loads(l) for l in call(command).splitlines() if l.startswith("{")]


def build(folder, debertac, bf16):
    """Compiles both models into one program, and packs their weights. Returns the program, and the suffix of the weights."""
    d = os.path.join(folder, "go-bf16" if bf16 else "go")
    suffix = ".bf16.weights" if bf16 else ".weights"
    os.makedirs(d, exist_ok=True)
    with open(os.path.join(ROOT, "go.mod")) as f:
        module = [l for l in f.read().splitlines() if not l.startswith("module ")]
    with open(os.path.join(d, "go.mod"), "w") as f:
        f.write("module example.com/extractors\n" + "\n".join(module) + "\nrequire github.com/debertac/debertac v0.0.0\n"
                f"replace github.com/debertac/debertac => {ROOT}\n")
    with open(os.path.join(ROOT, "go.sum")) as f, open(os.path.join(d, "go.sum"), "w") as g:
        g.write(f.read())
    with open(os.path.join(d, "main.go"), "w") as f:
        f.write(MAIN)
    for name in ("gliner", "gliner2"):
        model, spec, packed = os.path.join(folder, name), os.path.join(d, name + ".dspec"), os.path.join(folder, name + suffix)
        call([debertac, "import", model, "--name", name, "-o", spec, "--force"])
        if bf16:
            with open(spec, "a") as f:
                f.write("\ntarget half {\n    weights bf16\n}\n")
        call([debertac, "compile", spec, "-o", os.path.join(d, name)])
        call([debertac, "pack", model, "--spec", spec, "-o", packed])
    call(["go", "build", "-mod=mod", "-o", os.path.join(os.path.abspath(d), "measure"), "."], cwd=d)
    return os.path.join(d, "measure"), suffix


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="where peers/extractors.py has put the models")
    p.add_argument("--debertac", default="build/debertac")
    p.add_argument("--python", help="the interpreter that has the peers' packages; without it, debertac alone is measured")
    p.add_argument("--points", nargs="*", default=["gliner", "gliner2", "short2", "skewed", "even", "skewed2"])
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("-o", "--out", required=True)
    a = p.parse_args()
    forms = {"debertac": build(a.folder, a.debertac, False), "debertac bf16": build(a.folder, a.debertac, True)}
    with open(os.path.join(a.folder, "points.json")) as f:
        points = json.load(f)
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
            for name in a.points:
                model = points[name]["model"]
                slow = {x["peer"] for x in rows if x.get("point") == name and x.get("min_ms", 0) > SLOW_MS}
                for peer in [x for x in PEERS[model] if x not in slow] if a.python else []:
                    for row in lines([a.python, os.path.join(HERE, "peers", "extractors.py"), "bench", a.folder, peer, name, "--threads", str(a.threads),
                                      "--seconds", str(a.seconds)]):
                        keep({"round": r, **row})
                for way in ("batch", "each") if len(points[name]["texts"]) > 1 else ("each",):
                    for form, (measure, suffix) in forms.items():
                        for row in lines([measure, a.folder, name, str(a.seconds), str(a.threads), way, suffix]):
                            keep({"round": r, **row, "peer": form})
        for name in sorted({points[x]["model"] for x in a.points}):
            for row in lines([a.debertac, "bench", os.path.join(a.folder, name), "--batch", "1", "--tokens", "16", "--threads", str(a.threads), "--json"]):
                keep({"peer": "debertac", "point": "start of " + name, "start_ms": row.get("start_ms")})
    report(rows, a.points)


def report(rows, points):
    """Prints the best and the median of each point, and the ratio of the best peer to debertac."""
    for name in points:
        best = {}
        for row in (x for x in rows if x.get("point") == name):
            key = row["peer"] + (" " + row["way"] if row.get("way") == "each" and any(x.get("way") == "batch" and x["point"] == name for x in rows) else "")
            best.setdefault(key, []).append(row)
        least = {k: min(x["min_ms"] for x in v) for k, v in best.items()}
        print(name)
        for k, v in best.items():
            print(f"  {k:15} min {least[k]:9.1f} p50 {sorted(x['p50_ms'] for x in v)[len(v) // 2]:9.1f} first {min(x['first_ms'] for x in v):9.1f} ms")
        median = {k: sorted(x["p50_ms"] for x in v)[len(v) // 2] for k, v in best.items()}
        peers = [k for k in least if not k.startswith("debertac")]
        for form in [k for k in least if peers and k.startswith("debertac")]:
            print(f"  best peer / {form}: {min(least[k] for k in peers) / least[form]:.2f}, of medians {min(median[k] for k in peers) / median[form]:.2f}")
    for row in rows:
        if row.get("start_ms") is not None:
            print(f"{row['point']}: {row['start_ms']} ms")


if __name__ == "__main__":
    main()
