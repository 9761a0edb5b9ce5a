package ir

// Meta is what the generated package tells its callers, beside what it computes.
type Meta struct {
	SpecHash string   // sha256 of the canonical spec, hex: packed weights made for another spec are refused
	Model    string   // the model's name in the spec
	Head     string   // the head's name; "" for none
	Task     Task     // what the outputs mean
	Labels   []string // of TaskLabels, in the order of the logits
	Columns  int      // numbers in a row of the output
	Multi    bool     // labels are judged one by one (a sigmoid each) instead of against each other (a softmax)
	Score    string   // of TaskScore: how the number is turned into a score; "" as it is

	Vocab     int    // V, ids are below it
	Types     int    // segments; 0: the model has none
	Hidden    int    // H
	Layers    int    // L
	Tokenizer string // kind that the spec names

	ISAs    []string // best first; "go" is the portable form
	Threads int      // most workers; 0: those of the machine
	Agree   float64  // largest difference from the reference that the target allows
	Trace   bool     // the package also shows attention maps to the trace hook
}

// Task says what a program's outputs mean.
type Task string

// The tasks.
const (
	TaskHidden Task = "hidden" // the last layer's rows, [T, H]
	TaskLabels Task = "labels" // one logit a label, [B, labels]
	TaskScore  Task = "score"  // one number a sequence, [B, 1]
	TaskVector Task = "vector" // just numbers, [B, columns]
)

// PackedLayout is the version of the layouts that packed weights have: panels, head panels, padded vectors. Weights packed in another one are
// refused when they are opened.
const PackedLayout = "1"
