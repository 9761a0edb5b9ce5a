package ir

import "github.com/debertac/debertac/runtime/tasktable"

// Meta holds what the generated package tells its callers besides its results.
type Meta struct {
	SpecHash string    // sha256 of the canonical spec, in hex; weights packed for another spec are refused
	Model    string    // the model's name in the spec
	Head     string    // the head's name; "" for no head
	Task     Task      // what the outputs mean
	Labels   []string  // of tasktable.Labels, in the order of the logits
	Columns  int       // numbers in a row of the output
	Outputs  []Output  `json:",omitempty"` // of tasktable.Extract and with vectors: the outputs of a call; nil for the only one, which Task describes
	Boundary *Boundary `json:",omitempty"` // of tasktable.Extract: how the outputs of a head that scores boundaries become results; nil for other heads
	Multi    bool      // each label is judged by itself (sigmoid) and not against the others (softmax)
	CRF      bool      `json:",omitempty"` // tasktable.Tags: the packed tensors label.transitions, label.start and label.end score label sequences
	Decode   string    `json:",omitempty"` // tasktable.Tags: the constraint on label sequences, bio; "" for no constraint
	Prompt   *Prompt   `json:",omitempty"` // tasktable.Entities, tasktable.OwnLabels: the tokens around the labels of a text
	// Widths is for tasktable.Entities: greatest number of words in a span, one column per number; 0: the columns are start, end and inside.
	Widths int `json:",omitempty"`
	// Temperature is for tasktable.Vector: the loss contrastive divides cosines by it; 0: the head has another loss.
	Temperature float64 `json:",omitempty"`
	Score       string  // of tasktable.Score: the function that turns the number into a score; "" for the number itself

	Vocab     int    // V; every id is below it
	Types     int    // number of segments; 0: the model has none
	Hidden    int    // H
	Layers    int    // L
	Tokenizer string // the kind of tokenizer that the spec names

	ISAs    []string // instruction sets, best first; "go" is the portable form
	Threads int      // greatest number of workers; 0: as many as the machine has
	Agree   float64  // greatest difference from the reference that the target allows
	Rank    int      `json:",omitempty"` // greatest rank of adapters that calls can choose; 0: the program takes none
	Weights string   `json:",omitempty"` // the number format of the weights of products; "": f32
	Trace   bool     // the package also passes attention maps to the trace hook
}

// Output describes one of several outputs of a program. Its name is that of its value in the store.
type Output struct {
	Name    string
	Columns int // numbers in a row
	Widths  int `json:",omitempty"` // greatest number of words in a span, one column per number; 0: columns are no widths
	// Vector is set for rows that callers ask for besides the numbers of the head. Outputs that are vectors come first.
	Vector bool `json:",omitempty"`
}

// Boundary holds how the outputs of a head that scores boundaries become results.
type Boundary struct {
	Pairs, Classes, Above float64
	Overlap               string
}

// Prompt describes how labels that are chosen at run time are put in front of a text, or after it.
type Prompt struct {
	Mark, End string // the token in front of each label and the one after the last label
	After     bool   `json:",omitempty"` // a label is read at the token after its mark, not at the mark
	Last      bool   `json:",omitempty"` // the labels follow the text
	Example   string `json:",omitempty"` // the token in front of each example
	Whole     bool   `json:",omitempty"` // all tokens of a label are read, up to the next mark
	FromEnd   bool   `json:",omitempty"` // only tokens from End on belong to the text
}

// Task is the meaning of a program's outputs.
type Task = tasktable.Task

// PackedLayout is the version of packed weights: the names of tensors, and the layouts of panels, head panels and padded vectors. Opening weights of another
// version is an error.
const PackedLayout = "2"
