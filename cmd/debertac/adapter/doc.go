// Package adapter reads and writes low-rank adapters in the layout of the library PEFT: a folder with adapter_config.json and adapter_model.safetensors. It
// also reads GLiNER2's own layout, with adapter_weights.safetensors. It merges an adapter into a model folder, as merge_and_unload of PEFT does, and makes
// a folder in PEFT's layout of a checkpoint.
package adapter

// The files of an adapter.
const (
	configName = "adapter_config.json"
	tensorName = "adapter_model.safetensors"
	torchName  = "adapter_model.bin"
)

// root is the beginning of all names of tensors in an adapter.
const root = "base_model.model."
