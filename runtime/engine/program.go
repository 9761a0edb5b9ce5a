package engine

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// Program describes a generated package. It is fixed at compile time and shared by all open models
// of the package.
type Program struct {
	Name   string    // name of the package, for messages
	Want   Want      // the weights that it expects
	ISAs   []cpu.ISA // instruction sets that its kernels exist for
	Limits Limits    // the spec's limits
	// Threads is the most threads that a call may use, from the spec's target; 0: no limit.
	Threads int
	Heads   []Head // Call.Head is an index into Heads

	// Past is the size of what the program can keep of each token; zero: nothing.
	Past PastShape

	// Arena returns the number of arena bytes that a call of these sizes needs. It must not fall
	// when a size rises, because its value for the limits is the arena's bound.
	Arena func(Sizes) int64

	// Bind connects the kernels of an instruction set with the weights. It reads the tensors with
	// Weights.F32 and I32 and returns the function that makes the state of each execution. w stays
	// valid until the model is closed.
	Bind func(w *Weights, isa cpu.ISA) (NewForward, error)

	// Tokenizer makes the tokenizer from what is packed with the weights: kind is Meta.Tokenizer,
	// data is the tensor. Nil: the package takes ids only.
	Tokenizer func(kind string, data []byte) (tokenizer.Tokenizer, error)
}

// NewForward makes the forward pass of one execution: a closure over x. The closure can hold
// prepared tasks and scratch memory, so that a call allocates nothing. NewForward is called once
// per execution, when the model is opened.
type NewForward func(x *Exec) (Forward, error)

// Forward computes one call: it reads x's batch and fills x.Out. It calls x.Layer between layers
// and returns its error. The batch is valid, and the arena is large enough for x.Sizes.
type Forward func() error

// Task is the meaning of a head's outputs. The tasks are the rows of package tasktable.
type Task = tasktable.Task

// rowsOf holds the kind of rows that the outputs of a head have, by the rows that the head reads.
var rowsOf = [...]Rows{
	tasktable.TakeFirst: PerSequence, tasktable.TakeMean: PerSequence, tasktable.TakeEach: PerToken, tasktable.TakeEachFirst: PerToken,
	tasktable.TakeMasked: PerRow, tasktable.TakeWords: PerWord, tasktable.TakeLabels: PerWord,
}

// The tensors of a head with a CRF: the score of each label directly after each label [C, C] (row:
// earlier label, column: later label), of each label as the first one [C], and as the last one [C].
const (
	CRFTransitions = "label.transitions"
	CRFStart       = "label.start"
	CRFEnd         = "label.end"
)

// Head describes one output of a program.
type Head struct {
	Name   string   // name of the head in the spec
	Task   Task     // what the outputs mean
	Rows   Rows     // what one row of outputs stands for
	C      int      // outputs per row
	Labels []string // names of the outputs [C], for heads that classify; else nil
	// Independent heads compute one probability for each label (sigmoid). The labels of other heads
	// share one probability of 1 (softmax).
	Independent bool
	// CRF heads score sequences of labels. Their outputs go with the packed tensors CRFTransitions,
	// CRFStart and CRFEnd.
	CRF bool
	// Decode is the constraint for decoding labels: "bio" allows only the sequences that the B-,
	// I-, E- and S- before labels allow, "" allows all.
	Decode string
	// Width is the number of span widths, 0 … Width-1, that the columns of an entity head stand
	// for. 0: the columns are start, end and inside.
	Width int
	// Prompt describes how a head reads labels that come with a text; else nil.
	Prompt *Prompt
	// Parts describes the outputs of a head that has several: they lie one after the other in
	// Call.Out. Rows and C are then those of the last part. Vectors come first. nil: the head has one
	// output.
	Parts []Part
	// Boundary holds how the outputs of a head that scores boundaries become results; nil: the head
	// scores no boundaries.
	Boundary *Boundary
	// Temperature divides the cosines of vectors in the contrastive loss of their training; 0: it had another loss, or it is not known.
	Temperature float64
}

