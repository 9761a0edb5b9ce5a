"""Trains a classifier of mails with the Trainer of transformers: the model of a folder's config.json from random weights, dropout on, batches padded to their
longest text. Prints one JSON object: seconds of the training, steps, and the accuracy on the evaluation file.

    torch_trainer.py --model FOLDER --train train.jsonl.gz --eval test.jsonl.gz --epochs 5 --batch 16 --rate 1e-3 --warmup 0.1 --seed 1
"""
import argparse, gzip, json, time

import numpy, torch, transformers


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as f:
        return [json.loads(line) for line in f]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", required=True)
    p.add_argument("--train", required=True)
    p.add_argument("--eval", required=True)
    p.add_argument("--epochs", type=float, default=5)
    p.add_argument("--steps", type=int, default=-1, help="stop after this many steps, to measure the speed")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--warmup", type=float, default=0.1)
    p.add_argument("--tokens", type=int, default=256)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    transformers.set_seed(a.seed)
    tok = transformers.AutoTokenizer.from_pretrained(a.model)
    config = transformers.AutoConfig.from_pretrained(a.model)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    number = config.label2id

    def encode(rows):
        ids = tok([r["text"] for r in rows], truncation=True, max_length=a.tokens)["input_ids"]
        return [{"input_ids": i, "attention_mask": [1] * len(i), "labels": number[r["label"]]} for i, r in zip(ids, rows)]

    train, test = encode(read(a.train)), encode(read(a.eval))
    total = a.steps if a.steps > 0 else int(a.epochs * ((len(train) + a.batch - 1) // a.batch))
    args = transformers.TrainingArguments(
        output_dir="unused", num_train_epochs=a.epochs, max_steps=a.steps, per_device_train_batch_size=a.batch, per_device_eval_batch_size=64,
        learning_rate=a.rate, warmup_steps=int(a.warmup * total), lr_scheduler_type="linear", weight_decay=0.01, max_grad_norm=1.0, seed=a.seed, use_cpu=True,
        save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True, dataloader_num_workers=0)
    accuracy = lambda out: {"accuracy": float((numpy.argmax(out.predictions, 1) == out.label_ids).mean())}
    trainer = transformers.Trainer(model=model, args=args, train_dataset=train, eval_dataset=test, compute_metrics=accuracy,
                                   data_collator=transformers.DataCollatorWithPadding(tok))
    begin = time.time()
    trainer.train()
    seconds = time.time() - begin
    print(json.dumps({"steps": trainer.state.global_step, "seconds": round(seconds, 2), "accuracy": trainer.evaluate()["eval_accuracy"], "seed": a.seed,
                      "torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
