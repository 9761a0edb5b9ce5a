package engine

import "github.com/debertac/debertac/runtime/ragged"

// The types of batches. Package ragged describes them: its table of parts lists what a model can
// read in a batch, and its table of extents lists the sizes that each batch decides.
type (
	// Limits holds the bounds of one call, which come from the spec.
	Limits = ragged.Limits
	// Sequence is one sequence that is ready for a batch.
	Sequence = ragged.Sequence
	// Sizes holds the sizes of one call.
	Sizes = ragged.Sizes
	// SpanPlace is the place of a sequence in the rows of heads that choose spans.
	SpanPlace = ragged.SpanPlace
	// WordPairs is the place of a word's pairs with the labels of its sequence.
	WordPairs = ragged.WordPairs
)

// Rows is the kind of thing that a head computes one row of outputs for.
type Rows = ragged.Extent

// The kinds of rows.
const (
	PerSequence = ragged.B // [B, C]
	PerToken    = ragged.T // [T, C]
	PerRow      = ragged.M // [M, C]: the rows of Batch.Rows, in their order
	PerPair     = ragged.G // [G, C]: one row per pair of a word and a label, or a query, ordered by sequence, word, label
	PerWord     = ragged.W // [W, C]: the words of Batch.Words, in their order
	PerMark     = ragged.C // [C, C]: the labels of Batch.Marks, in their order
	PerQuery    = ragged.Q // [Q, C]: the queries of Batch.Queries, in their order
	PerBoundary = ragged.R // [R, C]: one row per pair of a query and a boundary, ordered by sequence, query, boundary

	PerCandidate      = ragged.S // [S, C]: one row per candidate, ordered by sequence
	PerQueryCandidate = ragged.X // [X, C]: one row per pair of a query and a candidate, ordered by sequence, query, candidate
)
