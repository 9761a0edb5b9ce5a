// Package ir is the intermediate representation: what a model computes, before and after every pass.
//
// A [Program] is a set of regions and two lists of calls. A [Region] is a small graph of nodes in execution order
// (the embedding, one encoder layer, a head); a [Call] runs a region, once or once a layer. Calls talk through a flat store of named
// values: a region's inputs are read from the store by name and its outputs are written to it, with "{l}" in a name replaced by the layer's
// number (from 0) and "{l+1}" by the next. So a layer is described once, however often it runs, and becomes one Go function.
//
// The calls of Pack run once, when weights are packed: they turn the checkpoint's tensors into the packed weights. The calls of Run are the
// schedule of one forward call. A new program has an empty Pack list and reads checkpoint tensors everywhere; the pass fold moves what only
// weights determine.
//
// Rows are tokens: a batch is ragged, hidden states are [T, H], and the operands "starts" (int32 [B+1]) and "pos" (int32 [T]) say where each
// sequence lies and which original position each row has. No padding exists anywhere.
//
// The letters of shapes, the same everywhere: B sequences, T tokens in the batch, P pairs (the sum of N² over the sequences, each sequence's
// N×N block row-major after the other), N tokens of one sequence, H hidden size, A heads, D head size, F inner size, V vocabulary, L layers, R
// rows of the relative table.
//
// The package is a leaf: it knows nothing of the spec but positions in it.
package ir
