//go:build !unix

package runtime

// block gives size bytes of Go memory, zeroed and aligned to Alignment.
func block(size int) ([]byte, func(), error) { return goBlock(size), func() {}, nil }
