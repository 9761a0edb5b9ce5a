// Package kernels holds every kernel family for every instruction set, in a
// representative set of shapes. It is the subject of the kernels' unit tests
// and benchmarks; packages that debertac generates carry their own copies,
// specialised to their model.
package kernels

//go:generate go run ../../codegen/kernel/sampleset .
