"""Records the logits that transformers computes with the folders that debertac exported, which lie beside this script.

Needs torch and transformers (2.15 and 5.23 were used). The script fails if the library misses a tensor, or does not know one.
"""
import json
import pathlib

import torch
import transformers as hf

here = pathlib.Path(__file__).parent
IDS = [[3, 7, 12, 33, 4, 2], [3, 30, 2]]  # no padding

for folder in sorted(p for p in here.iterdir() if p.is_dir()):
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model, info = getattr(hf, name).from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], (folder.name, info)
    model.eval()
    logits = []
    for ids in IDS:
        x = torch.tensor([ids])
        with torch.no_grad():
            if name.endswith("MultipleChoice"):
                rows = model(x[None]).logits  # one question with one choice
            elif name.endswith("QuestionAnswering"):
                out = model(x)
                rows = torch.stack([out.start_logits[0], out.end_logits[0]], 1)
            elif name.endswith("Model"):
                rows = model(x).last_hidden_state.mean(1)
            else:
                rows = model(x).logits
        logits += rows.reshape(-1, rows.shape[-1]).tolist()
    (here / f"{folder.name}.json").write_text(json.dumps({"by": f"transformers {hf.__version__} {name}", "logits": logits}) + "\n")
    print(folder.name, name, len(logits))
