package runtime

import "github.com/debertac/debertac/runtime/ragged"

// Batch is a ragged batch of token ids, together with whatever else a model reads, such as words. Package ragged describes it.
type Batch = ragged.Batch
