// Package ir is the intermediate representation: it describes what a model computes, before and after every pass.
//
// A [Program] is a set of regions and two lists of calls. A [Region] is a small graph of nodes in execution order, such as the embedding, one encoder layer or
// a head. A [Call] runs a region once, or once per layer. Calls pass values to each other through a flat store of named values: a region reads its inputs from
// the store by name and writes its outputs to it. In a name, "{l}" stands for the layer's number (from 0) and "{l+1}" for the next one. So a layer is described
// once, however often it runs, and becomes one Go function.
//
// The calls of Pack run once, when weights are packed: they turn the checkpoint's tensors into the packed weights. The calls of Run are the schedule of one
// forward call. In a new program the Pack list is empty and every region reads checkpoint tensors. The pass fold moves what depends on weights alone to Pack.
//
// Rows are tokens. A batch is ragged: hidden states are [T, H]; the operand "starts" (int32 [B+1]) holds the first row of each sequence, and "pos" (int32 [T])
// holds the original position of each row. There is no padding anywhere.
//
// The letters of shapes are the same everywhere: B sequences, T tokens in the batch, P pairs (the sum of N² over the sequences; the N×N blocks of the sequences
// follow each other, each row-major), N tokens of one sequence, H hidden size, A heads, D head size, F inner size, V vocabulary, L layers, R rows of the
// relative table.
//
// The package does not depend on package spec. It uses only positions in the spec (package diag).
package ir
