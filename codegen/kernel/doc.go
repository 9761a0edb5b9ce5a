// Package kernel writes the assembly of a compiled model. A kernel is a Go function with constant shapes; avo turns its body into one TEXT block of a .s file.
//
// A family (a file of this package: gemm.go, layernorm.go, …) makes kernels from parameters; [Families] lists the families. [ISAs] lists the instruction sets.
// [Assemble] prints a set of kernels as one assembly file, and [Package] as the files of a Go package. The output depends on the parameters alone.
//
// Names follow the grammar <family>_<dtype>_<params>_<isa>.
package kernel
