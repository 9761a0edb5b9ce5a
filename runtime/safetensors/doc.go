// Package safetensors reads and writes the safetensors format strictly.
//
// A file is an 8-byte little-endian header length, a JSON header and the data:
//
//	{"__metadata__":{"k":"v"},"name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},…}
//
// Offsets count from the end of the header. The tensors must cover the data
// exactly: no hole, no overlap, nothing behind the last. Whatever differs from
// that is an [*Error] that names the file and the tensor; nothing is guessed.
//
// # Alignment of what the writer makes
//
// The format allows no hole between tensors, so alignment can only come from
// the header's length, the order and the sizes. [Header] pads the header with
// spaces until the data starts at a multiple of [Alignment] in the file. It then
// places first, in the order given, the tensors whose size is a multiple of
// Alignment, and behind them the others by falling element size. So every
// tensor of the first group starts at a multiple of Alignment, and every other
// one at a multiple of its element size. A caller who needs all tensors aligned
// and in its own order makes every size a multiple of Alignment, that is, it
// pads the tensors themselves and keeps their true lengths elsewhere (package
// runtime does so for packed weights).
package safetensors
