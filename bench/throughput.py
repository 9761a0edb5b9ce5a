"""Measures debertac's tokenizers and their peers in turn, on the same texts, each on one thread, in processor time. Keeps every line and prints the best.

    throughput.py --text mails.jsonl.gz [--text more.txt] --mb 10 --rounds 5 -o bench/results/NAME.jsonl

A text file holds one text per line; a .jsonl file holds one object per line, with a member "text". Files that end in .gz are decompressed. The texts are repeated up to --mb
megabytes. The script trains vocabularies of the sizes of published models, on these texts and on the docstrings of Python's standard library, in a temporary folder
(--keep FOLDER keeps the folder and uses the vocabularies in it). It needs the packages in peers/tokenizers.txt and the Go toolchain.
The first line of the result describes the machine, as `debertac doctor --json` does.
"""
import argparse, ast, glob, gzip, io, json, os, shutil, subprocess, sys, sysconfig, tempfile, time, zlib

sys.path.pop(0)  # a script in this folder must not hide a package of the same name
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import sentencepiece, tiktoken, tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""


def texts_of(name):
    opener = gzip.open if name.endswith(".gz") else open
    with opener(name, "rt", encoding="utf-8") as f:
        for line in f:
            yield json.loads(line)["text"] if ".jsonl" in os.path.basename(name) else line


def docstrings():
    lib = sysconfig.get_paths()["stdlib"]
    for f in sorted(glob.glob(os.path.join(lib, "*.py")) + glob.glob(os.path.join(lib, "*", "*.py"))):
        if "site-packages" in f or os.sep + "test" in f:
            continue
        try:
            tree = ast.parse(io.open(f, encoding="utf-8").read())
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        for n in ast.walk(tree):
            if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(n):
                yield ast.get_docstring(n)


def frame(t):
    return processors.TemplateProcessing(single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                         special_tokens=[(x, t.token_to_id(x)) for x in ("[CLS]", "[SEP]")])


def bpe(folder, corpus, size):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, min_frequency=2, special_tokens=SPECIAL, show_progress=False,
                                                      initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    t.post_processor = frame(t)
    t.save(os.path.join(folder, "tokenizer.json"))


def wordpiece(folder, corpus, size):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=size, special_tokens=SPECIAL, show_progress=False))
    t.post_processor = frame(t)
    t.save(os.path.join(folder, "tokenizer.json"))