// Prompt describes how labels that are chosen at run time stand before a text: Mark, label, Mark,
// label, …, End, text.
type Prompt struct {
	Mark, End string // tokens of the tokenizer
	After     bool   // a label is read at the token after its mark, not at the mark
	Last      bool   // the labels follow the text
	Example   string // token in front of each example; "": there are no examples
	Whole     bool   // all tokens of a label are read, up to the next mark
	FromEnd   bool   // only tokens from End on belong to the text
}

// Part describes one of several outputs of a head.
type Part struct {
	Name  string // as in tasktable, such as tasktable.SpanOutput
	Rows  Rows   // what one row stands for
	C     int    // numbers per row
	Width int    // number of span widths, 0 … Width-1, that the columns stand for; 0: columns are no widths
	// Vector is set for rows that callers ask for besides the results of the head, such as tasktable.TokenVectors.
	Vector bool
}

// Boundary holds how the outputs of a head that scores boundaries become results. No output depends on
// it.
type Boundary struct {
	Pairs, Classes float64 // temperatures: logits of spans and of classes are divided by them
	Above          float64 // a query whose probability of having no result is above it has none, if the head has the part AbsentOutput
	Overlap        string  // which spans of a query stay that share words: flat, nested or longest
}

// OutLen returns the number of outputs for a valid batch.
func (h *Head) OutLen(b *runtime.Batch) int {
	if h.Parts == nil {
		return h.RowsOf(b) * h.C
	}
	n := 0
	for i := range h.Parts {
		n += b.Size(h.Parts[i].Rows) * h.Parts[i].C
	}
	return n
}

// Split returns the outputs of each part, row-major, of a head that has several. out holds the outputs
// of a batch, or of a window, of the given sizes.
func (h *Head) Split(sizes Sizes, out []float32) [][]float32 {
	var parts [][]float32
	for i := range h.Parts {
		n := *sizes.At(h.Parts[i].Rows) * h.Parts[i].C
		parts, out = append(parts, out[:n:n]), out[n:]
	}
	return parts
}

// Recorded returns those outputs of a batch that its recorded result has: without vectors, so that weights serve
// programs with and without them, and without outputs that follow from a choice.
func (h *Head) Recorded(sizes Sizes, out []float32) []float32 {
	if h.Parts == nil {
		return out
	}
	var list []float32
	for i, part := range h.Split(sizes, out) {
		if p := &h.Parts[i]; !p.Vector && !tasktable.Chosen(p.Name) {
			list = append(list, part...)
		}
	}
	return list
}

// HasVectors reports whether the head has vectors as outputs.
func (h *Head) HasVectors() bool { return len(h.Parts) > 0 && h.Parts[0].Vector }

// RowsOf returns the number of rows of outputs for a valid batch: B, T, M, G or W.
func (h *Head) RowsOf(b *runtime.Batch) int { return b.Size(h.Rows) }

// check reports errors in a generated package. These are internal errors, not the user's.
func (p *Program) check() error {
	if p == nil {
		return ragged.Errorf("the program is nil: pass the Program of a generated package")
	}
	l := p.Limits
	switch {
	case p.Arena == nil || p.Bind == nil:
		return fmt.Errorf("package %s: Arena and Bind are needed", p.Name)
	case l.Vocab < 1 || l.SequenceTokens < 1 || l.BatchSequences < 1 || l.BatchTokens < 1:
		return fmt.Errorf("package %s: limits must be positive: %+v", p.Name, l)
	case l.Rows < 0 || l.Rows > l.BatchTokens:
		return fmt.Errorf("package %s: limit of %d rows in a batch of %d tokens", p.Name, l.Rows, l.BatchTokens)
	case len(p.Heads) == 0:
		return fmt.Errorf("package %s has no heads", p.Name)
	}
	for _, h := range p.Heads {
		if h.C < 1 || h.Labels != nil && len(h.Labels) != h.C {
			return fmt.Errorf("package %s: head %q has %d outputs and %d labels", p.Name, h.Name, h.C, len(h.Labels))
		}
		if err := h.check(l); err != nil {
			return fmt.Errorf("package %s: head %q %w", p.Name, h.Name, err)
		}
	}
	return nil
}

