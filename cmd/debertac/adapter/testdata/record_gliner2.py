"""Records a tiny GLiNER2 model, adapters in its own layout and in PEFT's, and what its library makes of the model with each.

Needs gliner2 (2.1.0 was used), torch, transformers and peft. A case is a folder as in record.py.
"""
import pathlib
import shutil
import warnings

import torch
import transformers as hf
from gliner2.model import Extractor, ExtractorConfig
from gliner2.training import lora
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from record import SIZES, random

here = pathlib.Path(__file__).parent
warnings.simplefilter("ignore")


def model():
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"] + list("abcdefgh")
    plain = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = hf.PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    encoder = hf.DebertaV2Config(**SIZES, relative_attention=True, position_buckets=4, max_relative_positions=-1, position_biased_input=False,
                                 type_vocab_size=0, pos_att_type=["p2c", "c2p"], share_att_key=True, norm_rel_ebd="layer_norm", pad_token_id=0)
    config = ExtractorConfig(model_name="reference", max_width=3, counting_layer="count_lstm")
    m = Extractor(config, encoder_config=encoder, tokenizer=tokenizer)
    random(m, 1)
    return m


def record(name, targets, own):
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "model" / "notes").mkdir(parents=True)
    (folder / "model" / "notes" / "kept.txt").write_text("kept\n")
    m = model()
    save_file({k: v.contiguous() for k, v in m.state_dict().items()}, folder / "model" / "model.safetensors", metadata={"format": "pt"})
    m.config.save_pretrained(folder / "model")
    if own:
        tuned, _ = lora.apply_lora_to_model(m, lora.LoRAConfig(enabled=True, r=3, alpha=12, target_modules=targets))
    else:
        tuned = m.apply_lora(r=3, alpha=12, targets=targets)
    g = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for _, p in tuned.named_parameters():
            if p.requires_grad:
                p.copy_(torch.randn(p.shape, generator=g) * 0.3)
    if own:
        lora.save_lora_adapter(tuned, folder / "adapter")
    else:
        tuned.save_pretrained(folder / "adapter")
        (folder / "adapter" / "README.md").unlink(missing_ok=True)
    fresh = model()
    lora.load_lora_adapter(fresh, folder / "adapter")
    merged = tuned.merge_and_unload()
    # The library's own reader put the matrices into fresh: its products must be the merged model's.
    for k, v in merged.state_dict().items():
        module, _, end = k.rpartition(".")
        layer = fresh.get_submodule(module)
        if isinstance(layer, lora.LoRALayer) and end == "weight":
            want = layer.get_base_layer().weight + layer.get_delta_weight("default")
            torch.testing.assert_close(v, want)
    save_file({k: v.contiguous() for k, v in merged.state_dict().items()}, folder / "merged.safetensors")


def shortened(name):
    """Records an adapter of many modules for a recorded case: the library then writes single words of their names as target_modules."""
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    m = Extractor.from_pretrained(str(here.parent.parent / "testdata" / "cases" / "gliner2_lstm_first"))
    groups = ["encoder", "span_rep", "classifier", "count_pred", "count_embed"]
    tuned, _ = lora.apply_lora_to_model(m, lora.LoRAConfig(enabled=True, r=2, alpha=3, target_modules=groups))
    g = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for _, p in tuned.named_parameters():
            if p.requires_grad:
                p.copy_(torch.randn(p.shape, generator=g) * 0.2)
    lora.save_lora_adapter(tuned, folder)


if __name__ == "__main__":
    shortened("gliner2_shortened")
    record("gliner2", ["encoder.query", "encoder.dense", "classifier", "span_rep"], own=True)
    record("gliner2_peft", ["encoder", "count_pred"], own=False)
