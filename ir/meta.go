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
	CRF      bool     `json:",omitempty"` // TaskTags: the packed tensors label.transitions, label.start and label.end score label sequences
	Decode   string   `json:",omitempty"` // TaskTags: the constraint on label sequences, bio; "" none
	Prompt   *Prompt  `json:",omitempty"` // TaskEntities: how labels stand in front of a text
	Widths   int      `json:",omitempty"` // TaskEntities: words of the longest span, one a column; 0: the columns are start, end and inside
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

// Prompt says how labels that are given at run time stand in front of a text.
type Prompt struct {
	Mark, End string // the tokens in front of each label and after the last one
	After     bool   `json:",omitempty"` // a label is read at the token after its mark, not at the mark
}

// Task says what a program's outputs mean.
type Task string

// The tasks.
const (
	TaskHidden   Task = "hidden"   // the last layer's rows, or a row of a head's numbers a token, [T, columns]
	TaskLabels   Task = "labels"   // one logit a label, [B, labels]
	TaskScore    Task = "score"    // one number a sequence, [B, 1]
	TaskVector   Task = "vector"   // just numbers, [B, columns]
	TaskChoices  Task = "choices"  // one logit a sequence, which is one choice of a question, [B, 1]
	TaskTags     Task = "tags"     // a logit a label for each token, [T, labels], or word, [W, labels]
	TaskSpan     Task = "span"     // start and end of an answer, [T, 2]
	TaskMLM      Task = "mlm"      // a logit an entry of the vocabulary, [M, V] or [T, V]
	TaskReplaced Task = "replaced" // the logit of "this token was replaced", [T, 1]
	TaskEntities Task = "entities" // spans, or start, end and inside, for each word and label, [G, columns]
)

// PackedLayout is the version of the layouts that packed weights have: panels, head panels, padded vectors. Weights packed in another one are
// refused when they are opened.
const PackedLayout = "1"
