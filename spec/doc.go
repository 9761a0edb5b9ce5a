// Package spec reads the .dspec language: text in, checked values out. It knows nothing of tensors or of Go output.
//
// [Parse] makes a syntax tree. [Resolve] makes a [Spec] of it: it looks up names, merges models with the models that they are like, evaluates dims, fills in
// defaults and checks everything. Both return all faults that they find as a [diag.List].
package spec
