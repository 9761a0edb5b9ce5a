"""GLiNER and GLiNER2 in the shapes of published models, with random weights, as they run in Python and Rust.

    extractors.py make FOLDER [--small]                  model folders, their ONNX graphs, and FOLDER/points.json, the inputs
    extractors.py bench FOLDER PEER POINT [--threads 2]  one JSON line: seconds of each call

FOLDER/gliner is a GLiNER model on a DeBERTa v3 base, FOLDER/gliner2 a GLiNER2 model on a DeBERTa v3 large. Peers: torch (the published library), onnxruntime (the
published library, with the exported graph in place of the model or of its encoder), fast_gliner (Rust, with ONNX Runtime; GLiNER only).
The tokenizer is trained on the mails of examples/spam, and has as many pieces as the published one.
"""
import argparse, gzip, json, os, random, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
MAILS = os.path.join(HERE, "..", "..", "examples", "spam", "mails", "train.jsonl.gz")
SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
PIECES = 128_000
SLOW = 20  # seconds of a call, from which on one is enough
LABELS = ["person", "organisation", "location", "date", "product name"]
SCHEMA = {"entities": ["person", "organisation"], "classifications": [{"task": "mood", "labels": ["good", "bad", "neither"]}],
          "structures": {"order": {"fields": [{"name": "item", "dtype": "str"}, {"name": "price", "dtype": "str"}]}}}


def words():
    """Yields the words of the mails, over and over."""
    with gzip.open(MAILS, "rt", encoding="utf-8") as f:
        list_ = [w for line in f for w in json.loads(line)["text"].split() if w.isascii() and w.isalnum() and len(w) < 15]
    random.Random(1).shuffle(list_)
    while True:
        yield from list_


def text(source, n):
    return " ".join(next(source) for _ in range(n))


def tokenizer(folder):
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    with gzip.open(MAILS, "rt", encoding="utf-8") as f:
        t.train_from_iterator([json.loads(line)["text"] for line in f],
                              trainers.UnigramTrainer(vocab_size=8000, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False))
    j = json.loads(t.to_str())
    j["model"]["vocab"] += [[f"\u2581unused{i}", -30.0] for i in range(PIECES - len(j["model"]["vocab"]))]
    t = Tokenizer.from_str(json.dumps(j))
    t.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    t.add_special_tokens([AddedToken(x, normalized=x == "[UNK]", special=True) for x in SPECIAL + ["[MASK]"]])
    t.post_processor = processors.TemplateProcessing(single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                                     special_tokens=[(x, t.token_to_id(x)) for x in ("[CLS]", "[SEP]")])
    os.makedirs(folder, exist_ok=True)
    t.save(os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
        json.dump(dict(tokenizer_class="PreTrainedTokenizerFast", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", pad_token="[PAD]",
                       mask_token="[MASK]", model_max_length=512), f)


def encoder(size, small):
    hidden, layers = {"base": (768, 12), "large": (1024, 24)}[size]
    if small:
        hidden, layers = 64, 2
    return dict(model_type="deberta-v2", hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=hidden // 64 if not small else 2,
                intermediate_size=4 * hidden, max_position_embeddings=512, relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm",
                share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0, max_relative_positions=-1,
                layer_norm_eps=1e-7, pad_token_id=0, vocab_size=PIECES + 1)


def make(folder, small):
    import torch
    torch.manual_seed(0)
    points(folder)
    for name, build in (("gliner", gliner), ("gliner2", gliner2)):
        d = os.path.join(folder, name)
        tokenizer(d)
        build(d, small)


def points(folder):
    source = words()
    skewed = [10 + round(360 * (i / 63) ** 2) for i in range(64)]
    random.Random(2).shuffle(skewed)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "points.json"), "w") as f:
        json.dump({"gliner": {"model": "gliner", "texts": [text(source, 200)], "labels": LABELS},
                   "gliner2": {"model": "gliner2", "texts": [text(source, 80)], "schema": SCHEMA},
                   "short2": {"model": "gliner2", "texts": [text(source, 48)], "schema": SCHEMA},
                   "skewed": {"model": "gliner", "texts": [text(source, n) for n in skewed], "labels": LABELS},
                   "even": {"model": "gliner", "texts": [text(source, 60) for _ in range(64)], "labels": LABELS},
                   "skewed2": {"model": "gliner2", "texts": [text(source, n) for n in skewed[:16]], "schema": SCHEMA}}, f)


