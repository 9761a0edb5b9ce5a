// Package engine is the library that a compiled model links: packed weights, memory, executions, and the way from texts to the outputs of a head. It holds no
// kernels and knows no architecture. A generated package brings its kernels and describes itself with a [Program].
//
// A call runs as follows. A [Batcher] turns texts into windows, and windows into a ragged batch; a [Classifier] and the tasks of package task use it.
// [Core.Run] takes an idle [Exec] (an arena, a team of threads, and the state of the generated code). The generated forward pass then fills the outputs.
//
// Programs that call a model need few of its names: [Core], which the method Core of a generated model returns, [Call], [Past] and [Report]; [Open],
// [OpenBytes] and [OpenAt]; [NewClassifier] and [NewBatcher], for heads and for texts; [OpenWeights], [WeightsFromBytes] and [Meta], to read packed weights
// without a model. The other names, such as Exec, Arena, Cut and At, are for generated code and for the compiler, and change with them.
//
// Letters for shapes, as everywhere in debertac: B sequences, T tokens in the batch, N tokens of one sequence, C outputs of a head. A batch may also have M
// chosen rows, W words, C labels of prompts, and G pairs of a word and a label of the same sequence.
package engine
