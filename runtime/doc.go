// Package runtime is what a compiled model links: packed weights, memory, threads,
// the choice of an instruction set, and the calls that users make. It holds no
// kernels and knows no architecture; a generated package describes itself with a
// [Program] and brings those.
//
// The way of one call: a [Batcher] turns texts into windows and those into a ragged
// [Batch], for a [Classifier] as for the tasks of package runtime/task; [Core.Run] takes
// an idle [Exec] (arena, team of threads, state of the generated code) and lets the
// generated forward pass fill the outputs.
//
// Letters, as everywhere in debertac: B sequences, T tokens in the batch, N tokens
// of one sequence, C outputs of a head; in a batch M chosen rows, W words, C labels of
// prompts and G pairs of a word and a label of the same sequence.
package runtime
