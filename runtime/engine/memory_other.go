//go:build !unix

package engine

// block returns size bytes of Go memory, zeroed and aligned to Alignment, and a function that does
// nothing.
func block(size int) ([]byte, func(), error) { return goBlock(size), func() {}, nil }
