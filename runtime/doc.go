// Package runtime holds the names that callers of a generated package use: the options of Open, the policies for texts that are too long, results, and the
// errors that a caller tests for. The fields of a [Batch] are described in package ragged.
//
// Everything else is in the packages below this one. Package engine runs models: generated code links it, and programs that do more with a model than its
// generated package offers (hidden states, pasts, traces of steps, packed weights) call it. Package tokenizer defines the interfaces of a tokenizer. Package
// token implements them. Package pool holds threads, which several models can share. Package cpu knows the instruction sets. Package task computes results on
// text.
package runtime
