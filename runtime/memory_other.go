//go:build !unix

package runtime

// block gives size bytes of Go memory, zeroed and aligned to Alignment.
func block(size int) ([]byte, func()) { return goBlock(size), func() {} }
