package runtime

import "github.com/debertac/debertac/runtime/ragged"

// Batch is a ragged batch of token ids, and what else a model reads with them. Package ragged describes it.
type Batch = ragged.Batch
