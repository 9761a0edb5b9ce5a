// Package torchfile reads the weights in files that torch.save wrote (pytorch_model.bin), without running anything in them.
//
// Such a file is a pickle: a program for a stack machine that can call any function of any Python module. Here the machine knows only the instructions that
// build dictionaries, lists, tuples, texts and numbers, and only the functions that make a tensor of a storage; whatever else a file asks for is an error that
// names it and its offset. The values of the tensors are no part of the pickle and are read when they are asked for.
//
// Both containers are read: the zip archive of torch 1.6 and later (data.pkl, and one stored entry for each storage), and the older stream of five pickles with
// the storages after them. Errors are of type *safetensors.Error, or those of the file system.
package torchfile
