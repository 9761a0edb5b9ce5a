package runtime

import "fmt"

// Program is how a generated package describes itself. It is fixed at compile time
// and shared by all open models of the package.
type Program struct {
	Name   string // of the package, for messages
	Want   Want   // what its weights must be
	ISAs   []ISA  // those that its kernels exist for
	Limits Limits // the spec's bounds
	// Threads is the most threads that a call may use, from the spec's target; 0: no bound.
	Threads int
	Heads   []Head // in the order of Call.Head

	// Arena is the number of arena bytes that a call of these sizes takes. It must
	// not fall when a size rises: the arena's bound is its value for the limits.
	Arena func(Sizes) int64

	// Bind connects the kernels of an instruction set with the weights. It reads
	// the tensors by Weights.F32 and I32 and returns what makes the state of each
	// execution; w stays valid until the model is closed.
	Bind func(w *Weights, isa ISA) (NewForward, error)

	// Tokenizer makes the tokenizer from what is packed with the weights: kind is
	// Meta.Tokenizer, data the tensor. Nil: the package takes ids only.
	Tokenizer func(kind string, data []byte) (Tokenizer, error)
}

// NewForward makes the forward pass of one execution: a closure over x that can
// hold pre-made tasks and scratch memory, so that a call allocates nothing. It is
// called once an execution, when the model is opened.
type NewForward func(x *Exec) (Forward, error)

// Forward computes one call: it reads x's batch and fills x.Out. It asks x.Layer
// between layers and returns its error. The batch is valid and the arena large
// enough for x.Sizes.
type Forward func() error

// Sizes are the sizes of one call.
type Sizes struct {
	B       int // sequences
	T       int // tokens
	N       int // tokens of the longest sequence
	Threads int // of the pool: workers are numbered from 0 to Threads-1
}

// Rows says what a head computes a row of outputs for.
type Rows uint8

// The kinds of rows.
const (
	PerSequence Rows = iota // [B, C]
	PerToken                // [T, C]
)

// Head is one output of a program.
type Head struct {
	Name   string   // of the head in the spec
	Rows   Rows     // a row a sequence or a token
	C      int      // outputs a row
	Labels []string // of the outputs, [C], for heads that classify; else nil
	// Independent heads give every label a probability of its own (sigmoid); the
	// others share one (softmax).
	Independent bool
}

// OutLen is the number of outputs for B sequences of T tokens together.
func (h *Head) OutLen(b, t int) int {
	if h.Rows == PerToken {
		return t * h.C
	}
	return b * h.C
}

// check finds faults of a generated package: they are ours, not the user's.
func (p *Program) check() error {
	l := p.Limits
	switch {
	case p.Arena == nil || p.Bind == nil:
		return fmt.Errorf("package %s: Arena and Bind are needed", p.Name)
	case l.Vocab < 1 || l.SequenceTokens < 1 || l.BatchSequences < 1 || l.BatchTokens < 1:
		return fmt.Errorf("package %s: limits must be positive: %+v", p.Name, l)
	case len(p.Heads) == 0:
		return fmt.Errorf("package %s has no heads", p.Name)
	}
	for _, h := range p.Heads {
		if h.C < 1 || h.Labels != nil && len(h.Labels) != h.C {
			return fmt.Errorf("package %s: head %q has %d outputs and %d labels", p.Name, h.Name, h.C, len(h.Labels))
		}
	}
	return nil
}
