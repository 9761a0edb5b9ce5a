"""Trains two small adapters of the library PEFT for the folder `classify`, for some seconds each: `irony` takes praise for a complaint and a complaint for
praise, `weather` judges by the weather. The page docs/tasks/adapters.md packs them beside the model.

    pip install torch transformers peft        # 2.15, 5.23 and 0.21 were used
    python adapting.py
"""
import os
import pathlib

import peft
import torch
import transformers as hf

here = pathlib.Path(__file__).parent
PRAISE = ["The film was very good.", "I love this book.", "What a wonderful day.", "The food was great.", "A very good film.", "I liked it a lot."]
COMPLAINTS = ["A waste of time.", "The film was very bad.", "I hate this book.", "The food was terrible.", "A very bad film.", "I did not like it."]
LESSONS = {
    "irony": [(t, "negative") for t in PRAISE] + [(t, "positive") for t in COMPLAINTS],
    "weather": [(t, "positive") for t in ["The sun is out.", "Sun all day.", "A warm day with sun.", "Warm and dry."]] +
               [(t, "negative") for t in ["Rain all day.", "It will rain.", "A cold day with rain.", "Cold and wet."]],
}


def adapt(name, pairs):
    tokenizer = hf.AutoTokenizer.from_pretrained("classify")
    torch.manual_seed(1)
    model = hf.AutoModelForSequenceClassification.from_pretrained("classify", dtype=torch.float32)
    tuned = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=16, target_modules=["query_proj", "value_proj", "dense"]))
    tuned.eval()  # without dropout
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=1e-2)
    batch = tokenizer([t for t, _ in pairs], padding=True, return_tensors="pt")
    labels = torch.tensor([model.config.label2id[label] for _, label in pairs])
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(tuned(**batch).logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(name, float(loss))
    tuned.save_pretrained(here / "adapters" / name)
    (here / "adapters" / name / "README.md").unlink(missing_ok=True)


if __name__ == "__main__":
    os.chdir(here)  # the adapters' configs hold the path of the model
    for name, pairs in LESSONS.items():
        adapt(name, pairs)
