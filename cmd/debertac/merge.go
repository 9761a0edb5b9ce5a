package main

import (
	"github.com/debertac/debertac/cmd/debertac/adapter"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/wording"
)

type mergeVerb struct {
	Model   string `arg:"" help:"Hugging Face model folder."`
	Adapter string `arg:"" help:"Folder of an adapter, in the layout of PEFT or of GLiNER2."`
	Out     string `short:"o" required:"" placeholder:"DIR" help:"Folder to make. It must not exist, or be empty."`
}

// Help is the long help.
func (mergeVerb) Help() string {
	return `Writes a model folder in which the matrices have taken in a low-rank adapter (LoRA), as merge_and_unload of the library PEFT does: W becomes
W + alpha/r · B·A. The weights keep their types and their files, shards too; all other files of the folder are kept. Modules that the adapter
stores whole (modules_to_save) take the place of the model's. A new head gets its architecture in config.json.

The adapter's folder has adapter_config.json and adapter_model.safetensors or adapter_model.bin. These fields are understood: r, lora_alpha,
use_rslora, rank_pattern, alpha_pattern, target_modules, exclude_modules, layers_to_transform, fan_in_fan_out, modules_to_save, bias, lora_bias.
DoRA and other variants are refused by the name of their field. Nothing in an adapter_model.bin is run.

An adapter in GLiNER2's own layout has adapter_config.json, with lora_r and lora_alpha, and adapter_weights.safetensors.

Weights in other formats, such as pytorch_model.bin beside model.safetensors, are left out, because they would be those of the old model.

Examples:
  debertac merge ~/models/deberta-v3-base ~/adapters/nli -o nli
  debertac run nli "some text"`
}

// Run merges the adapter.
func (v *mergeVerb) Run(c *console.Console) error {
	m, err := adapter.Merge(c.Context, v.Model, v.Adapter, v.Out)
	if err != nil {
		return err
	}
	for _, n := range m.Notes {
		c.Note("%s: note: %s", v.Out, n)
	}
	for _, n := range m.Left {
		c.Note("%s: note: %s is left out: it holds the weights of the old model", v.Out, n)
	}
	if m.Base != "" {
		c.Note("%s: note: the adapter was trained for %s", v.Adapter, m.Base)
	}
	c.Note("%s: %s with an adapter merged, %s replaced, %s new", v.Out, wording.Counted(m.Matrices, "matrix", "matrices"),
		wording.Counted(len(m.Whole), "tensor", "tensors"), wording.Counted(len(m.Added), "tensor", "tensors"))
	return nil
}
