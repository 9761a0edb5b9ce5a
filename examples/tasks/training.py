"""A few seconds of training, for the folders whose results the pages show."""
import random

import torch
import torch.nn.functional as F

import lessons, texts, tokenizing


def train(model, loss, steps, rate=4e-3):
    """Minimises loss(random), which draws its batch."""
    r = random.Random(7)
    torch.manual_seed(7)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    model.train()
    recent = []
    for _ in range(steps):
        value = loss(r)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        schedule.step()
        recent = recent[-49:] + [float(value)]
    model.eval()
    print(f"  loss {sum(recent) / len(recent):.3f}")


def encode(tokenizer, *parts, **kw):
    return tokenizer(*parts, padding=True, truncation=True, max_length=64, return_tensors="pt", **kw)


def labels(lesson, steps=400, batch=24, pairs=False, loss=F.cross_entropy):
    """A classifier of texts or pairs."""
    def run(model, tokenizer):
        def one(r):
            drawn = [lesson(r) for _ in range(batch)]
            e = encode(tokenizer, *[[d[i] for d in drawn] for i in range(2 if pairs else 1)])
            want = torch.tensor([d[-1] for d in drawn])
            z = model(**e).logits
            return loss(z[:, 0] if want.dim() == 1 and want.is_floating_point() else z, want)
        train(model, one, steps)
    return run


def tags(model, tokenizer, steps=600, batch=24):
    def one(r):
        drawn = [lessons.named(r) for _ in range(batch)]
        e = encode(tokenizer, [d[0] for d in drawn], return_offsets_mapping=True)
        offsets, want = e.pop("offset_mapping"), torch.full(e["input_ids"].shape, -100)
        for i, (text, found) in enumerate(drawn):
            begun = set()  # a word may begin with a token that is its space alone
            for j, (a, b) in enumerate(offsets[i].tolist()):
                if b > a:
                    a += text[a:b].startswith(" ")
                    inside = [(s, k) for s, t, k in found if s <= a < t]
                    want[i, j] = 0 if not inside else 1 + 2 * inside[0][1] + (inside[0] in begun)
                    begun.update(inside)
        return F.cross_entropy(model(**e).logits.flatten(0, 1), want.flatten(), ignore_index=-100)
    train(model, one, steps)


def answers(model, tokenizer, steps=900, batch=24):
    def one(r):
        drawn = [lessons.asked(r) for _ in range(batch)]
        e = encode(tokenizer, [d[0] for d in drawn], [d[1] for d in drawn], return_offsets_mapping=True)
        offsets, want = e.pop("offset_mapping"), torch.zeros(batch, 2, dtype=torch.long)
        for i, (_, text, start, end) in enumerate(drawn):
            for j, s in enumerate(e.sequence_ids(i)):
                a, b = offsets[i, j].tolist()
                if s == 1 and b > a:
                    a += text[a:b].startswith(" ")
                    if a == start and b > a:
                        want[i, 0] = j
                    if b == end or a < end <= b:
                        want[i, 1] = j
        out = model(**e)
        return F.cross_entropy(out.start_logits, want[:, 0]) + F.cross_entropy(out.end_logits, want[:, 1])
    train(model, one, steps, 5e-3)


def choices(model, tokenizer, steps=400, batch=12):
    def one(r):
        drawn = [lessons.next_step(r) for _ in range(batch)]
        e = encode(tokenizer, [d[0] for d in drawn for _ in d[2]], [f"{d[1]} {o}" for d in drawn for o in d[2]])
        e.pop("token_type_ids")
        z = model(**{k: v.view(batch, 3, -1) for k, v in e.items()}).logits
        return F.cross_entropy(z, torch.tensor([d[3] for d in drawn]))
    train(model, one, steps)


def masked(model, tokenizer, steps=1200, batch=16):
    """A model that fills masks: 15 % of the tokens are masked."""
    def one(r):
        e = encode(tokenizer, [r.choice([r.choice(texts.MULTILINGUAL), lessons.named(r)[0], lessons.sentiment(r)[0]]) for _ in range(batch)])
        hidden = (torch.rand(e["input_ids"].shape) < 0.15) & (e["attention_mask"] == 1)
        want = e["input_ids"].masked_fill(~hidden, -100)
        e["input_ids"] = e["input_ids"].masked_fill(hidden, tokenizer.mask_token_id)
        return F.cross_entropy(model(**e).logits.flatten(0, 1), want.flatten(), ignore_index=-100)
    train(model, one, steps)


def causal(model, tokenizer, steps=700, batch=16):
    """A model that writes on: each token sees those before it."""
    lines = [l for l in tokenizing.corpus() if len(l) > 60 or "Fuchs" in l or "fox" in l]
    def one(r):
        e = encode(tokenizer, r.sample(lines, batch))
        ids, live = e["input_ids"], e["attention_mask"]
        n = ids.shape[1]
        x = model.deberta.embeddings(input_ids=ids, mask=live)
        h = model.deberta.encoder(x, torch.tril(torch.ones(n, n)) * live[:, None, :] * live[:, :, None]).last_hidden_state
        z = model.lm_predictions.lm_head(h, model.deberta.embeddings.word_embeddings)
        return F.cross_entropy(z[:, :-1].flatten(0, 1), ids[:, 1:].masked_fill(live[:, 1:] == 0, -100).flatten(), ignore_index=-100)
    train(model, one, steps)
