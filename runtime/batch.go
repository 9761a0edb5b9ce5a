package runtime

import "fmt"

// Limits holds the bounds of one call. They come from the spec.
type Limits struct {
	Vocab          int  `json:"vocab"`            // ids lie in [0, Vocab)
	Types          int  `json:"types"`            // token types lie in [0, Types); 0: the model has none
	SequenceTokens int  `json:"sequence_tokens"`  // longest sequence N, including special tokens
	BatchSequences int  `json:"batch_sequences"`  // most sequences B per call
	BatchTokens    int  `json:"batch_tokens"`     // most tokens T per call
	Prefix         bool `json:"prefix"`           // the attention mask reads Batch.Prefix
	Causal         bool `json:"causal,omitempty"` // tokens see only themselves, those before them, and the prefix if there is one
	Rows           int  `json:"rows,omitempty"`   // most rows M per call in Batch.Rows; 0: no head of the model reads chosen rows
	Words          bool `json:"words,omitempty"`  // the model needs Batch.Words
	Marks          bool `json:"marks,omitempty"`  // the model needs Batch.Marks
	Delta          int  `json:"delta,omitempty"`  // numbers per token in Batch.Delta; 0: the model takes none
}

// sizes returns the largest sizes that a call may have.
func (l Limits) sizes(threads int) Sizes {
	s := Sizes{B: l.BatchSequences, T: l.BatchTokens, N: min(l.SequenceTokens, l.BatchTokens), M: l.Rows, Threads: threads}
	if l.Words {
		s.W = s.T
	}
	if l.Marks {
		s.C = s.T
	}
	if l.Words && l.Marks {
		// Words and labels share the N_b tokens of their sequence: Σ W_b·C_b ≤ Σ N_b²/4 ≤ T·N/4.
		s.G = s.T * s.N / 4
	}
	return s
}

// Batch is a ragged batch of token ids: sequence b has the tokens Starts[b] … Starts[b+1]-1.
// Nothing is padded.
type Batch struct {
	IDs    []int32 // [T]
	Starts []int32 // [B+1], rising from 0 to T
	// Types holds the token types [T]; nil means all zeros.
	Types []int32
	// Positions holds the positions of the tokens in their original sequences [T], rising within
	// each sequence. It is nil if no token was left out. It is needed only for sequences whose
	// attention mask leaves out tokens in the middle.
	Positions []int32
	// Prefix holds the length of each sequence's prefix in tokens [B]. All tokens of the sequence
	// may attend to its prefix. Only models with Limits.Prefix read it.
	Prefix []int32
	// Rows holds the token rows, from 0 to T-1, that a head of the kind PerRow computes [M],
	// rising; nil means none.
	Rows []int32
	// Words holds two numbers for each word that the model reads [2·W], rising: its first token row
	// and the row after its last. Words do not overlap. Only models with Limits.Words read it.
	Words []int32
	// WordStarts holds the index of the first word of each sequence, then W [B+1].
	WordStarts []int32
	// Marks holds the token rows at which the labels of each sequence's prompt are read [C],
	// rising. A mark lies in no word. Only models with Limits.Marks read it.
	Marks []int32
	// MarkStarts holds the index of the first label of each sequence, then C [B+1].
	MarkStarts []int32
	// Delta holds what is added to the normalized sum of each token's embeddings [T, H], finite.
	// Only models with Limits.Delta read it.
	Delta []float32

	past []*Past // of the call, see Call.Past
}

// Sequences returns B, the number of sequences.
func (b *Batch) Sequences() int { return max(0, len(b.Starts)-1) }

// rowsOf returns the number of tokens of sequence s.
func (b *Batch) rowsOf(s int) int { return int(b.Starts[s+1] - b.Starts[s]) }

// Tokens returns T, the number of tokens.
func (b *Batch) Tokens() int { return len(b.IDs) }

// Longest returns N, the number of tokens of the longest sequence. It needs a valid batch.
func (b *Batch) Longest() int {
	n := int32(0)
	for i := 1; i < len(b.Starts); i++ {
		n = max(n, b.Starts[i]-b.Starts[i-1])
	}
	return int(n)
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.IDs, b.Starts, b.Types, b.Positions, b.Prefix = b.IDs[:0], b.Starts[:0], b.Types[:0], b.Positions[:0], b.Prefix[:0]
	b.Rows, b.Words, b.WordStarts, b.Marks, b.MarkStarts = b.Rows[:0], b.Words[:0], b.WordStarts[:0], b.Marks[:0], b.MarkStarts[:0]
	b.Delta = b.Delta[:0]
}

