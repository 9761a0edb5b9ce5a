// Package ragged holds ragged batches: sequences of tokens one after the other, without padding,
// and what models read beside token ids, such as the words of a text.
//
// Two tables describe batches. An [ExtentRow] describes a size that each batch decides, such as the
// number of tokens. A [PartRow] describes a part of a batch, such as the token types, and names the
// extent that counts its entries. The code that checks batches, puts them together from sequences,
// takes them apart, writes them to files and makes them up for tests reads these tables. The
// compiler reads the shapes of inputs in them. A new part is a new row, a field of Batch, and, if
// texts can lead to it, a field of Sequence.
//
// The package imports only the standard library, because compiled programs link it and the compiler
// reads its tables.
package ragged

import (
	"errors"
	"fmt"
)

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
	Candidates     int  `json:"spans,omitempty"`  // most candidates per sequence; 0: no head of the model chooses spans
	Words          bool `json:"words,omitempty"`  // the model needs Batch.Words
	Marks          bool `json:"marks,omitempty"`  // the model needs Batch.Marks
	Steps          int  `json:"steps,omitempty"`  // most steps of a label; 0: the model reads neither Batch.Queries nor Batch.Steps
	Delta          int  `json:"delta,omitempty"`  // numbers per token in Batch.Delta; 0: the model takes none
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
	// may attend to its prefix, and heads that read a text from a token of its prompt on leave it
	// out. Only models with Limits.Prefix read it.
	Prefix []int32
	// Rows holds the token rows, from 0 to T-1, that a head of the kind PerRow computes [M],
	// rising; nil means no rows.
	Rows []int32
	// Words holds two numbers for each word that the model reads [2·W], rising: its first token row
	// and the row after its last. Words do not overlap, but a word may have the same rows as the
	// word before it. A word without rows stands for a row of zeros. Only models with Limits.Words
	// read it.
	Words []int32
	// WordStarts holds the index of the first word of each sequence, then W [B+1].
	WordStarts []int32
	// Marks holds the token rows at which the labels of each sequence's prompt are read [C],
	// rising. A mark lies in no word. Only models with Limits.Marks read it.
	Marks []int32
	// MarkStarts holds the index of the first label of each sequence, then C [B+1].
	MarkStarts []int32
	// Candidates holds how many spans a head chooses of the words of each sequence [B]: what
	// MostCandidates returns. Only models with Limits.Candidates read it.
	Candidates []int32
	// Queries holds the token row of the label that each query belongs to [Q]. Labels that stand for
	// the fields of a task are computed in steps, with a query for each field in each step: the
	// fields of step 0 in their order, those of step 1, and so on; then come the queries of the next
	// task. Only models with Limits.Steps read it.
	Queries []int32
	// QueryStarts holds the index of the first query of each sequence, then Q [B+1].
	QueryStarts []int32
	// Steps holds two numbers for each query [2·Q]: its step, below Limits.Steps, and the number of
	// fields of its task.
	Steps []int32
	// Delta holds what is added to the normalized sum of each token's embeddings [T, H], finite.
	// Only models with Limits.Delta read it.
	Delta []float32
}

// Sequence is one sequence that is ready for a batch. Its rows are counted from its own first
// token.
type Sequence struct {
	IDs    []int32 `json:"ids"`
	Types  []int32 `json:"types,omitempty"`  // token types; nil: zeros. Models without token types ignore them
	Prefix int32   `json:"prefix,omitempty"` // leading tokens that all tokens may attend to, for models that read it
	Rows   []int32 `json:"rows,omitempty"`   // as Batch.Rows
	Words  []int32 `json:"words,omitempty"`  // as Batch.Words
	Marks  []int32 `json:"marks,omitempty"`  // as Batch.Marks

	Queries []int32 `json:"queries,omitempty"` // as Batch.Queries
	Steps   []int32 `json:"steps,omitempty"`   // as Batch.Steps
}

// Sequences returns B, the number of sequences.
func (b *Batch) Sequences() int { return max(0, len(b.Starts)-1) }

// Length returns the number of tokens of sequence s. It needs a valid batch.
func (b *Batch) Length(s int) int { return int(b.Starts[s+1] - b.Starts[s]) }

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

// FillPositions writes the position of each token in its sequence to dst [T]: the batch's own
// positions if it has them, else 0, 1, … in each sequence.
func (b *Batch) FillPositions(dst []int32) {
	if len(b.Positions) != 0 {
		copy(dst, b.Positions)
		return
	}
	for s := range b.Sequences() {
		for i := range b.Length(s) {
			dst[int(b.Starts[s])+i] = int32(i)
		}
	}
}

// ErrInput is wrapped by every error that the caller's input causes.
var ErrInput = errors.New("bad input")

// ErrTooLong is wrapped by every error whose cause is the length of what the caller gave.
var ErrTooLong = errors.New("too long")

// Error is an error that the caller's input causes. It wraps ErrInput.
type Error struct {
	Text  string
	Cause error // or nil
}

// Error returns Text.
func (e *Error) Error() string { return e.Text }

// Is reports whether target is ErrInput.
func (e *Error) Is(target error) bool { return target == ErrInput }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf returns an error that wraps ErrInput, with the text of fmt.Sprintf.
func Errorf(format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...)}
}

// TooLong returns an error that wraps ErrInput and ErrTooLong, with the text of fmt.Sprintf.
func TooLong(format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Cause: ErrTooLong}
}