def gliner(d, small):
    from gliner.model import UniEncoderSpanGLiNER
    m = UniEncoderSpanGLiNER.load_from_config(
        dict(model_name=d, encoder_config=encoder("base", small), dropout=0.0, max_len=384, span_mode="markerV0", max_width=12, num_rnn_layers=1,
             hidden_size=64 if small else 512), backbone_from_pretrained=False)
    m.eval()
    m.save_pretrained(d, safe_serialization=True)
    m.export_to_onnx(os.path.join(d, "onnx"))


def gliner2(d, small):
    import torch
    from transformers import AutoTokenizer, DebertaV2Config
    from gliner2.configuration import ExtractorConfig
    from gliner2.inference.engine import SpanExtractor
    e = encoder("large", small)
    e.pop("model_type")
    m = SpanExtractor(ExtractorConfig(model_name="random", architecture="span", counting_layer="count_lstm"), encoder_config=DebertaV2Config(**e),
                      tokenizer=AutoTokenizer.from_pretrained(d))
    m.eval()
    m.save_pretrained(d)

    class Encoder(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, input_ids, attention_mask):
            return self.inner(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    ids = torch.randint(5, PIECES, (2, 40))
    batch, seq = torch.export.Dim("batch", min=1, max=256), torch.export.Dim("seq", min=4, max=8192)
    os.makedirs(os.path.join(d, "onnx"), exist_ok=True)
    with torch.no_grad():
        torch.onnx.export(Encoder(m.encoder).eval(), (ids, torch.ones_like(ids)), os.path.join(d, "onnx", "encoder.onnx"), dynamo=True, external_data=True,
                          opset_version=20, input_names=["input_ids", "attention_mask"], output_names=["hidden"],
                          dynamic_shapes=({0: batch, 1: seq}, {0: batch, 1: seq}))


def session(path, threads):
    import onnxruntime as ort
    o = ort.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads = threads, 1
    return ort.InferenceSession(path, o, providers=["CPUExecutionProvider"]), o


def caller(folder, peer, point, threads):
    """Returns a function that computes all texts of a point once, and how many entities or results it found."""
    d = os.path.join(folder, point["model"])
    texts = point["texts"]
    if peer == "fast_gliner":
        from fast_gliner import FastGLiNER
        m = FastGLiNER.from_pretrained(d)
        return lambda: m.predict_entities(texts, point["labels"])
    import torch
    torch.set_num_threads(threads)
    if point["model"] == "gliner":
        from gliner import GLiNER
        extra = dict(load_onnx_model=True, onnx_model_file="onnx/model.onnx", session_options=session(os.path.join(d, "onnx", "model.onnx"), threads)[1]) \
            if peer == "onnxruntime" else {}
        m = GLiNER.from_pretrained(d, **extra)
        return lambda: m.inference(texts, point["labels"], batch_size=8)
    from gliner2.auto import AutoExtractor
    from gliner2.inference.schema import Schema
    m = AutoExtractor.from_pretrained(d)
    m.eval()
    if peer == "onnxruntime":
        s, _ = session(os.path.join(d, "onnx", "encoder.onnx"), threads)

        def forward(input_ids=None, attention_mask=None, **_):
            from transformers.modeling_outputs import BaseModelOutput
            h = s.run(None, {"input_ids": input_ids.numpy(), "attention_mask": attention_mask.long().numpy()})[0]
            return BaseModelOutput(last_hidden_state=torch.from_numpy(h))
        m.encoder.forward = forward
    schema = Schema.from_dict(point["schema"])
    return lambda: m.batch_extract(texts, schema, batch_size=8)


def bench(folder, peer, name, threads, seconds):
    with open(os.path.join(folder, "points.json")) as f:
        point = json.load(f)[name]
    begin = time.perf_counter()
    call = caller(folder, peer, point, threads)
    call()
    first = time.perf_counter() - begin
    took, begin = [], time.perf_counter()
    while not took or took[-1] < SLOW and (len(took) < 3 or time.perf_counter() - begin < seconds):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    print(json.dumps({"peer": peer, "point": name, "threads": threads, "first_ms": 1e3 * first, "min_ms": 1e3 * min(took),
                      "p50_ms": 1e3 * sorted(took)[len(took) // 2], "calls": len(took)}))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("verb", choices=["make", "bench"])
    p.add_argument("folder")
    p.add_argument("peer", nargs="?")
    p.add_argument("point", nargs="?")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--small", action="store_true", help="two layers of 64 columns, to try the script")
    a = p.parse_args()
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", OMP_NUM_THREADS=str(a.threads), RAYON_NUM_THREADS=str(a.threads))
    if a.verb == "make":
        make(a.folder, a.small)
    elif a.peer and a.point:
        bench(a.folder, a.peer, a.point, a.threads, a.seconds)
    else:
        sys.exit("bench needs a peer and a point")


if __name__ == "__main__":
    main()
