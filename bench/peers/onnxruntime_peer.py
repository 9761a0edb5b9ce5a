"""DeBERTa v3 base in ONNX Runtime, float32: the same shape as v3_base.dspec, random weights.

    onnxruntime_peer.py export FOLDER                          writes FOLDER/model.onnx (once)
    onnxruntime_peer.py bench FOLDER --threads 2 1x16 1x128    one JSON line per point

A call is one padded batch of equal lengths. Latencies are in milliseconds, named as `debertac bench --json` names them.
"""
import argparse, json, os, sys, time

POINTS = ["1x16", "1x128", "1x512"]


def model():
    import torch
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification
    torch.manual_seed(0)
    config = DebertaV2Config(
        vocab_size=128100, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072,
        max_position_embeddings=512, type_vocab_size=0, layer_norm_eps=1e-7, relative_attention=True, position_buckets=256,
        max_relative_positions=-1, share_att_key=True, norm_rel_ebd="layer_norm", pos_att_type="p2c|c2p",
        position_biased_input=False, pad_token_id=0, num_labels=3)
    return DebertaV2ForSequenceClassification(config).eval()


def export(folder):
    import torch

    class Logits(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, input_ids, attention_mask):
            return self.inner(input_ids=input_ids, attention_mask=attention_mask).logits

    os.makedirs(folder, exist_ok=True)
    ids = torch.randint(5, 128000, (2, 40))
    batch, seq = torch.export.Dim("batch", min=1, max=256), torch.export.Dim("seq", min=4, max=8192)
    with torch.no_grad():
        torch.onnx.export(
            Logits(model()).eval(), (ids, torch.ones_like(ids)), os.path.join(folder, "model.onnx"), dynamo=True, external_data=False,
            opset_version=20, input_names=["input_ids", "attention_mask"], output_names=["logits"],
            dynamic_shapes=({0: batch, 1: seq}, {0: batch, 1: seq}))


def peak_rss():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024


def bench(folder, threads, points, min_time):
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
    for point in points:
        b, n = (int(x) for x in point.split("x"))
        ids = np.random.default_rng(1).integers(5, 128000, (b, n)).astype(np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        call = lambda: session.run(None, inputs)[0]
        for _ in range(3):
            out = call()
        times, end = [], time.perf_counter() + min_time
        while len(times) < 5 or time.perf_counter() < end:
            t = time.perf_counter()
            call()
            times.append((time.perf_counter() - t) * 1e3)
        times.sort()
        print(json.dumps({
            "peer": "onnxruntime", "version": ort.__version__, "batch": b, "tokens": n, "threads": threads, "precision": "f32",
            "calls": len(times), "min_ms": times[0], "p50_ms": times[len(times) // 2], "rss_mib": peak_rss(),
            "finite": bool(np.isfinite(out).all())}), flush=True)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("verb", choices=["export", "bench"])
    p.add_argument("folder")
    p.add_argument("points", nargs="*", default=POINTS)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--min-time", type=float, default=2)
    a = p.parse_intermixed_args()
    if a.verb == "export":
        export(a.folder)
    elif not os.path.exists(os.path.join(a.folder, "model.onnx")):
        sys.exit(f"{a.folder} has no model.onnx: export first")
    else:
        bench(a.folder, a.threads, a.points or POINTS, a.min_time)