// check compares a head's rows and columns with its task.
func (h *Head) check(l Limits) error {
	row := tasktable.Of(h.Task)
	if row == nil {
		return fmt.Errorf("has the task %q, which this runtime does not know", h.Task)
	}
	columns := int(row.Columns) // columns of the task; 0: any number
	switch {
	case row.Columns == tasktable.VocabColumns:
		columns = l.Vocab
	case row.Columns == tasktable.EntityColumns && h.Width != 0:
		columns = h.Width
	case row.Columns == tasktable.EntityColumns:
		columns = 3
	}
	fits := slices.ContainsFunc(row.Take, func(t tasktable.Take) bool { return rowsOf[t] == h.Rows })
	if row.Pairs {
		fits = h.Rows == PerPair
	}
	if h.Task == tasktable.Extract || len(h.Parts) > 0 {
		if err := h.checkParts(l); err != nil {
			return err
		}
	}
	if h.Task == tasktable.Extract {
		fits = true
	}
	switch {
	case h.HasVectors() && !row.Vectors:
		return fmt.Errorf("has vectors, its task is %s", h.Task)
	case !fits:
		return fmt.Errorf("has one row per %v, its task is %s", h.Rows, h.Task)
	case columns != 0 && h.C != columns:
		return fmt.Errorf("has %d outputs per row, its task %s has %d", h.C, h.Task, columns)
	case h.Width < 0 || h.Width != 0 && h.Task != tasktable.Entities:
		return fmt.Errorf("has a width of %d, its task is %q", h.Width, h.Task)
	case h.Prompt != nil && (h.Task != tasktable.Entities && h.Task != tasktable.OwnLabels || h.Prompt.Mark == "" || h.Prompt.End == ""):
		return fmt.Errorf("has a prompt of labels %+v, its task is %q", *h.Prompt, h.Task)
	case h.CRF && h.Task != tasktable.Tags:
		return fmt.Errorf("has a CRF, its task is %q", h.Task)
	case h.Decode != "" && (h.Decode != "bio" || h.Task != tasktable.Tags):
		return fmt.Errorf("decodes %q, its task is %q", h.Decode, h.Task)
	case h.Rows == PerRow && l.Rows == 0:
		return fmt.Errorf("takes chosen rows, the limit of a batch is 0 of them")
	case h.Rows == PerWord && !l.Words, h.Rows == PerPair && !(l.Words && (l.Marks || l.Steps > 0)):
		return fmt.Errorf("has one row per %v, but by the limits the model reads none of these", h.Rows)
	}
	return nil
}

// checkParts compares the outputs of a head that has several with its task, and with what the model reads.
func (h *Head) checkParts(l Limits) error {
	if len(h.Parts) == 0 {
		return fmt.Errorf("has no outputs, its task is %s", h.Task)
	}
	if b := h.Boundary; b != nil && (b.Pairs <= 0 || b.Classes <= 0) {
		return fmt.Errorf("has the temperatures %v and %v", b.Pairs, b.Classes)
	}
	own := slices.IndexFunc(h.Parts, func(p Part) bool { return !p.Vector })
	if own < 0 || h.Task != tasktable.Extract && own != len(h.Parts)-1 || slices.ContainsFunc(h.Parts[own:], func(p Part) bool { return p.Vector }) {
		return fmt.Errorf("has %d outputs, of which number %d is the first that is no vector, its task is %s", len(h.Parts), own+1, h.Task)
	}
	for i := range h.Parts {
		switch p := &h.Parts[i]; {
		case p.Name == "" || p.C < 1 || p.Width != 0 && p.Width != p.C:
			return fmt.Errorf("has the output %+v", *p)
		case p.Rows == PerBoundary && (!l.Words || l.Steps == 0), (p.Rows == PerCandidate || p.Rows == PerQueryCandidate) && l.Candidates == 0,
			p.Rows == PerQuery && l.Steps == 0, p.Rows == PerMark && !l.Marks,
			p.Rows == PerPair && !(l.Words && (l.Steps > 0 || l.Marks && h.Task != tasktable.Extract)):
			return fmt.Errorf("has one row per %v in the output %s, but by the limits the model reads none of these", p.Rows, p.Name)
		}
	}
	return nil
}
