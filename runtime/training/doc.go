// Package training runs a compiled training step over prepared data: it chooses the examples of each step, writes metrics and checkpoints into the folder of
// the run, asks for evaluations, and goes on after an interruption with the bits of a run that was not interrupted.
package training