// Validate checks everything that a forward pass relies on; nothing is checked again later. Errors
// wrap ErrInput and name the sequence and the index of the token in it.
func (b *Batch) Validate(l Limits) error {
	if err := b.validateStarts(l); err != nil {
		return err
	}
	t, n := len(b.IDs), b.Sequences()
	switch {
	case len(b.Types) != 0 && l.Types == 0:
		return input("the model has no token types, leave Types empty")
	case len(b.Types) != 0 && len(b.Types) != t:
		return input("%d token types for %d tokens", len(b.Types), t)
	case len(b.Positions) != 0 && len(b.Positions) != t:
		return input("%d positions for %d tokens", len(b.Positions), t)
	case l.Prefix && len(b.Prefix) != n:
		return input("the model's mask needs one prefix length per sequence: %d for %d sequences", len(b.Prefix), n)
	case !l.Prefix && len(b.Prefix) != 0:
		return input("the model's mask has no prefix, leave Prefix empty")
	}
	if err := b.validateDelta(l); err != nil {
		return err
	}
	for s := range n {
		if err := b.validateSequence(s, l); err != nil {
			return err
		}
	}
	return b.validateRows(l)
}

func (b *Batch) validateStarts(l Limits) error {
	t, n := len(b.IDs), len(b.Starts)-1
	switch {
	case n < 1:
		return input("the batch is empty: Starts needs one number per sequence and one more")
	case n > l.BatchSequences:
		return input("%d sequences, the limit of a batch is %d", n, l.BatchSequences)
	case t > l.BatchTokens:
		return input("%d tokens, the limit of a batch is %d", t, l.BatchTokens)
	case b.Starts[0] != 0:
		return input("Starts[0] is %d, it must be 0", b.Starts[0])
	}
	for s := range n {
		lo, hi := b.Starts[s], b.Starts[s+1]
		switch {
		case hi < lo:
			return input("sequence %d: Starts falls from %d to %d", s, lo, hi)
		case hi == lo:
			return input("sequence %d is empty", s)
		case int(hi) > t:
			return input("sequence %d: it ends at token %d, there are %d", s, hi, t)
		case int(hi-lo) > l.SequenceTokens:
			return input("sequence %d: %d tokens, the limit of the model is %d", s, hi-lo, l.SequenceTokens)
		}
	}
	if int(b.Starts[n]) != t {
		return input("Starts ends at %d, there are %d tokens", b.Starts[n], t)
	}
	return nil
}

// validateSequence checks the values of one sequence.
func (b *Batch) validateSequence(s int, l Limits) error {
	lo, hi := int(b.Starts[s]), int(b.Starts[s+1])
	for i, id := range b.IDs[lo:hi] {
		if id < 0 || int(id) >= l.Vocab {
			return input("sequence %d, token %d: id %d is outside the vocabulary of %d", s, i, id, l.Vocab)
		}
	}
	if len(b.Types) != 0 {
		for i, t := range b.Types[lo:hi] {
			if t < 0 || int(t) >= l.Types {
				return input("sequence %d, token %d: token type %d, the model has %d", s, i, t, l.Types)
			}
		}
	}
	if len(b.Positions) != 0 {
		last := int32(-1)
		for i, p := range b.Positions[lo:hi] {
			switch {
			case p <= last:
				return input("sequence %d, token %d: position %d is not above %d, positions must rise from 0 on", s, i, p, last)
			case int(p) >= l.SequenceTokens:
				return input("sequence %d, token %d: position %d, the model has %d", s, i, p, l.SequenceTokens)
			}
			last = p
		}
	}
	if len(b.Prefix) != 0 && (b.Prefix[s] < 0 || int(b.Prefix[s]) > hi-lo) {
		return input("sequence %d: prefix of %d tokens, the sequence has %d", s, b.Prefix[s], hi-lo)
	}
	return nil
}

// inputError is an error with its own text that is an ErrInput.
type inputError struct {
	text  string
	cause error
}

func (e *inputError) Error() string { return e.text }

func (e *inputError) Is(target error) bool { return target == ErrInput }

func (e *inputError) Unwrap() error { return e.cause }

func input(format string, args ...any) error {
	return &inputError{text: fmt.Sprintf(format, args...)}
}
