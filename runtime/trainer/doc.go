// Package trainer runs the training steps of generated packages. It keeps what lasts from step to step: the tensors of the checkpoint, their gradients, and the
// state of the optimizer, each in one flat block of memory.
package trainer