def unigram(folder, corpus, size):
    out = io.BytesIO()
    lines = (l for x in corpus for l in x.splitlines() if 0 < len(l) < 2000)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=out, model_type="unigram", vocab_size=size, character_coverage=0.9995, normalization_rule_name="nmt_nfkc", num_threads=2,
        pad_id=0, pad_piece="[PAD]", bos_id=1, bos_piece="[CLS]", eos_id=2, eos_piece="[SEP]", unk_id=3, unk_piece="[UNK]", minloglevel=2, hard_vocab_limit=False)
    os.makedirs(os.path.join(folder, "spm"), exist_ok=True)
    with open(os.path.join(folder, "spm", "spm.model"), "wb") as f:
        f.write(out.getvalue())
    m = sentencepiece_model_pb2.ModelProto()
    m.ParseFromString(out.getvalue())
    t = Tokenizer(models.Unigram([(p.piece, p.score) for p in m.pieces], unk_id=3, byte_fallback=False))
    t.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.Precompiled(m.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    t.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    t.add_special_tokens([AddedToken(x, normalized=x == "[UNK]", special=True) for x in SPECIAL])
    t.post_processor = frame(t)
    t.save(os.path.join(folder, "tokenizer.json"))


def byte_ranks(folder):
    """Returns the vocabulary in tiktoken's form: a map from bytes to ranks, which are the ids."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    back, n = {chr(b): b for b in printable}, 0
    for b in range(256):
        if b not in printable:
            back[chr(256 + n)] = b
            n += 1
    vocab = json.load(open(os.path.join(folder, "tokenizer.json"), encoding="utf-8"))["model"]["vocab"]
    return {bytes(back[c] for c in k): v for k, v in vocab.items() if k not in SPECIAL}


def crc(ids):
    return zlib.crc32(b"".join(i.to_bytes(4, "little") for one in ids for i in one))


def peers(work):
    """Yields (peer, version, tokenizer, way, encode), where encode takes all texts and returns the ids of each."""
    for name in ("bpe", "wordpiece", "unigram"):
        t = Tokenizer.from_file(os.path.join(work, name, "tokenizer.json"))
        yield "tokenizers", tokenizers.__version__, name, "ids", lambda texts, t=t: [e.ids for e in t.encode_batch_fast(texts, add_special_tokens=False)]
        yield "tokenizers", tokenizers.__version__, name, "offsets", lambda texts, t=t: [e.ids for e in t.encode_batch(texts, add_special_tokens=False)]
    enc = tiktoken.Encoding(name="trained", pat_str=GPT2, mergeable_ranks=byte_ranks(os.path.join(work, "bpe")), special_tokens={})
    yield "tiktoken", tiktoken.__version__, "bpe", "ids", lambda texts: [enc.encode_ordinary(x) for x in texts]
    sp = sentencepiece.SentencePieceProcessor(model_file=os.path.join(work, "unigram", "spm", "spm.model"))
    yield "sentencepiece", sentencepiece.__version__, "spm", "ids", lambda texts: sp.encode(texts, out_type=int, num_threads=1)


def lines(command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "GOMAXPROCS": "1"})
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return [json.loads(l) for l in done.stdout.splitlines() if l.startswith("{")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--text", action="append", required=True)
    p.add_argument("--mb", type=float, default=10)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--debertac", default="build/debertac", help="for the line about the machine")
    p.add_argument("--keep", metavar="FOLDER")
    p.add_argument("-o", "--out", required=True)
    a = p.parse_args()
    work = a.keep or tempfile.mkdtemp()
    try:
        measure(a, work)
    finally:
        if not a.keep:
            shutil.rmtree(work)


def measure(a, work):
    base = [x for name in a.text for x in texts_of(name) if x.strip()]
    corpus = base + list(docstrings())
    for name, train, size in (("bpe", bpe, 50_265), ("wordpiece", wordpiece, 30_522), ("unigram", unigram, 32_000)):
        folder = os.path.join(work, name)
        os.makedirs(folder, exist_ok=True)
        if not os.path.exists(os.path.join(folder, "tokenizer.json")):
            train(folder, corpus, size)
    texts, size = [], 0
    while size < a.mb * 1e6:
        for x in base:
            texts.append(x)
            size += len(x.encode())
            if size >= a.mb * 1e6:
                break
    listed, program = os.path.join(work, "texts.jsonl"), os.path.join(work, "throughput")
    with open(listed, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(x) + "\n" for x in texts)
    subprocess.run(["go", "build", "-o", program, "./throughput"], cwd=HERE, check=True)
    folders = [os.path.join(work, x) for x in ("bpe", "wordpiece", "unigram", os.path.join("unigram", "spm"))]
    rows = []
    with open(a.out, "w") as f:
        def keep(row):
            if "seconds" in row:
                row.update(bytes=size, texts=len(texts), threads=1, mb_per_s=round(size / row["seconds"] / 1e6, 2))
            f.write(json.dumps(row) + "\n")
            f.flush()
            rows.append(row)
        if os.path.exists(a.debertac):
            for row in lines([a.debertac, "doctor", "--json"]):
                row.pop("cache", None)  # published results must not hold local paths
                row.get("go", {}).pop("path", None)
                keep({"machine": row})
        for r in range(a.rounds):
            for row in lines([program, listed, "3", *folders]):
                keep({"round": r, **row})
            for peer, version, name, way, encode in peers(work):
                seconds = float("inf")
                for _ in range(1 if peer == "tokenizers" else 3):  # tokenizers is slow, so it runs once per round; the best of all rounds counts
                    start = time.process_time()
                    ids = encode(texts)
                    seconds = min(seconds, time.process_time() - start)
                keep({"round": r, "peer": peer, "version": version, "tokenizer": name, "way": way, "seconds": seconds, "tokens": sum(map(len, ids)), "crc": crc(ids) if r == 0 else None})
    best = {}
    for row in rows:
        if "seconds" in row:
            k = row["tokenizer"], row["way"], row["peer"]
            best[k] = max(best.get(k, 0), row["mb_per_s"])
    same = {(r["tokenizer"], r["peer"]): r["crc"] for r in rows if r.get("round") == 0 and r["way"] == "ids"}
    for (name, way, peer), speed in sorted(best.items()):
        ratio = best[name, way, "debertac"] / speed
        ids = "the same ids" if same.get((name, peer)) == same[name, "debertac"] else "other ids"
        print(f"{name:10} {way:8} {peer:14} {speed:8.1f} MB/s" + ("" if peer == "debertac" else f"   debertac is {ratio:.2f} times as fast, {ids}"))
    form = best["unigram", "ids", "debertac"]
    print(f"{'unigram':10} ids      in the form of tokenizer.json debertac is {form / best['spm', 'ids', 'sentencepiece']:.2f} times as fast as SentencePiece itself")


if __name__ == "__main__":
    main()
