"""Records tiny models with heads, several adapters of the library PEFT for each, and the logits of transformers: without an adapter, and with each of them.

Needs torch, transformers and peft, in the versions of record.py. A case is a folder: `model`, one folder per adapter, and logits.safetensors with a tensor
per adapter, `base` without one. The sequences are those of `sequences`, which are also in batch.safetensors.
"""
import os
import pathlib
import shutil

import peft
import torch
import transformers as hf
from safetensors.torch import save_file

from record import SIZES, random

here = pathlib.Path(__file__).parent
sequences = [[1, 5, 9, 13, 2], [1, 7, 2], [1, 3, 11, 20, 6, 4, 18, 2]]
sizes = dict(SIZES, hidden_size=32, num_hidden_layers=3, intermediate_size=40, max_position_embeddings=32)


def logits(model):
    with torch.no_grad():
        return torch.cat([model.double().eval()(torch.tensor([ids])).logits[0][None] for ids in sequences]).float().contiguous()


def record(name, cls, config, adapters):
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    model = cls(config)
    random(model, 1)
    model.save_pretrained(folder / "model")
    os.chdir(folder)  # the adapters' configs hold the path of the model
    found = {"base": logits(cls.from_pretrained("model"))}
    for seed, (adapter, lora) in enumerate(adapters.items()):
        tuned = peft.get_peft_model(cls.from_pretrained("model"), lora)
        g = torch.Generator().manual_seed(seed + 2)
        with torch.no_grad():
            for _, p in tuned.named_parameters():
                if p.requires_grad:
                    p.copy_(torch.randn(p.shape, generator=g) * 0.2)
        tuned.save_pretrained(folder / adapter)
        (folder / adapter / "README.md").unlink(missing_ok=True)
        found[adapter] = logits(peft.PeftModel.from_pretrained(cls.from_pretrained("model"), folder / adapter))
        assert (found[adapter] - found["base"]).abs().max() > 0.01, "the adapter changes nothing"
    save_file(found, folder / "logits.safetensors")
    starts = [sum(map(len, sequences[:i])) for i in range(len(sequences) + 1)]
    save_file({"ids": torch.tensor(sum(sequences, []), dtype=torch.int32), "starts": torch.tensor(starts, dtype=torch.int32)}, folder / "batch.safetensors")


if __name__ == "__main__":
    common = dict(relative_attention=True, position_biased_input=False, type_vocab_size=0, pad_token_id=0, num_labels=3)
    record("beside", hf.DebertaV2ForSequenceClassification,
           hf.DebertaV2Config(**sizes, position_buckets=4, max_relative_positions=-1, pos_att_type=["p2c", "c2p"], share_att_key=True,
                              norm_rel_ebd="layer_norm", **common),
           {"first": peft.LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=10, target_modules=["query_proj", "value_proj"]),
            "second": peft.LoraConfig(r=3, lora_alpha=6, use_rslora=True, target_modules=r".*\.(key_proj|dense)", bias="all",
                                      rank_pattern={r"layer\.1\..*\.dense": 2}, alpha_pattern={"key_proj": 5}, lora_bias=False),
            "third": peft.LoraConfig(r=2, lora_alpha=3, target_modules=["dense", "query_proj"], lora_bias=True, layers_to_transform=[1])})
    record("beside_joined", hf.DebertaForSequenceClassification,
           hf.DebertaConfig(**sizes, max_relative_positions=4, pos_att_type=["c2p", "p2c"], **common),
           {"first": peft.LoraConfig(task_type="SEQ_CLS", r=3, lora_alpha=6, target_modules=["in_proj", "pos_proj"]),
            "second": peft.LoraConfig(r=4, lora_alpha=4, target_modules=["in_proj", "dense", "classifier"])})
