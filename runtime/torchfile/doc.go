// Package torchfile reads the weights in files that torch.save wrote (pytorch_model.bin), without running any code in them.
//
// Such a file is a pickle: a program for a stack machine that can call any function of any Python module. The machine in this package knows only the
// instructions that build dictionaries, lists, tuples, strings and numbers, and only the functions that make a tensor from a storage. Anything else that a file
// asks for is an error, which names it and its offset. The values of the tensors are not part of the pickle; they are read on demand.
//
// The package reads both containers: the zip archive of torch 1.6 and later (data.pkl and one stored entry per storage), and the older stream of five pickles
// followed by the storages. Errors are of type *safetensors.Error, or errors of the file system.
package torchfile
