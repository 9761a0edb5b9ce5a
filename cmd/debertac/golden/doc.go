// Package golden reads cases of recorded reference vectors and compares a model's results with them.
//
// A case is a folder: config.json and model.safetensors as published models have them, inputs.safetensors, outputs.safetensors (float32,
// computed in float64), and case.json with the head and a tolerance per group of tensors. Inputs and outputs are padded; a compiled model
// works on ragged batches, so this package drops what the mask leaves out and compares the rest.
//
// Letters: S sequences of the case, N its padded length, T live tokens, C outputs of a head.
package golden
