package compiler

import "github.com/debertac/debertac/ir"

// ChunkedLoss replaces the cross entropy of a head of at least least columns by a token_loss.
func ChunkedLoss(p *ir.Program, least int) error { return chunkedLoss(p, least) }

// Chunks replaces each token_loss by what computes it chunk by chunk.
func Chunks(p *ir.Program) error { return chunks(p) }
