// Package spec is the .dspec language: text in, checked values out. It knows nothing of tensors or of Go output.
//
// [Parse] makes a syntax tree, [Resolve] makes a [Spec] of it: names looked up, models merged with those they are like, dims evaluated,
// defaults filled in, everything checked. Both return all faults that they find as a [diag.List].
package spec
