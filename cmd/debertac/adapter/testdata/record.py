"""Records tiny models, adapters of the library PEFT, and what its merge_and_unload makes of them.

Needs torch, transformers and peft (2.15, 5.23 and 0.21 were used). A case is a folder: `model`, `adapter` and merged.safetensors.
`written` is for the adapters that Go wrote: see TestWrittenAdapters.
"""
import os
import pathlib
import shutil
import sys

import peft
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

here = pathlib.Path(__file__).parent
SIZES = dict(vocab_size=24, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, max_position_embeddings=16)


def v3(**more):
    return hf.DebertaV2Config(**SIZES, relative_attention=True, position_buckets=4, max_relative_positions=-1, position_biased_input=False, type_vocab_size=0,
                              pos_att_type=["p2c", "c2p"], share_att_key=True, norm_rel_ebd="layer_norm", pad_token_id=0, **more)


def v1(**more):
    return hf.DebertaConfig(**SIZES, relative_attention=True, max_relative_positions=4, position_biased_input=False, type_vocab_size=0,
                            pos_att_type=["c2p", "p2c"], pad_token_id=0, **more)


def random(model, seed):
    """Draws every tensor, so that none is 0 or 1."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=g) * 0.3)


def record(name, cls, config, lora, base=None, dtype=torch.float32, shards=None, binary=False, torch_model=False):
    """base is the class of the model folder if it is another one than that which the adapter is for. torch_model stores the model as older versions did."""
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    model = (base or cls)(config)
    random(model, 1)
    model.to(dtype).save_pretrained(folder / "model", **({"max_shard_size": shards} if shards else {}))
    (folder / "model" / "notes").mkdir()
    (folder / "model" / "notes" / "kept.txt").write_text("kept\n")
    if torch_model:
        state = model.state_dict()
        state["deberta.embeddings.position_ids"] = torch.arange(SIZES["max_position_embeddings"])[None]
        torch.save(state, folder / "model" / "pytorch_model.bin")
        (folder / "model" / "model.safetensors").unlink()
    os.chdir(folder)  # the adapter's config holds the path of the model
    model = cls.from_pretrained("model", dtype=dtype)
    tuned = peft.get_peft_model(model, lora)
    g = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for n, p in tuned.named_parameters():
            if p.requires_grad:
                p.copy_(torch.randn(p.shape, generator=g) * 0.3)
    tuned.save_pretrained(folder / "adapter", safe_serialization=not binary)
    if binary:
        state = load_file(folder / "adapter" / "adapter_model.safetensors") if (folder / "adapter" / "adapter_model.safetensors").exists() else None
        if state is not None:
            torch.save(state, folder / "adapter" / "adapter_model.bin")
            (folder / "adapter" / "adapter_model.safetensors").unlink()
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    loaded = peft.PeftModel.from_pretrained(cls.from_pretrained(folder / "model", dtype=dtype), folder / "adapter")
    merged = loaded.merge_and_unload()
    # transformers loads q_bias and v_bias of DeBERTa v1 as float32
    save_file({k: v.to(dtype).contiguous() for k, v in merged.state_dict().items()}, folder / "merged.safetensors")


def cases():
    record("classify", hf.DebertaV2ForSequenceClassification, v3(num_labels=3),
           peft.LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=10, target_modules=["query_proj", "value_proj"], modules_to_save=["pooler"]),
           base=hf.DebertaV2Model)
    record("patterns", hf.DebertaV2ForTokenClassification, v3(num_labels=5),
           peft.LoraConfig(task_type="TOKEN_CLS", r=4, lora_alpha=10, use_rslora=True, target_modules=r".*\.(query_proj|key_proj|dense)", bias="all",
                           rank_pattern={"layer.0.attention.self.query_proj": 2, r"layer\.1\..*\.dense": 3}, alpha_pattern={"key_proj": 5},
                           exclude_modules=["key_proj.none"]),
           shards="4KB")
    record("biases", hf.DebertaV2ForQuestionAnswering, v3(),
           peft.LoraConfig(task_type="QUESTION_ANS", r=2, lora_alpha=3, target_modules=["dense", "query_proj"], lora_bias=True, layers_to_transform=[1]),
           dtype=torch.bfloat16)
    record("biases_only", hf.DebertaV2ForSequenceClassification, v3(num_labels=2),
           peft.LoraConfig(r=2, lora_alpha=3, target_modules=["value_proj"], bias="lora_only"))
    record("binary", hf.DebertaV2ForSequenceClassification, v3(num_labels=2),
           peft.LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=3, target_modules=["key_proj"]), torch_model=True)
    record("joined", hf.DebertaForSequenceClassification, v1(num_labels=2),
           peft.LoraConfig(task_type="SEQ_CLS", r=3, lora_alpha=6, target_modules=["in_proj", "word_embeddings"], init_lora_weights="gaussian"), binary=True,
           dtype=torch.float16)


def written():
    """Records what PEFT makes of adapters that Go wrote, and checks that it computes with them what it computes with the merged model."""
    for folder in sorted((here / "written").iterdir()):
        of, name = (folder / "of.txt").read_text().split()
        model = peft.PeftModel.from_pretrained(getattr(hf, name).from_pretrained(here / of / "model", dtype=torch.float32), folder / "adapter").eval()
        ids = torch.tensor([[1, 5, 9, 13, 2]])
        before = model(ids)[0]
        bare = getattr(hf, name).from_pretrained(here / of / "model", dtype=torch.float32).eval()(ids)[0]
        assert (before - bare).abs().max() > 0.01, "the adapter changes nothing"
        merged = model.merge_and_unload()
        torch.testing.assert_close(merged(ids)[0], before, rtol=1e-4, atol=1e-5)
        save_file({k: v.contiguous() for k, v in merged.state_dict().items()}, folder / "merged.safetensors")


if __name__ == "__main__":
    written() if sys.argv[1:] == ["written"] else cases()
