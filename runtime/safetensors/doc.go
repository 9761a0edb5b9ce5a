// Package safetensors reads and writes the safetensors format strictly.
//
// A file is an 8-byte little-endian header length, a JSON header and the data:
//
//	{"__metadata__":{"k":"v"},"name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},…}
//
// Offsets count from the end of the header. The tensors must cover the data exactly, without holes
// or overlaps and with nothing after the last tensor. Anything else is an [*Error] that names the
// file and the tensor. Nothing is guessed.
//
// # Alignment in written files
//
// The format allows no holes between tensors, so alignment depends on the header's length, the
// order and the sizes. [Header] pads the header with spaces until the data start at a multiple of
// [Alignment] in the file. It then places the tensors whose size is a multiple of Alignment first,
// in the given order, and after them the others by falling element size. So every tensor of the
// first group starts at a multiple of Alignment, and every other one at a multiple of its element
// size.
//
// A caller who needs all tensors aligned and in its own order must make every size a multiple of
// Alignment: it pads the tensors itself and keeps their true lengths elsewhere. Package engine does
// this for packed weights.
package safetensors
