package runtime

import "github.com/debertac/debertac/runtime/ragged"

// Batch is a ragged batch of token ids: several sequences one after the other, without padding. IDs holds the token ids [T], and
// Starts the first token of each sequence, then T [B+1]. Most models need no other field: Types holds token types, Positions the
// original positions of the tokens if some were left out, Prefix the length of each sequence's prefix, and Rows, Words, WordStarts,
// Marks, MarkStarts, Queries, QueryStarts, Steps and Delta what some heads and models read. Package ragged defines the type and describes each field.
type Batch = ragged.Batch
