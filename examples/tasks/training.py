"""A few seconds of training for the model that writes texts, so that it writes something."""
import torch

import tokenizing


def causal(model, tokenizer, steps=700, batch=16, length=40):
    """Trains a causal DeBERTa on the pages of this project, cut at length tokens."""
    lines = [l for l in tokenizing.corpus() if len(l) > 60 or "Fuchs" in l or "fox" in l]
    g = torch.Generator().manual_seed(7)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    model.train()
    for _ in range(steps):
        picked = [lines[i] for i in torch.randint(len(lines), (batch,), generator=g)]
        e = tokenizer(picked, padding=True, truncation=True, max_length=length, return_tensors="pt")
        ids, live = e["input_ids"], e["attention_mask"]
        n = ids.shape[1]
        x = model.deberta.embeddings(input_ids=ids, mask=live)
        mask = torch.tril(torch.ones(n, n)) * live[:, None, :] * live[:, :, None]
        h = model.deberta.encoder(x, mask).last_hidden_state
        z = model.lm_predictions.lm_head(h, model.deberta.embeddings.word_embeddings)
        want = ids[:, 1:].masked_fill(live[:, 1:] == 0, -100)
        loss = torch.nn.functional.cross_entropy(z[:, :-1].flatten(0, 1), want.flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        schedule.step()
    model.eval()
    return float(loss)
