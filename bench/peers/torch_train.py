"""A training step of PyTorch: forward and backward pass of a classifier with dropout, clipping by the norm of all gradients, AdamW (fused).

    torch_train.py --model v3-base --batch 8 --tokens 128 --threads 2
    torch_train.py --model v3-base --lengths FILE          the sequences of a file of lengths, padded to the longest one
    torch_train.py --model v3-base --lora 8                adapters of the library PEFT on queries and values
    torch_train.py --model v3-base --precision bf16        autocast
    torch_train.py --model v3-base --sift                  scale-invariant fine-tuning: two more passes

Weights are random. It prints one JSON object with the fields of `debertac bench --train`.
"""
import argparse, json, os, statistics, sys, time

SHAPES = {"v3-base": dict(num_hidden_layers=12, hidden_size=768, num_attention_heads=12, intermediate_size=3072),
          "v3-xsmall": dict(num_hidden_layers=12, hidden_size=384, num_attention_heads=6, intermediate_size=1536)}


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", choices=SHAPES, default="v3-base")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--tokens", type=int, default=128)
    p.add_argument("--lengths", help="a file of numbers")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    p.add_argument("--lora", type=int, metavar="RANK", help="train adapters of this rank and the head")
    p.add_argument("--sift", action="store_true")
    p.add_argument("--min-time", type=float, default=10, help="seconds")
    return p.parse_args()


def model(a):
    import torch
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification
    torch.manual_seed(1)
    config = DebertaV2Config(**SHAPES[a.model], vocab_size=128100, max_position_embeddings=512, max_relative_positions=-1, position_buckets=256,
                             relative_attention=True, pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm", share_att_key=True,
                             position_biased_input=False, type_vocab_size=0, pad_token_id=0, pooler_hidden_act="gelu", pooler_dropout=0.1,
                             pooler_hidden_size=SHAPES[a.model]["hidden_size"], hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, num_labels=3)
    m = DebertaV2ForSequenceClassification(config)
    if a.lora:
        from peft import LoraConfig, get_peft_model
        m = get_peft_model(m, LoraConfig(task_type="SEQ_CLS", r=a.lora, lora_alpha=2 * a.lora, lora_dropout=0.05,
                                         target_modules=["query_proj", "value_proj"]))
    return m.train()


def batches(a):
    import torch
    lengths = [a.tokens] * a.batch
    if a.lengths:
        lengths = [int(x) for x in open(a.lengths).read().split()]
    g = torch.Generator().manual_seed(1)
    out = []
    for at in range(0, len(lengths), a.batch):
        part = lengths[at:at + a.batch]
        ids = torch.zeros(len(part), max(part), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, n in enumerate(part):
            ids[i, :n] = torch.randint(5, 128000, (n,), generator=g)
            mask[i, :n] = 1
        out.append((ids, mask, torch.arange(len(part)) % 3))
    return out


def perturbed(m, trained, ids, mask, labels, noise=1e-2, rate=1e-4, weight=4.0):
    """The loss of scale-invariant fine-tuning (He et al. 2020, section 4), with one move of the perturbation."""
    import torch
    from torch.nn import functional as f

    def cross(p, z):  # the weighting probabilities are constants
        return -(p.detach().softmax(-1) * z.log_softmax(-1)).sum(-1)

    def apart(z, clean):
        return cross(clean, z) + cross(z, clean)

    def logits(x):
        return m(inputs_embeds=x, attention_mask=mask).logits
    x = m.get_input_embeddings()(ids)
    normed = f.layer_norm(x, x.shape[-1:], eps=1e-7)  # in front of the norm of the embeddings
    clean = m(inputs_embeds=normed, attention_mask=mask, labels=labels)
    start = normed.detach()
    delta = (torch.randn_like(start) * noise).clamp_(-2 * noise, 2 * noise).requires_grad_()
    for p in trained:
        p.requires_grad_(False)
    grad, = torch.autograd.grad(apart(logits(start + delta), clean.logits.detach()).sum(), delta)
    for p in trained:
        p.requires_grad_(True)
    if torch.isfinite(grad.norm()):
        delta = delta + rate * grad / (grad.abs().amax(-1, keepdim=True) + 1e-6)
    return clean.loss + weight * apart(logits(start + delta.detach()), clean.logits).mean()


def main():
    a = options()
    os.environ["OMP_NUM_THREADS"] = str(a.threads)
    import resource
    import torch
    torch.set_num_threads(a.threads)
    m = model(a)
    trained = [p for p in m.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(trained, lr=1e-5, weight_decay=0.01, fused=True)
    data = batches(a)

    def step(ids, mask, labels):
        with torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bf16"):
            loss = perturbed(m, trained, ids, mask, labels) if a.sift else m(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
    times, begun = [], time.perf_counter()
    for b in data:
        step(*b)
    while not times or time.perf_counter() - begun < a.min_time or len(times) < 2:
        at = time.perf_counter()
        for b in data:
            step(*b)
        times.append((time.perf_counter() - at) * 1e3 / len(data))
    tokens = sum(int(b[1].sum()) for b in data) / len(data)
    print(json.dumps({"peer": "torch", "model": a.model, "batch": a.batch, "tokens": tokens / a.batch, "threads": a.threads, "precision": a.precision,
                      "lora": a.lora or 0, "sift": a.sift, "lengths": bool(a.lengths), "steps": len(times), "min_ms": round(min(times), 1),
                      "p50_ms": round(statistics.median(times), 1), "tokens_per_s": round(tokens / min(times) * 1e3, 1),
                      "rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1), "version": torch.__version__}))


if __name__ == "__main__":
    sys.exit(main())
